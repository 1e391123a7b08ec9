import type { Json } from '../core/canonical-json.ts'
import type { VendorProblem } from './connector.ts'
import { instanceOf } from './instance.ts'
import { readFailure } from './failure.ts'

export interface VendorCall {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  /** Path on the instance, with a slash in front; it may hold a query of its own. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: { readonly json: Json } | { readonly form: Readonly<Record<string, string>> }
}

/** What a vendor answered, whatever it was. */
export interface RawAnswer {
  readonly kind: 'answer'
  readonly status: number
  readonly headers: Headers
  /** Undefined when the answer is not JSON. */
  readonly body: Json | undefined
  readonly text: string
}

export type VendorAnswer =
  | RawAnswer
  /** It may have been done; the answer was lost. Never of a GET. */
  | { readonly kind: 'lost'; readonly reason: string }
  | VendorProblem

/** How a call proves who we are. */
export type Authorization =
  | {
      readonly kind: 'authorized'
      readonly headers: Readonly<Record<string, string>>
      /** The instance that the token is for, where its answer named one. */
      readonly instanceUrl?: string
    }
  | VendorProblem

export interface VendorClient {
  call(call: VendorCall, signal: AbortSignal): Promise<VendorAnswer>
  readonly now: () => Date
}

export interface VendorClientOptions {
  /** The origin of a registered connection: every call goes there, or where `instanceDomains` lets its token lead. */
  readonly origin: string
  readonly instanceDomains?: readonly string[] | undefined
  readonly finalRefusal?: RegExp | undefined
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
  readonly learnFrom: (call: VendorCall, answer: RawAnswer) => Promise<void>
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
      if (options.finalRefusal?.test(answer.text)) return answer
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
  if (authorization.kind !== 'authorized') return authorization
  const { instanceDomains = [], quota } = options
  const origin = instanceOf(options.origin, authorization.instanceUrl, instanceDomains)
  if (origin === undefined) return refused("its token names an instance that is not the vendor's")
  const url = new URL(call.path, origin)
  for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value)
  if (url.origin !== origin) return refused('the call leads away from the instance')
  const problem = await quota.admit(call)
  if (problem) return problem
  const answer = await send(options.fetch, url, {
    method: call.method,
    headers: {
      accept: 'application/json',
      ...call.headers,
      ...(call.body && 'json' in call.body ? { 'content-type': 'application/json' } : {}),
      ...authorization.headers,
    },
    ...(call.body === undefined ? {} : { body: bodyOf(call.body) }),
    redirect: 'manual',
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  })
  if (answer.kind === 'answer') await quota.learnFrom(call, answer)
  return answer
}

async function send(
  fetch: typeof globalThis.fetch,
  url: URL,
  request: RequestInit & { readonly method: string },
): Promise<VendorAnswer> {
  try {
    const response = await fetch(url, request)
    const text = await response.text()
    const { status, headers } = response
    return { kind: 'answer', status, headers, text, body: jsonOf(headers, text) }
  } catch (error) {
    return readFailure(request.method, error)
  }
}

/** fetch itself names the type of a form (application/x-www-form-urlencoded). */
function bodyOf(body: NonNullable<VendorCall['body']>): string | URLSearchParams {
  return 'json' in body ? JSON.stringify(body.json) : new URLSearchParams(body.form)
}

function refused(reason: string): VendorProblem {
  return { kind: 'refused', code: 'vendor_failed', reason }
}

function jsonOf(headers: Headers, text: string): Json | undefined {
  if (!/\bjson\b/i.test(headers.get('content-type') ?? '')) return undefined
  try {
    return JSON.parse(text) as Json // JSON text holds nothing else
  } catch {
    return undefined
  }
}
