import { MINUTE_MS, SECOND_MS } from '../core/time.ts'
import type { Provider } from './provider.ts'

export interface Token {
  readonly accessToken: string
  readonly lifetimeSeconds: number
  /** Present when the provider sent one, the old one or another. */
  readonly refreshToken?: string
  /** Where the token is good (Salesforce): whoever calls there decides whether that may be. */
  readonly instanceUrl?: string
}

/** What a token endpoint's answer means for the grant and for the next try. */
export type GrantOutcome =
  | { readonly kind: 'token'; readonly token: Token }
  /** The grant is dead: a person must connect again. */
  | { readonly kind: 'dead'; readonly reason: string }
  /** Our registration is wrong, or our request is: an operator must act, the person need not. */
  | { readonly kind: 'operator'; readonly reason: string }
  | { readonly kind: 'throttled'; readonly reason: string; readonly afterMs: number }
  /** Our own limits did not let the call go. */
  | { readonly kind: 'limited'; readonly reason: string; readonly afterMs: number }
  /** The provider did not do it. */
  | { readonly kind: 'unavailable'; readonly reason: string }
  /** Nobody knows whether the provider did it. */
  | { readonly kind: 'unknown'; readonly reason: string }

export interface TokenAnswer {
  readonly status: number
  readonly retryAfter: string | null
  readonly text: string
}

type Meaning = 'dead' | 'operator' | 'throttled' | 'unavailable'

/** Error words (RFC 6749 §5.2 and vendors' own) and what they mean whatever the status. */
const meanings: Readonly<Record<string, Meaning>> = {
  invalid_grant: 'dead',
  invalid_client: 'operator',
  invalid_client_id: 'operator',
  bad_client_id: 'operator',
  incorrect_client_credentials: 'operator',
  bad_client_secret: 'operator',
  unauthorized_client: 'operator',
  unsupported_grant_type: 'operator',
  invalid_request: 'operator',
  invalid_scope: 'operator',
  token_rotation_not_enabled: 'operator',
  rate_limit_exceeded: 'throttled',
  ratelimited: 'throttled',
  too_many_requests: 'throttled',
  slow_down: 'throttled',
  temporarily_unavailable: 'unavailable',
  server_error: 'unavailable',
  internal_error: 'unavailable',
}

/** Reads a token endpoint's answer (RFC 6749 §5), by its body first: vendors answer errors with 200, or pages for people. */
export function readTokenAnswer(answer: TokenAnswer, provider: Provider, now: Date): GrantOutcome {
  const { status } = answer
  const body = bodyOf(answer.text)
  const token = status < 300 && body ? tokenOf(body, provider) : undefined
  if (token) return { kind: 'token', token }
  const error = body && errorOf(body)
  const reason = `the token endpoint answered ${status} ${error ?? (body ? 'without an error code' : 'without JSON')}`
  if (status === 429 || (error !== undefined && meanings[error] === 'throttled')) {
    return { kind: 'throttled', reason, afterMs: waitMs(answer.retryAfter, now) }
  }
  const isDead = provider.dead?.some(
    (word) => word.error === error && (word.status ?? status) === status,
  )
  if (isDead) return { kind: 'dead', reason }
  const meaning = error === undefined ? undefined : meanings[error]
  if (meaning && meaning !== 'throttled') return { kind: meaning, reason }
  // A gateway that gave up waiting says nothing of what happened behind it; half an answer says that it did happen.
  const isHalf = status < 300 && body === undefined && answer.text.trimStart().startsWith('{')
  if (status === 504 || isHalf) return { kind: 'unknown', reason }
  const refuses = status >= 400 && status < 500 && status !== 408 && body !== undefined
  return { kind: refuses ? 'operator' : 'unavailable', reason }
}

type Body = Readonly<Record<string, unknown>>

/** JSON, or a form as GitHub sends it; undefined for anything else. */
function bodyOf(text: string): Body | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return /^(access_token|error)=/.test(text)
      ? Object.fromEntries(new URLSearchParams(text))
      : undefined
  }
}

function tokenOf(body: Body, provider: Provider): Token | undefined {
  if (body['ok'] === false) return undefined
  // Slack nests the person's token, and only that one may be there.
  const nested = body['authed_user']
  const from = textOf(body['access_token']) === undefined && isObject(nested) ? nested : body
  const accessToken = textOf(from['access_token'])
  if (accessToken === undefined) return undefined
  const instanceUrl = textOf(from['instance_url'])
  const refreshToken = textOf(from['refresh_token'])
  return {
    accessToken,
    lifetimeSeconds: lifetimeOf(from['expires_in'], provider.lifetimeSeconds),
    ...(refreshToken === undefined ? {} : { refreshToken }),
    ...(instanceUrl === undefined ? {} : { instanceUrl }),
  }
}

const LONGEST_SECONDS = 366 * 24 * 3_600
const SHORTEST_SECONDS = 30

/** Seconds as a number or a text; more than a year means milliseconds. */
function lifetimeOf(value: unknown, fallback: number): number {
  const given = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof given !== 'number' || !Number.isFinite(given) || given <= 0) return fallback
  const seconds = given > LONGEST_SECONDS ? given / 1_000 : given
  return Math.min(LONGEST_SECONDS, Math.max(SHORTEST_SECONDS, Math.floor(seconds)))
}

/**
 * The standard's `error`, an object's type or code in its place, or HubSpot's `status`. Words only: a server that sends our
 * token back must not bring it into a log.
 */
function errorOf(body: Body): string | undefined {
  const { error, status } = body
  const code = isObject(error) ? (error['code'] ?? error['type']) : (error ?? status)
  return typeof code === 'string' &&
    /^[A-Za-z]+(?:[_-][A-Za-z]+){0,6}$/.test(code) &&
    code.length <= 40
    ? code
    : undefined
}

const LEAST_WAIT_MS = 60 * SECOND_MS
const LONGEST_WAIT_MS = 60 * MINUTE_MS

/** A minute, or longer where the provider says so: seconds or an HTTP date (RFC 9110 §10.2.3). */
function waitMs(header: string | null, now: Date): number {
  if (header === null || header.trim() === '') return LEAST_WAIT_MS
  const seconds = Number(header)
  const ms = Number.isNaN(seconds) ? Date.parse(header) - now.getTime() : seconds * SECOND_MS
  return Number.isNaN(ms) ? LEAST_WAIT_MS : Math.min(LONGEST_WAIT_MS, Math.max(LEAST_WAIT_MS, ms))
}

/** What befell the connection before anything was sent. */
const neverSent: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** A call that brought no answer. Its text may hold anything, so only the code is told. */
export function readFailedCall(error: unknown): GrantOutcome {
  const code = codeOf(error) ?? 'no answer'
  const reason = `the token endpoint could not be reached: ${code}`
  return { kind: neverSent.has(code) ? 'unavailable' : 'unknown', reason }
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('code' in error && typeof error.code === 'string') return error.code
  return codeOf(error.cause) ?? (error.name === 'TimeoutError' ? 'timeout' : undefined)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function isObject(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
