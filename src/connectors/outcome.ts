import { retryAfterMs } from '../core/retry-after.ts'
import type { VendorAnswer } from './client.ts'
import type { VendorProblem } from './connector.ts'

/** A status, or a range of them, and what it means for the call. The first row that fits decides. */
export interface OutcomeRule {
  readonly from: number
  readonly to?: number
  readonly outcome: 'ok' | 'retry' | 'limited' | 'reauthorise' | 'refused'
  readonly reason: string
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
  { from: 408, outcome: 'retry', reason: 'it timed out' },
  { from: 425, outcome: 'retry', reason: 'it asks to come later' },
  { from: 429, outcome: 'limited', reason: 'too many requests' },
  { from: 400, to: 499, outcome: 'refused', reason: 'it refuses the request' },
  { from: 500, to: 599, outcome: 'retry', reason: 'it has a fault of its own' },
]

/** Undefined when the call did what was asked. */
export function problemOf(
  answer: VendorAnswer,
  rules: readonly OutcomeRule[],
  now: Date,
): VendorProblem | undefined {
  if (answer.kind !== 'answer') return answer
  const { status } = answer
  const rule = [...rules, ...commonRules].find(
    ({ from, to = from }) => status >= from && status <= to,
  )
  if (rule?.outcome === 'ok') {
    // A page for people: the instance sleeps, is being upgraded, or is not that vendor's at all.
    return answer.body === undefined
      ? { kind: 'retry', reason: `it answered ${status} with something that is not JSON` }
      : undefined
  }
  const reason = `${rule?.reason ?? 'it answered something unknown'} (${status})`
  if (rule?.outcome === 'reauthorise') return { kind: 'refused', code: 'reauth_required', reason }
  if (rule?.outcome === 'refused') return { kind: 'refused', code: 'vendor_failed', reason }
  const afterMs = retryAfterMs(answer.headers.get('retry-after'), now)
  return {
    kind: 'retry',
    reason,
    ...(afterMs === undefined ? {} : { afterMs }),
    ...(rule?.outcome === 'limited' ? { limited: true } : {}),
  }
}
