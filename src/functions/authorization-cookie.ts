import type { HttpRequest } from '@azure/functions'

/** As long as an authorization can be ended. */
const MAX_AGE_SECONDS = 600

/** Each authorization has a cookie of its own: two that are under way in one browser do not disturb each other. */
function nameOf(authorizationId: string): string {
  return `__Host-${authorizationId.slice(0, 40)}`
}

/**
 * Binds an authorization to the browser that begins it. `__Host-` (RFC 6265bis §4.1.3.2): no other host can have set it;
 * `Lax`: it comes along when the vendor sends the browser back, and with nothing that another site does by itself.
 */
export function cookieOf(authorizationId: string, proof: string): string {
  return `${nameOf(authorizationId)}=${proof}; Path=/; Max-Age=${MAX_AGE_SECONDS}; Secure; HttpOnly; SameSite=Lax`
}

/** Takes the cookie back. */
export function endedCookie(authorizationId: string): string {
  return `${nameOf(authorizationId)}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax`
}

/** What the browser shows of it (RFC 6265 §5.4); undefined where it has none. */
export function proofOf(request: HttpRequest, authorizationId: string): string | undefined {
  const start = `${nameOf(authorizationId)}=`
  const pairs = (request.headers.get('cookie') ?? '').split(';').map((pair) => pair.trim())
  return pairs.find((pair) => pair.startsWith(start))?.slice(start.length)
}
