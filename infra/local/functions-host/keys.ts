import { createHash, timingSafeEqual } from 'node:crypto'

export interface HostKeys {
  readonly functionKey: string
  readonly masterKey: string
}

/** The key that a request carries: header `x-functions-key`, or else the query's `code`. */
export function presentedKey(
  headers: Readonly<Record<string, string>>,
  query: Readonly<Record<string, string>>,
): string | undefined {
  return headers['x-functions-key'] ?? query['code']
}

/** Whether the key opens the level; the master key opens every one. Takes the same time wherever keys differ. */
export function isAuthorized(
  level: 'anonymous' | 'function' | 'admin',
  presented: string | undefined,
  keys: HostKeys,
): boolean {
  if (level === 'anonymous') return true
  const given = digest(presented ?? '')
  const isMaster = timingSafeEqual(given, digest(keys.masterKey))
  const isFunction = timingSafeEqual(given, digest(keys.functionKey))
  if (!presented) return false
  return isMaster || (level === 'function' && isFunction)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
