import type {
  HttpHandler,
  HttpRequest,
  HttpResponseInit,
  InvocationContext,
} from '@azure/functions'
import type { z } from 'zod'
import type { App } from '../app.ts'
import type { Caller } from '../core/caller.ts'
import { AppError, codeOf, explain, rateLimited, type ErrorCode } from '../core/errors.ts'
import type { IncomingCall } from '../rate-limit/incoming.ts'
import { networkOf, withoutPort } from '../rate-limit/source.ts'
import { invocationLog, observe } from './observe.ts'

/** What each code is answered with; 500 where nothing stands. */
const statuses: Partial<Record<ErrorCode, number>> = {
  bad_request: 400,
  blob_unavailable: 503,
  body_too_large: 413,
  conflict: 409,
  connection_not_found: 404,
  credential_not_found: 404,
  delivery_not_found: 404,
  forbidden: 403,
  invalid_signature: 401,
  issuer_unavailable: 503,
  limits_unavailable: 503,
  not_found: 404,
  queue_unavailable: 503,
  rate_limited: 429,
  realtime_unavailable: 503,
  reauth_required: 409,
  registration_not_found: 404,
  session_not_found: 404,
  store_unavailable: 503,
  unauthenticated: 401,
  unknown_vendor: 400,
  vault_unavailable: 503,
  vendor_failed: 502,
  vendor_ignored_filter: 502,
  vendor_unexpected_answer: 502,
}
const RETRY_AFTER_MS = 30_000

/** A function behind HTTP: what its work throws becomes the answer, told once in the log. */
export function httpHandler(
  work: (request: HttpRequest, context: InvocationContext) => Promise<HttpResponseInit>,
): HttpHandler {
  return (request, context) =>
    observe(context, async () => {
      try {
        return await work(request, context)
      } catch (error) {
        return refuse(error, context.invocationId)
      }
    })
}

/** The status that an error code is answered with. */
export function statusOf(code: ErrorCode): number {
  return statuses[code] ?? 500
}

function refuse(error: unknown, correlationId: string): HttpResponseInit {
  const code = codeOf(error)
  const status = statusOf(code)
  const line = { code, status, correlationId }
  if (status >= 500) invocationLog.error(explain(error), line)
  else invocationLog.info(explain(error), line)
  // What nobody expected may hold anything; the caller gets a number to ask with.
  const message = error instanceof AppError && status !== 500 ? error.message : 'Internal error'
  return {
    status,
    jsonBody: { error: message, code, correlationId },
    headers: refusalHeaders(error, status),
  }
}

/** What the caller can do about it: come again later, or bring a token. */
export function refusalHeaders(error: unknown, status: number): Record<string, string> {
  if (status === 503 || status === 429) return { 'retry-after': retryAfter(afterMsOf(error)) }
  return codeOf(error) === 'unauthenticated' ? { 'www-authenticate': 'Bearer' } : {}
}

function afterMsOf(error: unknown): number {
  return (error instanceof AppError ? error.afterMs : undefined) ?? RETRY_AFTER_MS
}

/** `Retry-After` in seconds (RFC 9110 §10.2.3). */
function retryAfter(ms: number): string {
  return String(Math.max(1, Math.ceil(ms / 1_000)))
}

/** The raw bytes of a body. Throws `body_too_large`, before reading when the sender tells the length. */
export async function readBytes(
  request: Pick<HttpRequest, 'headers' | 'body' | 'arrayBuffer'>,
  limit: number,
): Promise<Buffer> {
  const announced = Number(request.headers.get('content-length') ?? 0)
  if (announced > limit) throw tooLarge(limit)
  // No server hands over more than was announced (RFC 9112 §6.3), and reading at once costs less than by chunks.
  if (announced > 0) return atMost(limit, Buffer.from(await request.arrayBuffer()))
  const chunks: Uint8Array[] = []
  let size = 0
  // A body without a length is read no further than the limit.
  for await (const chunk of request.body ?? []) {
    size += chunk.length
    if (size > limit) throw tooLarge(limit)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function atMost(limit: number, bytes: Buffer): Buffer {
  if (bytes.length > limit) throw tooLarge(limit)
  return bytes
}

function tooLarge(limit: number): AppError {
  return new AppError('body_too_large', `the body is larger than ${limit} bytes`)
}

/** Throws `bad_request`. */
export function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new AppError('bad_request', 'the body is not JSON', { cause })
  }
}

/** A JSON body of the given shape. Throws `bad_request` that names every field that does not fit. */
export function parseBody<T>(bytes: Buffer, shape: z.ZodType<T>): T {
  const value = jsonOf(bytes)
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'body'}: ${message}`,
  )
  throw new AppError('bad_request', problems.join('; '))
}

/** Who calls. Throws `unauthenticated`. */
export async function callerOf(
  request: HttpRequest,
  verify: (token: string) => Promise<Caller>,
): Promise<Caller> {
  return verify(bearerOf(request))
}

/** The bearer token (RFC 6750 §2.1). Throws `unauthenticated` where there is none. */
export function bearerOf(request: HttpRequest): string {
  const [scheme, token, ...rest] = (request.headers.get('authorization') ?? '').split(' ')
  if (scheme?.toLowerCase() !== 'bearer' || !token || rest.length > 0) {
    throw new AppError('unauthenticated', 'a bearer token is required')
  }
  return token
}

/**
 * The sender's address as the front end saw it: the last entry, which no client can write, or one further to the left for
 * each trusted proxy in front of the front end.
 */
export function sourceIpOf(request: HttpRequest, trustedProxyHops: number): string | null {
  const entries = request.headers.get('x-forwarded-for')?.split(',') ?? []
  const entry = entries.at(-1 - trustedProxyHops) ?? entries[0]
  return entry === undefined || entry.trim() === '' ? null : withoutPort(entry.trim())
}

/** Throws `rate_limited` for a caller who is over a limit. */
export async function admitted({ admit }: Pick<App, 'admit'>, call: IncomingCall): Promise<void> {
  const source = call.source ? networkOf(call.source) : null
  const decision = await admit({ ...call, source })
  if (decision.kind !== 'allowed') throw rateLimited(decision.waitMs)
}

/** An operator, or a person who connects something, within the limits of both. Throws `unauthenticated`, `rate_limited`. */
export async function admittedCaller(
  app: Pick<App, 'admit' | 'settings' | 'verifyBearer'>,
  request: HttpRequest,
): Promise<Caller> {
  const source = sourceIpOf(request, app.settings.limits.trustedProxyHops)
  await admitted(app, { endpoint: 'management', source })
  const caller = await callerOf(request, app.verifyBearer)
  const { tenantId, userId } = caller
  await admitted(app, { endpoint: 'management', tenantId, userId })
  return caller
}

/** The answer to a caller who is over a limit (RFC 6585 §4); undefined when there is room for the call. */
export async function refusalOf(
  { admit }: Pick<App, 'admit'>,
  call: IncomingCall,
  { invocationId: correlationId }: InvocationContext,
): Promise<HttpResponseInit | undefined> {
  const source = call.source ? networkOf(call.source) : null
  const decision = await admit({ ...call, source })
  if (decision.kind === 'allowed') return undefined
  const { level, waitMs } = decision
  invocationLog.info('too many requests', { endpoint: call.endpoint, level, correlationId })
  return {
    status: 429,
    headers: { 'retry-after': retryAfter(waitMs) },
    jsonBody: { error: 'Too many requests', code: 'rate_limited', correlationId },
  }
}
