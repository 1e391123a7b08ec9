import type { Json } from '../core/canonical-json.ts'
import { retryAfterMs, withinReason } from '../core/retry-after.ts'
import type { VendorAnswer } from './client.ts'
import type { VendorProblem, WriteOutcome } from './connector.ts'

/** What an answer, or the part of one that is about one record, says of the call. */
export type Meaning =
  | 'ok'
  /** It was not done; later it may be. */
  | 'retry'
  /** The same, for want of quota alone: no try was lost. */
  | 'limited'
  /** Nobody knows whether it was done. */
  | 'unknown'
  | 'reauthorise'
  /** An operator must do something first; every such call would be refused. */
  | 'refused'
  /** This record, as it is, will never be taken. */
  | 'rejected'
  | 'conflict'
  | 'gone'
  /** It may be there, but not for us. */
  | 'hidden'

/** Signs of an answer, and their meaning. All that a row names must be there; the first row that fits decides. */
export interface OutcomeRule {
  readonly from: number
  readonly to?: number
  /** The vendor's error code is one of these. */
  readonly codes?: readonly string[]
  readonly says?: RegExp
  /** The header is there, with this value where one is given. */
  readonly header?: { readonly name: string; readonly value?: string }
  /** It is a page for people. */
  readonly isPage?: true
  readonly outcome: Meaning
  readonly reason: string
  /** Header with the instant from which it may work again, in seconds since the epoch. */
  readonly resetHeader?: string
  /** The wait where the vendor names none. */
  readonly afterMs?: number
}

/** How one vendor tells what became of a call. */
export interface OutcomeTable {
  readonly rules: readonly OutcomeRule[]
  readonly readError: (body: Json | undefined) => { readonly code?: string; readonly text?: string }
}

export interface Signs {
  readonly status: number
  readonly headers: Pick<Headers, 'get'>
  readonly body: Json | undefined
}

/** What the statuses of RFC 9110 §15 mean where a vendor says nothing else; a vendor's own rows stand before these. */
export const commonRules: readonly OutcomeRule[] = [
  { from: 200, to: 299, outcome: 'ok', reason: 'done' },
  {
    from: 300,
    to: 399,
    outcome: 'refused',
    reason: 'it redirects; the instance address is not its own',
  },
  { from: 401, outcome: 'reauthorise', reason: 'it does not accept the credential' },
  { from: 402, outcome: 'refused', reason: 'its account has to be paid' },
  { from: 403, outcome: 'hidden', reason: 'it forbids that' },
  { from: 404, outcome: 'gone', reason: 'it knows no such thing' },
  { from: 408, outcome: 'retry', reason: 'it timed out' },
  { from: 409, outcome: 'conflict', reason: 'it has changed' },
  { from: 410, outcome: 'gone', reason: 'it is gone' },
  { from: 412, outcome: 'conflict', reason: 'it has changed' },
  { from: 425, outcome: 'retry', reason: 'it asks to come later' },
  { from: 429, outcome: 'limited', reason: 'too many requests' },
  { from: 400, to: 499, outcome: 'rejected', reason: 'it refuses the request' },
  { from: 503, outcome: 'retry', reason: 'it is not available' },
  // Behind a gateway's error the work may have been done.
  { from: 500, to: 599, outcome: 'unknown', reason: 'it has a fault of its own' },
]

export interface Reading {
  readonly meaning: Meaning
  readonly reason: string
  readonly code?: string
  /** The vendor's own sentence, shortened. */
  readonly text?: string
  readonly afterMs?: number
}

const NO_CONTENT = 204
const LONGEST_TEXT = 300

export function interpret(signs: Signs, table: OutcomeTable, now: Date): Reading {
  const { status, headers, body } = signs
  const error = status < 300 ? {} : table.readError(body)
  const rule = [...table.rules, ...commonRules].find((row) => fits(row, signs, error))
  const meaning = rule?.outcome ?? 'unknown'
  const code = error.code === undefined ? {} : { code: error.code }
  const words = `${rule?.reason ?? 'it answered something unknown'} (${[status, error.code].filter(Boolean).join(' ')})`
  if (meaning === 'ok' && body === undefined && status !== NO_CONTENT) {
    // A page for people: the instance sleeps, is being upgraded, or is not that vendor's at all.
    return { meaning: 'unknown', reason: `it answered ${status} with something that is not JSON` }
  }
  const afterMs =
    retryAfterMs(headers.get('retry-after'), now) ??
    untilReset(headers, rule?.resetHeader, now) ??
    rule?.afterMs
  return {
    meaning,
    reason: words,
    ...code,
    ...(error.text === undefined ? {} : { text: error.text.slice(0, LONGEST_TEXT) }),
    ...(afterMs === undefined ? {} : { afterMs }),
  }
}

function fits(
  { from, to = from, codes, says, header, isPage }: OutcomeRule,
  { status, headers }: Signs,
  error: { readonly code?: string; readonly text?: string },
): boolean {
  if (status < from || status > to) return false
  if (codes && !codes.includes(error.code ?? '')) return false
  if (says && !says.test(error.text ?? '')) return false
  if (isPage && !/\bhtml\b/i.test(headers.get('content-type') ?? '')) return false
  if (!header) return true
  const value = headers.get(header.name)
  return value !== null && (header.value === undefined || header.value === value)
}

function untilReset(
  headers: Signs['headers'],
  resetHeader: string | undefined,
  now: Date,
): number | undefined {
  const seconds = resetHeader === undefined ? Number.NaN : Number(headers.get(resetHeader) ?? 'x')
  return Number.isFinite(seconds) ? withinReason(seconds * 1_000 - now.getTime()) : undefined
}

/** Undefined when the call did what was asked. For calls that only read: what is unknown can be asked again. */
export function problemOf(
  answer: VendorAnswer,
  table: OutcomeTable,
  now: Date,
): VendorProblem | undefined {
  if (answer.kind === 'lost') return { kind: 'retry', reason: answer.reason }
  if (answer.kind !== 'answer') return answer
  const reading = interpret(answer, table, now)
  return reading.meaning === 'ok' ? undefined : readProblem(reading)
}

function readProblem(reading: Reading): VendorProblem {
  const { meaning, reason } = reading
  if (meaning === 'reauthorise') return { kind: 'refused', code: 'reauth_required', reason }
  if (meaning === 'retry' || meaning === 'limited' || meaning === 'unknown') return retry(reading)
  return { kind: 'refused', code: 'vendor_failed', reason }
}

/** Undefined when the write was done. */
export function failureOf(
  answer: VendorAnswer,
  table: OutcomeTable,
  now: Date,
): Exclude<WriteOutcome, { kind: 'done' }> | undefined {
  if (answer.kind === 'lost') return { kind: 'unknown', reason: answer.reason }
  if (answer.kind !== 'answer') return answer
  return writeFailure(interpret(answer, table, now))
}

export function writeFailure(
  reading: Reading,
): Exclude<WriteOutcome, { kind: 'done' }> | undefined {
  const { meaning, reason, code = 'refused', text } = reading
  switch (meaning) {
    case 'ok':
      return undefined
    case 'retry':
    case 'limited':
      return retry(reading)
    case 'unknown':
      return { kind: 'unknown', reason }
    case 'reauthorise':
      return { kind: 'refused', code: 'reauth_required', reason }
    case 'refused':
      return { kind: 'refused', code: 'vendor_failed', reason }
    case 'conflict':
    case 'gone':
      return { kind: meaning }
    case 'hidden':
    case 'rejected':
      return { kind: 'rejected', code, reason: text === undefined ? reason : `${reason}: ${text}` }
  }
}

function retry({ meaning, reason, afterMs }: Reading): Extract<VendorProblem, { kind: 'retry' }> {
  return {
    kind: 'retry',
    reason,
    ...(afterMs === undefined ? {} : { afterMs }),
    ...(meaning === 'limited' ? { limited: true } : {}),
  }
}
