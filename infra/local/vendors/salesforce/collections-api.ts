import type { LocalRequest, LocalResponse } from '../../http-server.ts'
import { bodyOf, failure, isObject, itemFailure, ok, valuesOf } from './answers.ts'
import type { Org, WriteError, Writer, Written } from './org.ts'

const MOST_RECORDS = 200
const MOST_CHUNKS = 10

export interface CollectionCall {
  readonly org: Org
  readonly request: LocalRequest
  readonly writer: Writer
  /** What is planned to go wrong with the next record. */
  readonly plannedError: () => WriteError | undefined
}

interface Item {
  readonly object: string
  readonly values: ReturnType<typeof valuesOf>
}

type Work = (item: Item) => object

const ROLLED_BACK: WriteError = {
  code: 'ALL_OR_NONE_OPERATION_ROLLED_BACK',
  message:
    'Record rolled back because not all records were valid and the request was using AllOrNone header',
}

/** `composite/sobjects`: 200 even if every record fails (facts B2, Collections). */
export function callCollection(
  call: CollectionCall,
  upsert?: { object: string; field: string },
): LocalResponse {
  const { request } = call
  if (request.method === 'DELETE') return removeAll(call)
  const body = bodyOf(request)
  const records = isObject(body) && Array.isArray(body['records']) ? body['records'] : undefined
  if (!isObject(body) || !records) return failure(400, 'JSON_PARSER_ERROR', 'records is missing')
  const items = records.map(itemOf)
  const refused = refuse(items)
  if (refused) return refused
  const allOrNone = body['allOrNone'] === true
  if (upsert) {
    const isField = call.org.objects.get(upsert.object)?.fields[upsert.field]?.externalId === true
    if (!isField)
      return failure(400, 'INVALID_FIELD', `${upsert.field} is no external id of ${upsert.object}`)
  }
  const work = workOf(call, upsert)
  return ok(allOrNone ? runAll(call.org, items, work) : items.map(work))
}

function itemOf(record: unknown): Item {
  if (!isObject(record)) return { object: '', values: {} }
  const { attributes, ...rest } = record
  const type = isObject(attributes) ? attributes['type'] : undefined
  return { object: typeof type === 'string' ? type : '', values: valuesOf(rest) }
}

function refuse(items: readonly Item[]): LocalResponse | undefined {
  const chunks = items.filter(({ object }, at) => object !== items[at - 1]?.object).length
  if (items.length > MOST_RECORDS)
    return failure(400, 'EXCEEDED_MAX_SIZE_REQUEST', `at most ${MOST_RECORDS} records`)
  return chunks > MOST_CHUNKS
    ? failure(400, 'EXCEEDED_MAX_TYPES', `at most ${MOST_CHUNKS} changes of the type`)
    : undefined
}

/** When all shall succeed or none, one that fails takes the others with it. */
function runAll(org: Org, items: readonly Item[], work: Work): object[] {
  const succeeds = (result: object) => Reflect.get(result, 'success') === true
  const results = org.attempt(
    () => items.map(work),
    (all) => all.every(succeeds),
  )
  if (results.every(succeeds)) return results
  return results.map((result) => (succeeds(result) ? itemFailure(ROLLED_BACK) : result))
}

function workOf(call: CollectionCall, upsert: { object: string; field: string } | undefined): Work {
  return ({ object, values }) => {
    const planned = call.plannedError()
    if (planned) return itemFailure(planned)
    if (!call.org.objects.has(object))
      return itemFailure({
        code: 'INVALID_TYPE',
        message: `sObject type '${object}' is not supported.`,
      })
    if (upsert) return upsertItem(call, upsert, values)
    const { id, Id = id, ...rest } = values
    return call.request.method === 'POST'
      ? shown(call.org.create(object, values, call.writer))
      : shown(call.org.update({ object, id: String(Id ?? '') }, rest, call.writer))
  }
}

function upsertItem(
  { org, writer }: CollectionCall,
  { object, field }: { object: string; field: string },
  values: Item['values'],
): object {
  const key = String(values[field] ?? '')
  if (key === '')
    return itemFailure({ code: 'MISSING_ARGUMENT', message: `${field} not specified` })
  const matching = org.matching(object, field, key)
  if (matching.length > 1) {
    const message = `${field}: more than one record found for external id field`
    return itemFailure({ code: 'DUPLICATE_EXTERNAL_ID', message, fields: [field] })
  }
  const [former] = matching
  const written = former
    ? org.update({ object, id: String(former['Id']) }, values, writer)
    : org.create(object, values, writer)
  return { ...shown(written), created: former === undefined }
}

function shown(written: Written): object {
  return 'error' in written
    ? itemFailure(written.error)
    : { id: written.row['Id'], success: true, errors: [] }
}

function removeAll({ org, request, writer, plannedError }: CollectionCall): LocalResponse {
  const ids = (request.url.searchParams.get('ids') ?? '').split(',').filter(Boolean)
  if (ids.length > MOST_RECORDS)
    return failure(400, 'EXCEEDED_MAX_SIZE_REQUEST', `at most ${MOST_RECORDS} records`)
  const results = ids.map((id) => {
    const planned = plannedError()
    if (planned) return itemFailure(planned)
    const [object = ''] = [...org.objects].find(([, { prefix }]) => id.startsWith(prefix)) ?? []
    return { id, ...shown(org.remove(object, id, writer)) }
  })
  return ok(results)
}
