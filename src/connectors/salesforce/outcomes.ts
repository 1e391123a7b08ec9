import type { Json } from '../../core/canonical-json.ts'
import { listOf, textAt } from '../json.ts'
import type { OutcomeRule, OutcomeTable } from '../outcome.ts'

const QUOTA_WAIT_MS = 15 * 60_000

/** Codes of the error table of the REST API: of whole calls and, under 200, of single records in a collection. */
const codes: readonly Pick<OutcomeRule, 'codes' | 'says' | 'outcome' | 'reason' | 'afterMs'>[] = [
  { codes: ['UNABLE_TO_LOCK_ROW'], outcome: 'retry', reason: 'somebody else holds the row' },
  { codes: ['QUERY_TIMEOUT'], outcome: 'retry', reason: 'the query took too long' },
  { codes: ['INVALID_QUERY_LOCATOR'], outcome: 'retry', reason: 'the page is too old' },
  {
    codes: ['ALL_OR_NONE_OPERATION_ROLLED_BACK'],
    outcome: 'retry',
    reason: 'it was rolled back for the sake of another',
  },
  {
    // The same code as for the day's quota, but over as soon as one of the long calls has ended.
    codes: ['REQUEST_LIMIT_EXCEEDED'],
    says: /concurrent/i,
    outcome: 'limited',
    reason: 'too many long calls run at once',
  },
  {
    codes: ['REQUEST_LIMIT_EXCEEDED'],
    outcome: 'limited',
    reason: 'its quota is used up',
    afterMs: QUOTA_WAIT_MS,
  },
  { codes: ['SERVER_UNAVAILABLE'], outcome: 'retry', reason: 'it is not available' },
  { codes: ['UNKNOWN_EXCEPTION'], outcome: 'unknown', reason: 'it has a fault of its own' },
  { codes: ['ENTITY_IS_DELETED', 'NOT_FOUND'], outcome: 'gone', reason: 'it is deleted' },
  { codes: ['INVALID_SESSION_ID'], outcome: 'reauthorise', reason: 'it does not accept the token' },
  {
    codes: [
      'STORAGE_LIMIT_EXCEEDED',
      'LIMIT_EXCEEDED',
      'API_DISABLED_FOR_ORG',
      'FUNCTIONALITY_NOT_ENABLED',
    ],
    outcome: 'refused',
    reason: 'an administrator has to act',
  },
]

/** Of a call that was answered as a whole. */
export const outcomes: OutcomeTable = {
  rules: [
    ...codes.map((row) => ({ from: 300, to: 599, ...row })),
    // Several records carry the external id: which one is meant, a person must say.
    { from: 300, outcome: 'rejected', reason: 'several records match the external id' },
    { from: 406, outcome: 'retry', reason: 'it could not serve that now' },
    { from: 420, outcome: 'limited', reason: 'too many requests' },
  ],
  readError: (body) => errorOf(listOf(body)?.[0] ?? body),
}

/** Of one record of a collection: its errors, read as if they were an answer with 400. */
export const itemOutcomes: OutcomeTable = { ...outcomes, readError: errorOf }

/** `[{"message","errorCode","fields"}]` of calls, `{"statusCode","message","fields"}` of records. */
function errorOf(error: Json | undefined): { readonly code?: string; readonly text?: string } {
  const code = textAt(error, 'errorCode') ?? textAt(error, 'statusCode')
  const text = textAt(error, 'message')
  return { ...(code === undefined ? {} : { code }), ...(text === undefined ? {} : { text }) }
}
