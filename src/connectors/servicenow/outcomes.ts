import type { OutcomeTable } from '../outcome.ts'
import { isObject, textAt } from '../json.ts'

/** ServiceNow, REST API: statuses and `{"error":{"message","detail"},"status":"failure"}`. */
export const outcomes: OutcomeTable = {
  rules: [
    // It queues the calls of one session and answers 202 to those that it drops: not a success.
    { from: 202, outcome: 'retry', reason: 'it dropped the call' },
    { from: 401, outcome: 'reauthorise', reason: 'it does not accept the credential' },
    { from: 429, outcome: 'limited', reason: 'too many requests' },
    // An instance that sleeps or is being upgraded; it says nothing of the record.
    { from: 300, to: 499, isPage: true, outcome: 'retry', reason: 'it shows a page for people' },
    // A missing record, or one that access rules hide: the answer is the same.
    { from: 404, outcome: 'hidden', reason: 'there is no such record, or it is not ours to see' },
  ],
  readError: (body) => {
    const error = isObject(body) ? body['error'] : undefined
    const message = textAt(error, 'message')
    const detail = textAt(error, 'detail')
    return {
      ...(message === undefined ? {} : { code: message.slice(0, 60) }),
      ...(detail === undefined ? {} : { text: detail }),
    }
  },
}
