import { importPKCS8, SignJWT } from 'jose'
import type { CredentialPorts, CredentialRequest } from './ports.ts'
import { endpointOf, mayShowOurClient, type Provider } from './provider.ts'
import type { OAuthSecret, RefreshSecret } from './secret.ts'

/** A registration with a vendor. */
export interface OAuthClient {
  readonly clientId: string
  readonly clientSecret: string
}

/** A request to a token or revocation endpoint, ready to be sent. */
export interface TokenRequest {
  readonly url: string
  readonly method: 'POST' | 'DELETE'
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

/**
 * Tells the vendor that a grant has ended (RFC 7009 §2.1, or the vendor's own way); undefined where the vendor has no such
 * endpoint, or takes an access token and there is none.
 */
export function revocationRequest(
  { provider, client, origin }: Asking,
  { refreshToken, accessToken }: Pick<RefreshSecret, 'refreshToken' | 'accessToken'>,
): TokenRequest | undefined {
  const { revocation } = provider
  const token = revocation?.token === 'access' ? accessToken : refreshToken
  if (!revocation || token === undefined) return undefined
  const { field = 'token', method, headers } = revocation
  const proof = revocation.proof ?? provider.clientAuthentication
  const json = (revocation.encoding ?? provider.encoding) === 'json'
  const fields = {
    ...(field === null ? {} : { [field]: token }),
    ...(field === 'token' && !revocation.token ? { token_type_hint: 'refresh_token' } : {}),
    ...(proof === 'body' ? { client_id: client.clientId, client_secret: client.clientSecret } : {}),
  }
  const url = endpointOf(revocation.url, origin)
    .replace('{client_id}', encodeURIComponent(client.clientId))
    .replace('{token}', encodeURIComponent(token))
  return {
    url,
    method: method ?? 'POST',
    headers: {
      accept: 'application/json',
      'content-type': json ? 'application/json' : 'application/x-www-form-urlencoded',
      ...(proof === 'basic' ? { authorization: basic(client) } : {}),
      ...(proof === 'bearer' ? { authorization: `Bearer ${token}` } : {}),
      ...headers,
    },
    body: json ? JSON.stringify(fields) : new URLSearchParams(fields).toString(),
  }
}

/** How the provider is asked; undefined where neither the secret nor the settings hold a client that may be shown there. */
export function askingFor(
  ports: Pick<CredentialPorts, 'providerOf' | 'clientOf'>,
  { integrationId, origin }: Pick<CredentialRequest, 'integrationId' | 'origin'>,
  secret: Pick<OAuthSecret, 'clientId' | 'clientSecret'>,
): Asking | undefined {
  const provider = ports.providerOf(integrationId)
  if (!provider) return undefined
  const ours = mayShowOurClient(provider, origin) ? ports.clientOf(integrationId) : undefined
  const clientId = secret.clientId ?? ours?.clientId
  const clientSecret = secret.clientSecret ?? (secret.clientId ? undefined : ours?.clientSecret)
  if (clientId === undefined || clientSecret === undefined) return undefined
  return { provider, origin, client: { clientId, clientSecret } }
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
    method: 'POST',
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
  const tokenUrl = endpointOf(provider.tokenUrl, origin)
  const audiences = { client_id: client.clientId, token_url: tokenUrl }
  const rule = provider.assertionAudience
  const audience = secret.audience ?? (rule ? audiences[rule] : new URL(tokenUrl).origin)
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
