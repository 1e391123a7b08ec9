import type { TokenCredential } from '@azure/identity'
import { AppError } from '../core/errors.ts'

export interface RealtimeOptions {
  /** As the portal shows it: `Endpoint=…;AccessKey=…;Version=1.0;`, or with `AuthType=azure.msi` instead of a key. */
  readonly connectionString: string
  readonly hub: string
  /** Needed when the connection string has no key. */
  readonly credential?: TokenCredential
}

export interface RealtimeEndpoint {
  /** No slash at the end. */
  readonly endpoint: string
  readonly auth: { readonly accessKey: string } | { readonly credential: TokenCredential }
}

/** Longer than any answer takes that still comes. */
const TIMEOUT_MS = 10_000
/** How long a client may wait before it connects with what it was given; then it negotiates again. */
export const CLIENT_TOKEN_MINUTES = 60

/** Throws `settings_invalid` when the connection string names no endpoint, or no way to prove who calls. */
export function readEndpoint({ connectionString, credential }: RealtimeOptions): RealtimeEndpoint {
  const parts = new Map(
    connectionString.split(';').map((part) => {
      const [name = '', ...value] = part.split('=')
      return [name.trim().toLowerCase(), value.join('=').trim()]
    }),
  )
  const [address, port, accessKey] = ['endpoint', 'port', 'accesskey'].map((name) =>
    parts.get(name),
  )
  if (!address || !URL.canParse(address)) throw invalid('has no Endpoint that is a URL')
  const url = new URL(address)
  if (port) url.port = port
  if (accessKey) return { endpoint: url.origin, auth: { accessKey } }
  if (!credential) throw invalid('has no AccessKey, and there is no managed identity')
  return { endpoint: url.origin, auth: { credential } }
}

/** The caller's signal, and an end to waiting in any case. */
export function bounded(signal: AbortSignal | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  return signal ? AbortSignal.any([signal, timeout]) : timeout
}

/** What to do about an answer that is not the one hoped for. */
const remedies: Readonly<Record<number, string>> = {
  401: 'check that the connection string holds a current key of this very service',
  403: 'give the identity the role SignalR REST API Owner or Web PubSub Service Owner',
  404: 'check that the endpoint in the connection string is this kind of service',
  413: 'send less than 1 MB',
  429: 'give the service more units, it is over its quota',
}

/** A failed call as `realtime_unavailable`: which service, what came, what to do. */
export function unavailable(
  service: string,
  { endpoint }: RealtimeEndpoint,
  failure: { readonly status?: number | undefined; readonly cause?: unknown },
): AppError {
  const { status, cause } = failure
  const came = status === undefined ? 'could not be reached' : `answered ${status}`
  const remedy =
    remedies[status ?? 0] ?? 'check that the service is running and reachable, then try again'
  return new AppError('realtime_unavailable', `${service} at ${endpoint} ${came}: ${remedy}`, {
    cause,
  })
}

function invalid(problem: string): AppError {
  return new AppError('settings_invalid', `the realtime connection string ${problem}`)
}
