import type { Json, JsonObject } from '../../core/canonical-json.ts'
import type { VendorCall } from '../client.ts'
import type { VendorWrite, WriteOutcome } from '../connector.ts'
import { isObject, listOf } from '../json.ts'
import { interpret, writeFailure } from '../outcome.ts'
import { fullId } from './id.ts'
import { itemOutcomes } from './outcomes.ts'
import type { SObject } from './query.ts'
import { ROOT } from './root.ts'

/** Rows that one collection call takes. */
export const MOST_RECORDS = 200

/** Marks our writes, so that change events name us as their origin. */
export const CALL_OPTIONS = { 'sforce-call-options': 'client=syncline' } as const

/** The call that makes all these changes; they are of one operation. Each record succeeds or fails by itself. */
export function collectionCall(
  { name, markerField }: SObject,
  operation: VendorWrite['operation'],
  writes: readonly VendorWrite[],
): VendorCall {
  const path = `${ROOT}/composite/sobjects`
  const headers = CALL_OPTIONS
  const attributes = { type: name }
  if (operation === 'delete') {
    const ids = writes.map(({ externalId = '' }) => externalId).join(',')
    return { method: 'DELETE', path, headers, query: { ids, allOrNone: 'false' } }
  }
  const records = writes.map(({ externalId = '', marker, values }): JsonObject => {
    if (operation === 'update') return { attributes, ...values, id: externalId }
    return markerField === undefined
      ? { attributes, ...values }
      : { attributes, ...values, [markerField]: marker }
  })
  const body = { json: { allOrNone: false, records } }
  if (operation === 'update') return { method: 'PATCH', path, headers, body }
  return markerField === undefined
    ? { method: 'POST', path, headers, body }
    : { method: 'PATCH', path: `${path}/${name}/${markerField}`, headers, body }
}

/** `[{"id","success","errors":[{"statusCode","message","fields"}]}]`, in the order of the records. */
export function collectionOutcomes(
  body: Json | undefined,
  writes: readonly VendorWrite[],
  now: Date,
): WriteOutcome[] {
  const results = listOf(body) ?? []
  return writes.map((one, at) => itemOutcome(results[at], one, now))
}

const NO_HEADERS = new Headers()

function itemOutcome(item: Json | undefined, one: VendorWrite, now: Date): WriteOutcome {
  const unclear = { kind: 'unknown', reason: 'the answer does not mention it' } as const
  if (!isObject(item)) return unclear
  if (item['success'] === true) {
    const id = fullId(item['id']) ?? one.externalId
    return id === undefined ? unclear : { kind: 'done', externalId: id }
  }
  const error = listOf(item['errors'])?.[0]
  const signs = { status: 400, headers: NO_HEADERS, body: error }
  const reading = interpret(signs, itemOutcomes, now)
  // Another record has that key already: the one that a lost answer was about, or somebody else's.
  if (reading.code === 'DUPLICATE_VALUE' && one.operation === 'create') {
    return { kind: 'unknown', reason: reading.reason }
  }
  return writeFailure(reading) ?? unclear
}
