/** The address without the port that some front ends write behind it, and without brackets. */
export function withoutPort(address: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(address)?.[1]
  return bracketed ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(address)?.[1] ?? address
}

/**
 * What a caller's address is limited by: of IPv6 the first 64 bits, for whoever has one address there has all of them
 * (RFC 6177); of IPv4, also where it is written inside IPv6, the whole address.
 */
export function networkOf(address: string): string {
  const plain = withoutPort(address.trim()).toLowerCase()
  const inside = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1]
  if (inside !== undefined) return inside
  if (!plain.includes(':')) return plain.slice(0, MOST_CHARACTERS)
  const [left = '', right = ''] = plain.split('%')[0]?.split('::') ?? []
  const groups = left === '' ? [] : left.split(':')
  const behind = right === '' ? [] : right.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - behind.length) }, () => '0')
  const all = plain.includes('::') ? [...groups, ...zeros, ...behind] : groups
  const network = all.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''))
  return `${network.join(':').slice(0, MOST_CHARACTERS)}::/64`
}

/** No address is longer; whatever a header holds, the key stays short. */
const MOST_CHARACTERS = 45
