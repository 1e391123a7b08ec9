import { createHmac, timingSafeEqual } from 'node:crypto'

export interface SharedKey {
  readonly name: string
  readonly key: string
}

/**
 * What a shared access signature entitles to: the resource it names, in lower case, or undefined when the signature is
 * wrong or too old. The signature is HMAC-SHA256 over `sr`, a line feed and `se` (Azure, "Service Bus access control
 * with Shared Access Signatures"). `nowMs` in milliseconds since the epoch.
 */
export function verifySignature(
  token: string,
  { name, key }: SharedKey,
  nowMs: number,
): string | undefined {
  const [scheme, fields = ''] = token.split(' ', 2)
  if (scheme !== 'SharedAccessSignature') return undefined
  const parts = new Map(
    fields.split('&').map((field) => {
      const at = field.indexOf('=')
      return [field.slice(0, at), field.slice(at + 1)]
    }),
  )
  const [resource = '', expiry = ''] = [parts.get('sr'), parts.get('se')]
  const expected = createHmac('sha256', key).update(`${resource}\n${expiry}`).digest()
  const given = Buffer.from(decode(parts.get('sig') ?? ''), 'base64')
  const genuine = given.length === expected.length && timingSafeEqual(given, expected)
  if (!genuine || decode(parts.get('skn') ?? '') !== name) return undefined
  return Number(expiry) * 1000 > nowMs ? decode(resource).toLowerCase() : undefined
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return ''
  }
}

/** The path of an address that may be a whole URL: `sb://host/orders/$management` → `orders/$management`. */
export function entityPath(address: string): string {
  return address.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/^\/+|\/+$/g, '')
}
