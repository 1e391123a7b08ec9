import type { Json, JsonObject } from '../core/canonical-json.ts'
import { MINUTE_MS } from '../core/time.ts'

/** A vendor's answer, as far as it speaks of quotas. */
export interface Answer {
  readonly status: number
  readonly headers: Pick<Headers, 'get'>
  readonly body?: Json | undefined
}

interface Refused {
  readonly status: number
  /** What else must be true. */
  readonly when: (answer: Answer) => boolean
  /** How long to wait where the answer names no time; else as the limiter learns. */
  readonly pauseMs?: number
}

/** What says "no quota". The first row that fits is believed. */
const refusals: readonly Refused[] = [
  // GitHub, secondary limit: at least a minute where no header says more.
  { status: 403, when: saysSecondary, pauseMs: MINUTE_MS },
  { status: 429, when: saysSecondary, pauseMs: MINUTE_MS },
  { status: 429, when: () => true },
  { status: 420, when: () => true },
  { status: 529, when: () => true },
  { status: 503, when: tellsWhen },
  { status: 504, when: tellsWhen },
  { status: 403, when: tellsWhen },
  { status: 403, when: ({ headers }) => headers.get('x-ratelimit-remaining') === '0' },
  { status: 403, when: hasQuotaCode },
  // Linear, Meta.
  { status: 400, when: hasQuotaCode },
  // Slack.
  {
    status: 200,
    when: ({ body }) => isRecord(body) && body['ok'] === false && hasQuotaCode({ body }),
  },
]
const quotaCodes: ReadonlySet<string> = new Set([
  'REQUEST_LIMIT_EXCEEDED',
  'rateLimitExceeded',
  'userRateLimitExceeded',
  'quotaExceeded',
  'dailyLimitExceeded',
  'RATELIMITED',
  'ratelimited',
  'rate_limited',
])
/** Meta: of an application, an account, a number, and a pair of numbers. */
const metaQuotaCodes: ReadonlySet<number> = new Set([4, 80007, 130429, 131048, 131056, 133016])

function tellsWhen({ headers }: Answer): boolean {
  return headers.get('retry-after') !== null
}

function saysSecondary({ body }: Answer): boolean {
  if (!isRecord(body)) return false
  const { message } = body
  return typeof message === 'string' && /secondary rate limit/i.test(message)
}

function hasQuotaCode({ body }: Pick<Answer, 'body'>): boolean {
  if (errorCodes(body).some((code) => quotaCodes.has(code))) return true
  const error = isRecord(body) ? body['error'] : undefined
  return (
    isRecord(error) &&
    error['type'] === 'OAuthException' &&
    metaQuotaCodes.has(Number(error['code']))
  )
}

function isRecord(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The row that an answer fits that was refused for lack of quota. */
export function refusalOf(answer: Answer): Pick<Refused, 'pauseMs'> | undefined {
  return refusals.find(({ status, when }) => status === answer.status && when(answer))
}

/** Salesforce answers a list of `{ errorCode }`, Google `{ error: { errors: [{ reason }] } }`, others `code` or `error`. */
function errorCodes(body: Json | undefined): string[] {
  const text = body === undefined ? '' : JSON.stringify(body)
  return [...text.matchAll(/"(?:errorCode|reason|code|error)":"([A-Za-z_]{1,60})"/g)].map(
    ([, code = '']) => code,
  )
}
