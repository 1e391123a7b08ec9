import type { Json, JsonObject } from '../../core/canonical-json.ts'
import type { VendorCall, VendorClient } from '../client.ts'
import type { PushAbilities, VendorWrite, WriteOutcome } from '../connector.ts'
import { isObject } from '../json.ts'
import { failureOf, interpret, writeFailure } from '../outcome.ts'
import { batchOf, itemsOf, type BatchItem } from './batch.ts'
import { goneAmong } from './gone.ts'
import { fetchOne, findByMarker, findByIds } from './lookup.ts'
import { outcomes } from './outcomes.ts'
import { bodyOf, parametersFor, pathOf, rowOf, type Table } from './row.ts'

/** A batch has 30 s for all of it, and the ids of one must fit into a URL. */
const BATCH_SIZE = 40

export function tablePush(table: Table): PushAbilities {
  return {
    batchSize: BATCH_SIZE,
    comparesAndSets: true,
    marker: table.markerField === undefined ? 'none' : 'correlation',
    write: (client, writes, signal) => write(client, { table, writes }, signal),
    fetchOne: (client, externalId, signal) => fetchOne(client, { table, externalId }, signal),
    fetchMany: (client, ids, signal) => findByIds(client, { table, ids }, signal),
    findByMarker: (client, markers, signal) => findByMarker(client, { table, markers }, signal),
  }
}

interface Writing {
  readonly table: Table
  readonly writes: readonly VendorWrite[]
}

/**
 * Writes by the Batch API. The Table API has no conditional write, so records with an expected version are read just
 * before; what people change in the instant between is merged by the instance, field by field.
 */
async function write(
  client: VendorClient,
  { table, writes }: Writing,
  signal: AbortSignal,
): Promise<readonly WriteOutcome[]> {
  const refused = await staleOnes(client, { table, writes }, signal)
  const todo = writes.filter((one) => !refused.has(one))
  const sent = await send(client, { table, writes: todo }, signal)
  const settled = await settleMissing(client, { table, writes: todo, outcomes: sent }, signal)
  const results = new Map([...refused, ...todo.map((one, at) => [one, settled[at]] as const)])
  return writes.map((one) => results.get(one) ?? unanswered)
}

const unanswered: WriteOutcome = { kind: 'unknown', reason: 'the answer does not mention it' }

async function staleOnes(
  client: VendorClient,
  { table, writes }: Writing,
  signal: AbortSignal,
): Promise<Map<VendorWrite, WriteOutcome>> {
  const guarded = writes.filter(({ expected }) => expected !== undefined)
  if (guarded.length === 0) return new Map()
  const ids = guarded.flatMap(({ externalId }) => externalId ?? [])
  const found = await findByIds(client, { table, ids }, signal)
  if (found.kind !== 'found') return new Map(guarded.map((one) => [one, found]))
  return new Map(
    guarded.flatMap((one) => {
      const version = found.rows.get(one.externalId ?? '')?.version
      const isSame = version?.time === one.expected?.time && version?.count === one.expected?.count
      // One that is not there is the write's business: it tells gone from hidden.
      return version === undefined || isSame ? [] : [[one, { kind: 'conflict' } as const]]
    }),
  )
}

async function send(
  client: VendorClient,
  { table, writes }: Writing,
  signal: AbortSignal,
): Promise<WriteOutcome[]> {
  if (writes.length === 0) return []
  const body = { json: batchOf(writes.map((one) => callOf(table, one))) }
  const answer = await client.call({ method: 'POST', path: '/api/now/v1/batch', body }, signal)
  const failure = failureOf(answer, outcomes, client.now())
  if (failure) return writes.map(() => wholeBatch(failure))
  const items = answer.kind === 'answer' ? itemsOf(answer.body, writes.length) : undefined
  if (!items) return writes.map(() => ({ kind: 'unknown', reason: 'it answered without results' }))
  return items.map((item, at) => outcomeOf(item, writes[at], client.now()))
}

/** A refusal of the batch is about the call, not about a record in it. */
function wholeBatch(failure: WriteOutcome): WriteOutcome {
  if (failure.kind === 'rejected') {
    return { kind: 'refused', code: 'vendor_failed', reason: failure.reason }
  }
  const isAboutOne = failure.kind === 'conflict' || failure.kind === 'gone'
  return isAboutOne ? { kind: 'unknown', reason: 'it refused the batch' } : failure
}

function callOf(table: Table, one: VendorWrite): Omit<VendorCall, 'headers'> {
  const { operation, externalId = '', marker, values } = one
  const query = parametersFor(table)
  const json = bodyOf(values, table.fields)
  switch (operation) {
    case 'create': {
      const marked = table.markerField === undefined ? {} : { [table.markerField]: marker }
      return {
        method: 'POST',
        path: pathOf(table.name),
        query,
        body: { json: { ...json, ...marked } },
      }
    }
    case 'update':
      return { method: 'PATCH', path: pathOf(table.name, externalId), query, body: { json } }
    case 'delete':
      return { method: 'DELETE', path: pathOf(table.name, externalId) }
  }
}

const UNAUTHORIZED = 401

function outcomeOf(item: BatchItem, one: VendorWrite | undefined, now: Date): WriteOutcome {
  if (item.kind === 'unserviced')
    return { kind: 'retry', reason: 'its time for the batch was used up' }
  if (item.kind === 'missing' || !one) return unanswered
  // The batch itself was let in: the token ended on the way.
  if (item.status === UNAUTHORIZED)
    return { kind: 'retry', reason: 'the token ended within the batch' }
  const failure = writeFailure(interpret(item, outcomes, now))
  if (failure) return failure
  if (one.operation === 'delete') return { kind: 'done', externalId: one.externalId ?? '' }
  const row = rowOf(resultOf(item.body))
  if (!row) return { kind: 'unknown', reason: 'it answered without the record' }
  return {
    kind: 'done',
    externalId: row.externalId,
    version: row.version,
    values: row.values,
  }
}

function resultOf(body: Json | undefined): JsonObject | undefined {
  const result = isObject(body) ? body['result'] : undefined
  return isObject(result) ? result : undefined
}

interface Settling extends Writing {
  readonly outcomes: readonly WriteOutcome[]
}

const NOT_FOUND = 'No Record found'

/** A record that is not found may be hidden by access rules. */
async function settleMissing(
  client: VendorClient,
  { table, writes, outcomes: known }: Settling,
  signal: AbortSignal,
): Promise<readonly WriteOutcome[]> {
  const isMissing = (outcome: WriteOutcome) =>
    outcome.kind === 'rejected' && outcome.code === NOT_FOUND
  const ids = writes.flatMap((one, at) => {
    const outcome = known[at]
    return outcome && isMissing(outcome) ? (one.externalId ?? []) : []
  })
  if (ids.length === 0) return known
  const gone = await goneAmong(client, { table, ids }, signal)
  return known.map((outcome, at) => {
    if (!isMissing(outcome)) return outcome
    if (gone.kind !== 'gone') return gone
    return gone.ids.has(writes[at]?.externalId ?? '') ? { kind: 'gone' } : outcome
  })
}
