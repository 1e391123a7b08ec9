import { importPKCS8, SignJWT } from 'jose'
import { endpointOf, type Provider } from './provider.ts'
import type { OAuthSecret } from './secret.ts'

/** A registration with a vendor. */
export interface OAuthClient {
  readonly clientId: string
  readonly clientSecret: string
}

/** A request to a token or revocation endpoint, ready to be sent. */
export interface TokenRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Asking {
  readonly provider: Provider
  readonly client: OAuthClient
  /** Of the registered instance. */
  readonly origin: string
}

/**
 * The token request of a stored grant: RFC 6749 §6 (refresh), §4.4.2 (client credentials), RFC 7523 §2.1 (JWT bearer).
 * `now` and `id` go into the assertion.
 */
export async function refreshRequest(
  asking: Asking,
  secret: OAuthSecret,
  { now, id }: { readonly now: Date; readonly id: string },
): Promise<TokenRequest> {
  switch (secret.kind) {
    case 'refresh_token':
      return tokenRequest(asking, {
        grant_type: 'refresh_token',
        refresh_token: secret.refreshToken,
      })
    case 'client_credentials':
      return tokenRequest(asking, { grant_type: 'client_credentials' })
    case 'jwt_bearer':
      return tokenRequest(asking, {
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: await assertionOf(asking, secret, { now, id }),
      })
  }
}

/** RFC 6749 §4.1.3 with RFC 7636 §4.5. */
export function codeRequest(
  asking: Asking,
  given: { readonly code: string; readonly redirectUri: string; readonly verifier: string },
): TokenRequest {
  return tokenRequest(asking, {
    grant_type: 'authorization_code',
    code: given.code,
    redirect_uri: given.redirectUri,
    ...(asking.provider.pkce ? { code_verifier: given.verifier } : {}),
  })
}

/** RFC 7009 §2.1; undefined where the vendor has no such endpoint. */
export function revocationRequest(asking: Asking, token: string): TokenRequest | undefined {
  const { revokeUrl } = asking.provider
  if (revokeUrl === undefined) return undefined
  const request = tokenRequest(asking, { token, token_type_hint: 'refresh_token' })
  return { ...request, url: endpointOf(revokeUrl, asking.origin) }
}

function tokenRequest(
  { provider, client, origin }: Asking,
  grant: Readonly<Record<string, string>>,
): TokenRequest {
  const inBody = provider.clientAuthentication === 'body'
  const fields = {
    ...provider.tokenParameters,
    ...grant,
    ...(inBody ? { client_id: client.clientId, client_secret: client.clientSecret } : {}),
  }
  const json = provider.encoding === 'json'
  return {
    url: endpointOf(provider.tokenUrl, origin),
    headers: {
      // GitHub answers with a form otherwise.
      accept: 'application/json',
      'content-type': json ? 'application/json' : 'application/x-www-form-urlencoded',
      ...(inBody ? {} : { authorization: basic(client) }),
    },
    body: json ? JSON.stringify(fields) : new URLSearchParams(fields).toString(),
  }
}

/** Both parts are form-encoded before they are joined (RFC 6749 §2.3.1). */
function basic({ clientId, clientSecret }: OAuthClient): string {
  const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

/** Salesforce takes five minutes at most, the others no less. */
const ASSERTION_SECONDS = 180

async function assertionOf(
  { provider, client, origin }: Asking,
  secret: Extract<OAuthSecret, { kind: 'jwt_bearer' }>,
  { now, id }: { readonly now: Date; readonly id: string },
): Promise<string> {
  const { algorithm, keyId, privateKey, subject } = secret
  const audience =
    secret.audience ??
    (provider.assertionAudience === 'client_id'
      ? client.clientId
      : new URL(endpointOf(provider.tokenUrl, origin)).origin)
  const issuedAt = Math.floor(now.getTime() / 1_000)
  return new SignJWT({ jti: id })
    .setProtectedHeader({ alg: algorithm, ...(keyId === undefined ? {} : { kid: keyId }) })
    .setIssuer(client.clientId)
    .setSubject(subject)
    .setAudience(audience)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + ASSERTION_SECONDS)
    .sign(await importPKCS8(privateKey, algorithm))
}
