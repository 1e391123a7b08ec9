import { retryAfterMs, withinReason } from '../core/retry-after.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../core/time.ts'
import type { Lesson } from './learned.ts'
import { refusalOf, type Answer } from './refusals.ts'

/** What an answer says of the quota behind it. */
export interface Hint {
  /** The call was refused for lack of quota. */
  readonly refused: boolean
  readonly pauseUntil?: Date
  readonly limit?: number
  readonly remaining?: number
  readonly resetAt?: Date
  /** How long the limit is for. */
  readonly windowMs?: number
  readonly day?: { readonly used: number; readonly limit: number }
}

type Unit = 'seconds' | 'milliseconds' | 'epoch seconds' | 'epoch milliseconds' | 'ISO 8601'

/** A family of headers. One whose `limit`, `remaining` or `reset` is there speaks. */
interface Dialect {
  readonly name: string
  readonly limit?: string
  readonly remaining?: string
  readonly reset?: string
  /** How the reset is written; by its size where a vendor is not to be trusted with it. */
  readonly unit?: Unit
  readonly windowMs?: number
  /** Only there where this header is as well. */
  readonly marker?: string
}

/** The first row that speaks is believed. */
const dialects: readonly Dialect[] = [
  {
    name: 'ServiceNow',
    marker: 'x-ratelimit-rule',
    limit: 'x-ratelimit-limit',
    reset: 'x-ratelimit-reset',
    unit: 'epoch seconds',
    windowMs: HOUR_MS,
  },
  {
    name: 'GitHub',
    marker: 'x-ratelimit-used',
    limit: 'x-ratelimit-limit',
    remaining: 'x-ratelimit-remaining',
    reset: 'x-ratelimit-reset',
    unit: 'epoch seconds',
    windowMs: HOUR_MS,
  },
  {
    name: 'Freshservice',
    marker: 'x-ratelimit-used-currentrequest',
    limit: 'x-ratelimit-total',
    remaining: 'x-ratelimit-remaining',
    windowMs: MINUTE_MS,
  },
  {
    name: 'HubSpot',
    marker: 'x-hubspot-ratelimit-interval-milliseconds',
    limit: 'x-hubspot-ratelimit-max',
    remaining: 'x-hubspot-ratelimit-remaining',
    reset: 'x-hubspot-ratelimit-interval-milliseconds',
    unit: 'milliseconds',
  },
  {
    name: 'RateLimit fields (IETF drafts up to 07), Zendesk',
    limit: 'ratelimit-limit',
    remaining: 'ratelimit-remaining',
    reset: 'ratelimit-reset',
    unit: 'seconds',
  },
  {
    name: 'Linear',
    marker: 'x-ratelimit-requests-limit',
    limit: 'x-ratelimit-requests-limit',
    remaining: 'x-ratelimit-requests-remaining',
    reset: 'x-ratelimit-requests-reset',
    unit: 'epoch milliseconds',
    windowMs: HOUR_MS,
  },
  {
    name: 'Jira',
    marker: 'x-ratelimit-nearlimit',
    limit: 'x-ratelimit-limit',
    remaining: 'x-ratelimit-remaining',
    reset: 'x-ratelimit-reset',
    unit: 'ISO 8601',
  },
  {
    name: 'Zendesk, older',
    limit: 'x-rate-limit',
    remaining: 'x-rate-limit-remaining',
    windowMs: MINUTE_MS,
  },
  {
    name: 'everybody else',
    limit: 'x-ratelimit-limit',
    remaining: 'x-ratelimit-remaining',
    reset: 'x-ratelimit-reset',
  },
]

/** Fields that hold everything: `limit=100, remaining=50, reset=30`, `"default";r=50;t=30`, `total=…; resets=…`. */
const combined = ['ratelimit', 'zendesk-ratelimit-tickets-index'] as const
const names = {
  limit: ['limit', 'total', 'q'],
  remaining: ['remaining', 'r'],
  reset: ['reset', 'resets', 't'],
} as const

/** Reads what an answer says of quotas; what makes no sense is as if it were not there. */
export function readHint(answer: Answer, now: Date): Hint {
  const refusal = refusalOf(answer)
  const refused = refusal !== undefined
  const quota = quotaOf(answer.headers, now)
  const told = retryAfterMs(answer.headers.get('retry-after'), now)
  const pauseMs = (refused ? told : undefined) ?? pauseOf(quota, now) ?? refusal?.pauseMs
  const day = dayOf(answer.headers.get('sforce-limit-info'))
  return {
    refused,
    ...quota,
    ...(pauseMs === undefined ? {} : { pauseUntil: new Date(now.getTime() + pauseMs) }),
    ...(day ? { day } : {}),
  }
}

/** Clocks are wrong by an hour now and then; more than this, and it is no clock. */
const MOST_SKEW_MS = 2 * HOUR_MS

/**
 * What time it was where the answer was written (RFC 9110 §6.6.1): the dates in it are counted from then, whatever our own
 * clock shows. Undefined where it does not say.
 */
export function toldAt({ headers }: Answer, now: Date): Date | undefined {
  const ms = Date.parse(headers.get('date') ?? '')
  return Math.abs(ms - now.getTime()) <= MOST_SKEW_MS ? new Date(ms) : undefined
}

/** Where nobody names a time: until the reset, if nothing is left before it. */
function pauseOf({ remaining, resetAt }: Quota, now: Date): number | undefined {
  if (resetAt === undefined || remaining !== 0) return undefined
  return withinReason(resetAt.getTime() - now.getTime())
}

type Quota = Pick<Hint, 'limit' | 'remaining' | 'resetAt' | 'windowMs'>

function quotaOf(headers: Answer['headers'], now: Date): Quota {
  for (const header of combined) {
    const text = headers.get(header)
    const fields = text === null ? undefined : fieldsOf(text)
    if (fields && fields.size > 0) return quotaFrom(fields, now)
  }
  const row = dialects.find((dialect) => speaks(dialect, headers))
  if (!row) return {}
  const limit = countOf(row.limit && headers.get(row.limit))
  const remaining = countOf(row.remaining && headers.get(row.remaining))
  const resetAt = resetOf(row.reset && headers.get(row.reset), row.unit, now)
  return compact({ limit, remaining, resetAt, windowMs: row.windowMs })
}

function speaks({ marker, limit, remaining, reset }: Dialect, headers: Answer['headers']): boolean {
  const there = (name: string | undefined) => name !== undefined && headers.get(name) !== null
  return marker === undefined ? [limit, remaining, reset].some(there) : there(marker)
}

function fieldsOf(text: string): Map<string, string> {
  const found = text.matchAll(/([a-z]+)\s*=\s*"?(\d+)/gi)
  return new Map([...found].map(([, name = '', value = '']) => [name.toLowerCase(), value]))
}

function quotaFrom(fields: ReadonlyMap<string, string>, now: Date): Quota {
  const first = (of: readonly string[]) => of.map((name) => fields.get(name)).find(Boolean)
  return compact({
    limit: countOf(first(names.limit)),
    remaining: countOf(first(names.remaining)),
    resetAt: resetOf(first(names.reset), 'seconds', now),
    windowMs: undefined,
  })
}

function compact(quota: { [K in keyof Quota]: Quota[K] | undefined }): Quota {
  return Object.fromEntries(Object.entries(quota).filter(([, value]) => value !== undefined))
}

function countOf(text: string | null | undefined): number | undefined {
  // Several limits in one field (`100, 100;w=60`): the first is the one in force.
  const digits = /^\s*(\d{1,12})(?:\s*[,;]|\s*$)/.exec(text ?? '')?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** Anything from here on is no number of seconds to wait but a date: 2001 in seconds, 1973 in milliseconds. */
const EPOCH_SECONDS = 1e9
const EPOCH_MILLISECONDS = 1e11

const readers: Readonly<Record<Unit, (value: number, nowMs: number) => number>> = {
  seconds: (value, nowMs) => nowMs + value * SECOND_MS,
  milliseconds: (value, nowMs) => nowMs + value,
  'epoch seconds': (value) => value * SECOND_MS,
  'epoch milliseconds': (value) => value,
  'ISO 8601': (value) => value,
}

/** The unit that the size of a number betrays is believed before the documented one. */
function resetOf(
  text: string | null | undefined,
  unit: Unit | undefined,
  now: Date,
): Date | undefined {
  if (text === null || text === undefined || text.trim() === '') return undefined
  const value = Number(text)
  const nowMs = now.getTime()
  const ms = Number.isNaN(value) ? Date.parse(text) : readers[unitOf(value, unit)](value, nowMs)
  // A reset in the past, or days away, says nothing.
  if (Number.isNaN(ms) || ms <= nowMs || ms > nowMs + 24 * HOUR_MS) return undefined
  return new Date(ms)
}

function unitOf(value: number, documented: Unit | undefined): Unit {
  if (value >= EPOCH_MILLISECONDS) return 'epoch milliseconds'
  if (value >= EPOCH_SECONDS) return 'epoch seconds'
  return documented === 'milliseconds' ? 'milliseconds' : 'seconds'
}

/** `Sforce-Limit-Info: api-usage=18/5000; per-app-api-usage=17/250(appName=x)`: the tighter one of the two counts. */
function dayOf(header: string | null): Hint['day'] {
  const found = [
    ...(header ?? '').matchAll(/(?:^|[;,\s])(?:per-app-)?api-usage=(\d{1,12})\/(\d{1,12})/g),
  ]
  const budgets = found
    .map(([, used, limit]) => ({ used: Number(used), limit: Number(limit) }))
    .filter(({ limit }) => limit > 0)
  return budgets.sort((a, b) => a.limit - a.used - (b.limit - b.used))[0]
}

/** A vendor that has so much left, and longer to go, is not worth slowing down for. */
const AMPLE = 0.5

/**
 * What a hint teaches: a pause; a pace that spreads what is left over the time until the reset; what the day has used up.
 * The pace is the vendor's limit where nobody says what remains of it.
 */
export function lessonOf(hint: Hint, now: Date): Lesson {
  const { refused, pauseUntil, day } = hint
  const pace = paceOf(hint, now)
  return {
    refused,
    ...(pauseUntil ? { pauseMs: pauseUntil.getTime() - now.getTime() } : {}),
    ...(pace ? { pace } : {}),
    ...(day ? { day } : {}),
  }
}

function paceOf({ limit, remaining, resetAt, windowMs }: Hint, now: Date): Lesson['pace'] {
  const forMs = resetAt ? resetAt.getTime() - now.getTime() : windowMs
  if (forMs === undefined) return undefined
  if (remaining === undefined) {
    if (limit === undefined || limit === 0 || windowMs === undefined) return undefined
    return { intervalMs: windowMs / limit, forMs }
  }
  if (limit !== undefined && remaining > limit * AMPLE) return undefined
  return { intervalMs: Math.min(HOUR_MS, forMs / Math.max(1, remaining)), forMs }
}
