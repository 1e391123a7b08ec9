import type { Secret } from './secret.ts'

export interface OAuthClient {
  readonly clientId: string
  readonly clientSecret: string
}

export type OAuthSecret = Extract<Secret, { kind: 'refresh_token' | 'client_credentials' }>

/** The form of a token request (RFC 6749 §4.4.2, §6) with the client in the body (§2.3.1). */
export function tokenForm(secret: OAuthSecret, client: OAuthClient): URLSearchParams {
  return new URLSearchParams({
    grant_type: secret.kind,
    ...(secret.kind === 'refresh_token' ? { refresh_token: secret.refreshToken } : {}),
    client_id: secret.clientId ?? client.clientId,
    client_secret: secret.clientSecret ?? client.clientSecret,
  })
}

export interface Token {
  readonly accessToken: string
  readonly expiresAt: Date
  /** Present when the provider rotated it. */
  readonly refreshToken?: string
}

export type GrantOutcome =
  | { readonly kind: 'token'; readonly token: Token }
  /** The grant is dead: a person must connect again. */
  | { readonly kind: 'reauth'; readonly reason: string }
  /** The provider, the network or the client's registration: nothing is known of the grant. */
  | { readonly kind: 'retry'; readonly reason: string }

/** Where a provider names no lifetime (RFC 6749 §5.1 only recommends it). */
const DEFAULT_LIFETIME_SECONDS = 1_800

/** Reads a token endpoint's answer (RFC 6749 §5). `body` is undefined when it is not a JSON object. */
export function readGrant(
  status: number,
  body: Readonly<Record<string, unknown>> | undefined,
  now: Date,
): GrantOutcome {
  if (body === undefined)
    return { kind: 'retry', reason: `the token endpoint answered ${status} without JSON` }
  const { access_token: accessToken, expires_in: lifetime, refresh_token: refreshToken } = body
  if (status === 200 && typeof accessToken === 'string' && accessToken !== '') {
    const seconds = Number(lifetime ?? DEFAULT_LIFETIME_SECONDS) || DEFAULT_LIFETIME_SECONDS
    const token = { accessToken, expiresAt: new Date(now.getTime() + seconds * 1_000) }
    return {
      kind: 'token',
      token:
        typeof refreshToken === 'string' && refreshToken !== ''
          ? { ...token, refreshToken }
          : token,
    }
  }
  const code = typeof body['error'] === 'string' ? body['error'] : 'no error code'
  const reason = `the token endpoint answered ${status} ${code}`
  // ServiceNow says `server_error` with 401 for a dead refresh token as for a wrong secret.
  const dead = code === 'invalid_grant' || (status === 401 && code !== 'invalid_client')
  return dead ? { kind: 'reauth', reason } : { kind: 'retry', reason }
}
