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

/** How a vendor deviates from RFC 6749, as data. */
export interface Provider {
  readonly integrationId: string
  /** Each a path on the connection's own instance, or a URL where the vendor has one place for everybody. */
  readonly authorizeUrl?: string
  readonly tokenUrl: string
  readonly revokeUrl?: string
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
  /** `aud` of a JWT bearer assertion (RFC 7523 §3): the client id, or the token endpoint's origin. */
  readonly assertionAudience?: 'client_id' | 'origin'
  /** Words for a dead grant beyond the common ones; a status where the word means it only with that status. */
  readonly dead?: readonly { readonly error: string; readonly status?: number }[]
}

/** Where one of the provider's endpoints is, for a connection to `origin`. */
export function endpointOf(endpoint: string, origin: string): string {
  return endpoint.startsWith('/') ? `${origin}${endpoint}` : endpoint
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
