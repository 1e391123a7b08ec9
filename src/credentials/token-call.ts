import { refreshRequest, type Asking, type TokenRequest } from './grant.ts'
import type { CredentialOptions, CredentialPorts } from './ports.ts'
import type { OAuthSecret } from './secret.ts'
import {
  readFailedCall,
  readTokenAnswer,
  type GrantOutcome,
  type TokenAnswer,
} from './token-answer.ts'

/** What every step of one refresh needs. */
export interface Refreshing {
  readonly ports: CredentialPorts
  readonly options: CredentialOptions
  readonly asking: Asking
}

/** Uses the grant of `secret` once. */
export async function askOnce(
  { ports, options, asking }: Refreshing,
  secret: OAuthSecret,
  now: Date,
): Promise<GrantOutcome> {
  let request: TokenRequest
  try {
    request = await refreshRequest(asking, secret, { now, id: ports.newId() })
  } catch {
    return { kind: 'operator', reason: 'the private key of the credential cannot be used' }
  }
  return callTokenEndpoint(ports, asking, { request, timeoutMs: options.timeoutMs })
}

/** One call, to the one place the request names: a redirect is an answer like another. */
export async function callTokenEndpoint(
  { fetch, clock }: Pick<CredentialPorts, 'fetch' | 'clock'>,
  { provider }: Asking,
  { request, timeoutMs }: { readonly request: TokenRequest; readonly timeoutMs: number },
): Promise<GrantOutcome> {
  try {
    return readTokenAnswer(await post({ fetch }, request, timeoutMs), provider, clock())
  } catch (error) {
    return readFailedCall(error)
  }
}

/** Sends the request. Throws what `fetch` throws when no answer came. */
export async function post(
  { fetch }: Pick<CredentialPorts, 'fetch'>,
  { url, method, headers, body }: TokenRequest,
  timeoutMs: number,
): Promise<TokenAnswer> {
  const response = await fetch(url, {
    method,
    headers,
    body,
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  })
  const retryAfter = response.headers.get('retry-after')
  return { status: response.status, retryAfter, text: await response.text() }
}
