import { createHash, createHmac } from 'node:crypto'
import { endpointOf, type Provider } from './provider.ts'

/** Whose grant is being asked for. */
export interface Purpose {
  readonly tenantId: string
  readonly connectionId: string
  readonly credentialId: string
  readonly integrationId: string
  readonly origin: string
  /** Where it is for a person's phone. */
  readonly device?: { readonly userSysId: string; readonly sessionId: string | null }
}

/** An authorization that was begun. Its id is a hash of the state: who reads the store cannot end it. */
export interface Authorization {
  readonly id: string
  readonly tenantId: typeof AUTHORIZATIONS
  readonly kind: 'authorization'
  readonly purpose: Purpose
  /** Hash of what only the one who began it holds: a browser's cookie, a phone's session token. */
  readonly binding: string
  /** The person who asked. */
  readonly startedBy: string
  readonly redirectUri: string
  /** Version of the key from which the code verifier follows. */
  readonly keyVersion: string
  readonly expiresAt: string
  readonly used: boolean
  readonly ttl: number
}

/** The callback knows a state and no tenant: all authorizations lie in one place. */
export const AUTHORIZATIONS = '_authorizations'

export function authorizationId(state: string): string {
  return `authorization-${createHash('sha256').update(state).digest('hex')}`
}

/** What the store keeps of a proof; compared as it is, since nobody can choose a hash letter by letter. */
export function bindingOf(proof: string): string {
  return createHash('sha256').update(proof).digest('hex')
}

/** RFC 7636 §4.1: 43 characters that only the holder of the key can tell from the state. */
export function codeVerifier(key: string, state: string): string {
  return createHmac('sha256', key).update(`pkce:${state}`).digest('base64url')
}

/** RFC 7636 §4.2, S256. */
function codeChallenge(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url')
}

export interface AuthorizationRequest {
  readonly provider: Provider
  readonly clientId: string
  readonly origin: string
  readonly redirectUri: string
  readonly state: string
  readonly verifier: string
}

/** Where the person's browser goes (RFC 6749 §4.1.1); undefined for a vendor without such a page. */
export function authorizationUrl(request: AuthorizationRequest): string | undefined {
  const { provider, clientId, origin, redirectUri, state, verifier } = request
  if (provider.authorizeUrl === undefined) return undefined
  const url = new URL(endpointOf(provider.authorizeUrl, origin))
  const parameters = {
    ...provider.authorizeParameters,
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    state,
    ...(provider.scopes.length > 0 ? { scope: provider.scopes.join(provider.scopeSeparator) } : {}),
    ...(provider.pkce
      ? { code_challenge: codeChallenge(verifier), code_challenge_method: 'S256' }
      : {}),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url.href
}
