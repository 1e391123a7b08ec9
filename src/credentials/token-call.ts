import { explain } from '../core/errors.ts'
import { refreshRequest, type Asking, type TokenRequest } from './grant.ts'
import type { CredentialOptions, CredentialPorts, CredentialRequest, TokenCall } from './ports.ts'
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
  readonly call: TokenCall
}

/** What the limits know of a call of `endpoint`. */
export function tokenCallOf(
  endpoint: string | undefined,
  request: Omit<CredentialRequest, 'origin'>,
): TokenCall {
  const { tenantId, integrationId, credentialId, connectionId, isAwaited = false } = request
  return {
    tenantId,
    integrationId,
    connectionId: connectionId ?? credentialId,
    host: endpoint?.startsWith('/') === false ? 'vendor' : 'instance',
    isAwaited,
  }
}

/** Uses the grant of `secret` once, where the limits allow it now. */
export async function askOnce(
  { ports, options, asking, call }: Refreshing,
  secret: OAuthSecret,
  now: Date,
): Promise<GrantOutcome> {
  let request: TokenRequest
  try {
    request = await refreshRequest(asking, secret, { now, id: ports.newId() })
  } catch {
    return { kind: 'operator', reason: 'the private key of the credential cannot be used' }
  }
  const afterMs = await ports.quota.admit(call)
  if (afterMs !== undefined) {
    return { kind: 'limited', reason: 'the limit on calls of its token endpoint', afterMs }
  }
  return callTokenEndpoint(ports, asking, { request, call, timeoutMs: options.timeoutMs })
}

type CallPorts = Pick<CredentialPorts, 'fetch' | 'quota' | 'log'>

interface Posting {
  readonly request: TokenRequest
  /** It was admitted. */
  readonly call: TokenCall
  readonly timeoutMs: number
}

/** One call, to the one place the request names: a redirect is an answer like another. */
export async function callTokenEndpoint(
  ports: CallPorts & Pick<CredentialPorts, 'clock'>,
  { provider }: Asking,
  posting: Posting,
): Promise<GrantOutcome> {
  try {
    return readTokenAnswer(await post(ports, posting), provider, ports.clock())
  } catch (error) {
    return readFailedCall(error)
  }
}

/** Sends the request. Throws what `fetch` throws when no answer came. */
export async function post(
  { fetch, quota, log }: CallPorts,
  { request, call, timeoutMs }: Posting,
): Promise<TokenAnswer> {
  const response = await fetch(request.url, {
    method: request.method,
    headers: request.headers,
    body: request.body,
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  })
  const { status, headers } = response
  const text = await response.text()
  // The answer may hold the only copy of a grant: whatever befalls the limits, it is not lost.
  await quota.learnFrom(call, { status, headers }).catch((error: unknown) => {
    log.warn(`an answer taught nothing: ${explain(error)}`)
  })
  return { status, retryAfter: headers.get('retry-after'), text }
}
