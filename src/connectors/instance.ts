const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

/**
 * Where the calls of a connection go when its token names an instance (Salesforce may move an organisation at any
 * refresh). A token answer is not trusted with that: it can choose among the vendor's own hosts, over https, and nothing
 * else. Only a connection that was registered on this very machine may move on it. Undefined when it may not go there.
 */
export function instanceOf(
  registered: string,
  named: string | undefined,
  domains: readonly string[],
): string | undefined {
  if (named === undefined) return registered
  if (!URL.canParse(named)) return undefined
  const { origin, protocol, hostname, port, username, password } = new URL(named)
  if (username !== '' || password !== '') return undefined
  if (origin === registered) return registered
  const isLocal = LOOPBACK.has(new URL(registered).hostname)
  if (isLocal) return LOOPBACK.has(hostname) && /^https?:$/.test(protocol) ? origin : undefined
  const isVendors = domains.some((domain) => hostname.endsWith(`.${domain}`))
  return isVendors && protocol === 'https:' && port === '' ? origin : undefined
}
