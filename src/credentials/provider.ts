import { MINUTE_MS } from '../core/time.ts'
import type { OAuthSecret } from './secret.ts'

/** What becomes of a refresh token that was used. */
export type Rotation =
  /** It stays; using it again is always safe. */
  | { readonly kind: 'none' }
  /** It is dead at once; using it again may revoke everything that came of it. */
  | { readonly kind: 'single_use' }
  /** An administrator of the vendor's side decides; the last answer tells. */
  | { readonly kind: 'optional' }
  /** It may be used again for so long, in case an answer was lost. */
  | { readonly kind: 'reuse_window'; readonly windowMs: number }

/** How a vendor is told that a grant has ended: as RFC 7009 §2.1 says, where nothing else stands. */
export interface Revocation {
  /** May hold `{client_id}` and `{token}`. */
  readonly url: string
  readonly method?: 'DELETE'
  /** It takes a live access token, and ends everything that came of the same consent. */
  readonly token?: 'access'
  /** In the body, `token` otherwise; null where the body holds none. */
  readonly field?: 'access_token' | null
  /** Who asks: the token itself, or the client in a header; as at the token endpoint otherwise. */
  readonly proof?: 'bearer' | 'basic' | 'none'
  readonly encoding?: 'json'
  readonly headers?: Readonly<Record<string, string>>
}

/** How a vendor deviates from RFC 6749, as data. */
export interface Provider {
  readonly integrationId: string
  /** Each a path on the connection's own instance, or a URL where the vendor has one place for everybody. */
  readonly authorizeUrl?: string
  /** Its name in answers (RFC 9207), where it is not simply at the origin of `authorizeUrl`. */
  readonly issuer?: string
  readonly tokenUrl: string
  readonly revocation?: Revocation
  /** Of a vendor whose customers have hosts of their own: to these, and to no other, our own client is shown. */
  readonly domains?: readonly string[]
  readonly rotation: Rotation
  /** Whether a refresh ends the access tokens issued before. */
  readonly killsOldAccess: boolean
  /** RFC 6749 §2.3.1. */
  readonly clientAuthentication: 'body' | 'basic'
  readonly encoding: 'form' | 'json'
  /** How long a token is good where the answer does not say (RFC 6749 §5.1 only recommends it). */
  readonly lifetimeSeconds: number
  readonly pkce: boolean
  readonly scopes: readonly string[]
  readonly scopeSeparator: ' ' | ','
  readonly authorizeParameters?: Readonly<Record<string, string>>
  readonly tokenParameters?: Readonly<Record<string, string>>
  /** `aud` of a JWT bearer assertion (RFC 7523 §3); the token endpoint's origin where nothing stands. */
  readonly assertionAudience?: 'client_id' | 'token_url'
  /** Words for a dead grant beyond the common ones; a status where the word means it only with that status. */
  readonly dead?: readonly { readonly error: string; readonly status?: number }[]
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

/**
 * Where one of the provider's endpoints is, for a connection to `origin`. A vendor that is played on this very machine
 * plays its place for everybody, too: no token of it goes to the real one.
 */
export function endpointOf(endpoint: string, origin: string): string {
  if (endpoint.startsWith('/')) return `${origin}${endpoint}`
  return LOOPBACK.has(new URL(origin).hostname)
    ? `${origin}${new URL(endpoint).pathname}`
    : endpoint
}

/**
 * Whether our own registration with the vendor may be shown to an instance: a tenant can register any host, and whoever
 * owns that would read our client secret. Other hosts need a client of the tenant's own.
 */
export function mayShowOurClient({ domains, tokenUrl }: Provider, origin: string): boolean {
  if (!tokenUrl.startsWith('/')) return true
  const { hostname, protocol } = new URL(origin)
  if (LOOPBACK.has(hostname)) return true
  return protocol === 'https:' && (domains ?? []).some((domain) => hostname.endsWith(`.${domain}`))
}

/**
 * Whether an answer that names its issuer came from the server that was asked (RFC 9207 §2.4). Where the vendor's exact name
 * is not known, as with one for each of its tenants, the origin has to be the one that the browser was sent to.
 */
export function isIssuedBy({ issuer, authorizeUrl }: Provider, origin: string, named: string) {
  if (issuer !== undefined) return named === issuer
  if (authorizeUrl === undefined || !URL.canParse(named)) return false
  return new URL(named).origin === new URL(endpointOf(authorizeUrl, origin)).origin
}

/** Clocks and networks: a token is not used again in the last minute of its window. */
const WINDOW_MARGIN_MS = MINUTE_MS

/** Whether the grant may be used once more at `now`, after a use at `since` whose end nobody knows. */
export function mayReplay(
  { rotation }: Provider,
  secret: OAuthSecret,
  { since, now }: { readonly since: Date; readonly now: Date },
): boolean {
  if (secret.kind !== 'refresh_token') return true
  switch (rotation.kind) {
    case 'none':
      return true
    case 'single_use':
      return false
    case 'optional':
      return secret.rotates === false
    case 'reuse_window':
      return now.getTime() - since.getTime() < rotation.windowMs - WINDOW_MARGIN_MS
  }
}
