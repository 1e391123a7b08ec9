import type { Json } from '../core/canonical-json.ts'
import { explain } from '../core/errors.ts'
import type { VendorProblem } from './connector.ts'

export interface VendorCall {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  /** Path on the instance, with a slash in front. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
}

export interface ReceivedAnswer {
  readonly kind: 'answer'
  readonly status: number
  readonly headers: Headers
  /** Undefined when the answer is not JSON. */
  readonly body: Json | undefined
}

export type VendorAnswer = ReceivedAnswer | VendorProblem

/** How a call proves who we are. */
export type Authorization =
  | { readonly kind: 'authorized'; readonly headers: Readonly<Record<string, string>> }
  | VendorProblem

export interface VendorClient {
  call(call: VendorCall, signal: AbortSignal): Promise<VendorAnswer>
  readonly now: () => Date
}

export interface VendorClientOptions {
  /** The origin of a registered connection: every call goes there. */
  readonly origin: string
  /** `refused` is the authorization that the vendor has just not accepted. */
  readonly authorize: (refused: Authorization | undefined) => Promise<Authorization>
  readonly quota: Quota
  readonly fetch: typeof globalThis.fetch
  readonly now: () => Date
}

/** The limits on calls to this vendor. */
export interface Quota {
  /** Asked before every call: undefined when it may go. */
  readonly admit: (call: VendorCall) => Promise<VendorProblem | undefined>
  /** Told of every answer, for what it says of limits. */
  readonly learnFrom: (call: VendorCall, answer: ReceivedAnswer) => Promise<void>
}

const TIMEOUT_MS = 30_000
const UNAUTHORIZED = 401

/**
 * Calls one instance of a vendor: its own host only, redirects not followed, no cookies (ServiceNow runs calls that share a
 * session one by one and drops the rest). A 401 is answered by one new authorization and one more try.
 */
export function vendorClient(options: VendorClientOptions): VendorClient {
  return {
    now: options.now,
    call: async (call, signal) => {
      const authorization = await options.authorize(undefined)
      const answer = await callOnce(options, { call, authorization, signal })
      if (answer.kind !== 'answer' || answer.status !== UNAUTHORIZED) return answer
      const renewed = await options.authorize(authorization)
      return callOnce(options, { call, authorization: renewed, signal })
    },
  }
}

interface Attempt {
  readonly call: VendorCall
  readonly authorization: Authorization
  readonly signal: AbortSignal
}

async function callOnce(
  options: VendorClientOptions,
  { call, authorization, signal }: Attempt,
): Promise<VendorAnswer> {
  const { origin } = options
  if (authorization.kind !== 'authorized') return authorization
  const url = new URL(call.path, origin)
  for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value)
  if (url.origin !== origin) {
    return {
      kind: 'refused',
      code: 'vendor_failed',
      reason: 'the call leads away from the instance',
    }
  }
  const problem = await options.quota.admit(call)
  if (problem) return problem
  const answer = await send(options.fetch, url, {
    method: call.method,
    headers: { accept: 'application/json', ...authorization.headers },
    redirect: 'manual',
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  })
  if (answer.kind === 'answer') await options.quota.learnFrom(call, answer)
  return answer
}

async function send(
  fetch: typeof globalThis.fetch,
  url: URL,
  request: RequestInit,
): Promise<VendorAnswer> {
  try {
    const response = await fetch(url, request)
    const body = await readJson(response)
    return { kind: 'answer', status: response.status, headers: response.headers, body }
  } catch (error) {
    return { kind: 'retry', reason: `it could not be reached: ${explain(error)}` }
  }
}

async function readJson(response: Response): Promise<Json | undefined> {
  const text = await response.text()
  if (!/\bjson\b/i.test(response.headers.get('content-type') ?? '')) return undefined
  try {
    return JSON.parse(text) as Json // JSON text holds nothing else
  } catch {
    return undefined
  }
}
