import { textAt } from '../json.ts'
import type { OutcomeRule, OutcomeTable } from '../outcome.ts'

/** Where neither `Retry-After` nor the end of a window is named, at least a minute. */
const SECONDARY_WAIT_MS = 60_000

/** Primary limits leave nothing remaining; secondary ones name a wait, or say so only in words. */
const limited = (status: number): OutcomeRule[] => {
  const wait = { resetHeader: 'x-ratelimit-reset', afterMs: SECONDARY_WAIT_MS }
  const rule = { from: status, outcome: 'limited', ...wait } as const
  return [
    {
      ...rule,
      header: { name: 'x-ratelimit-remaining', value: '0' },
      reason: 'its quota is used up',
    },
    { ...rule, header: { name: 'retry-after' }, reason: 'it asks to slow down' },
    { ...rule, says: /rate limit|abuse detection/i, reason: 'it asks to slow down' },
  ]
}

/** GitHub, REST API. */
export const outcomes: OutcomeTable = {
  rules: [
    ...limited(403),
    ...limited(429),
    { from: 429, outcome: 'limited', reason: 'too many requests', afterMs: SECONDARY_WAIT_MS },
    // A transferred issue, or a repository that has another name now.
    { from: 301, outcome: 'hidden', reason: 'it has moved elsewhere' },
    // Also for what is there and not ours to see.
    { from: 404, outcome: 'hidden', reason: 'there is no such thing, or it is not ours to see' },
  ],
  readError: (body) => {
    const text = textAt(body, 'message')
    return text === undefined ? {} : { code: 'refused', text }
  },
}
