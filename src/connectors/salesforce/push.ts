import type { VendorClient } from '../client.ts'
import type { PushAbilities, VendorWrite, WriteOutcome } from '../connector.ts'
import { failureOf } from '../outcome.ts'
import { CALL_OPTIONS, collectionCall, collectionOutcomes, MOST_RECORDS } from './collections.ts'
import { fullId } from './id.ts'
import { fetchOne, findByIds, findByMarker, noMarkerField } from './lookup.ts'
import { outcomes } from './outcomes.ts'
import type { SObject } from './query.ts'
import { ROOT } from './root.ts'

/** So many guarded updates are made one by one, as atomic conditional calls; more of them would eat the daily quota. */
const MOST_CONDITIONAL = 25
/** Calls at once: the vendor counts long ones that run together. */
const PARALLEL = 5

export function objectPush(object: SObject): PushAbilities {
  return {
    batchSize: MOST_RECORDS,
    comparesAndSets: true,
    marker: object.markerField === undefined ? 'none' : 'external_id',
    write: (client, writes, signal) => write(client, { object, writes }, signal),
    fetchOne: (client, externalId, signal) => fetchOne(client, { object, externalId }, signal),
    fetchMany: (client, ids, signal) => findByIds(client, { object, ids }, signal),
    findByMarker: (client, markers, signal) => findByMarker(client, { object, markers }, signal),
  }
}

interface Writing {
  readonly object: SObject
  readonly writes: readonly VendorWrite[]
}

type Outcomes = ReadonlyMap<VendorWrite, WriteOutcome>

/**
 * Creates go out as an upsert by our marker, so that a repeated one makes no second record. Of guarded updates and
 * deletions the stamps are read just before; updates are conditional calls besides, when they are few.
 */
async function write(
  client: VendorClient,
  { object, writes }: Writing,
  signal: AbortSignal,
): Promise<readonly WriteOutcome[]> {
  // The conditional call knows whole seconds only: a change of the same second is seen by the exact stamp alone.
  const known = new Map<VendorWrite, WriteOutcome>(
    await staleOnes(client, { object, writes }, signal),
  )
  const guarded = writes.filter(
    (one) => one.operation === 'update' && one.expected && !known.has(one),
  )
  const single = guarded.length <= MOST_CONDITIONAL ? guarded : []
  for (const [one, outcome] of await inTurns(client, { object, writes: single }, signal)) {
    known.set(one, outcome)
  }
  for (const operation of ['create', 'update', 'delete'] as const) {
    const some = writes.filter((one) => one.operation === operation && !known.has(one))
    const sent = await sendCollection(client, { object, writes: some }, signal)
    some.forEach((one, at) => known.set(one, sent[at] ?? unanswered))
  }
  return writes.map((one) => known.get(one) ?? unanswered)
}

const unanswered: WriteOutcome = { kind: 'unknown', reason: 'the answer does not mention it' }

async function inTurns(
  client: VendorClient,
  { object, writes }: Writing,
  signal: AbortSignal,
): Promise<[VendorWrite, WriteOutcome][]> {
  const waiting = [...writes]
  const done: [VendorWrite, WriteOutcome][] = []
  const work = async () => {
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      done.push([one, await updateIfUnmodified(client, { object, one }, signal)])
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, work))
  return done
}

/** A conditional update (RFC 9110 §13.1.4): 412 when the record is newer than the stamp. */
async function updateIfUnmodified(
  client: VendorClient,
  { object, one }: { readonly object: SObject; readonly one: VendorWrite },
  signal: AbortSignal,
): Promise<WriteOutcome> {
  const id = fullId(one.externalId)
  if (id === undefined) return { kind: 'rejected', code: 'MALFORMED_ID', reason: 'that is no id' }
  // HTTP dates have whole seconds; rounded down, a stamp with a fraction would be newer than itself.
  const ms = Math.ceil(Date.parse(one.expected?.time ?? '') / 1_000) * 1_000
  const headers = { ...CALL_OPTIONS, 'if-unmodified-since': new Date(ms).toUTCString() }
  const path = `${ROOT}/sobjects/${object.name}/${id}`
  const answer = await client.call(
    { method: 'PATCH', path, headers, body: { json: one.values } },
    signal,
  )
  return failureOf(answer, outcomes, client.now()) ?? { kind: 'done', externalId: id }
}

async function staleOnes(
  client: VendorClient,
  { object, writes }: Writing,
  signal: AbortSignal,
): Promise<Outcomes> {
  const guarded = writes.filter(({ operation, expected }) => operation !== 'create' && expected)
  if (guarded.length === 0) return new Map()
  const ids = guarded.flatMap(({ externalId }) => externalId ?? [])
  const found = await findByIds(client, { object, ids }, signal)
  if (found.kind !== 'found') return new Map(guarded.map((one) => [one, found]))
  const stale = guarded.filter((one) => {
    const version = found.rows.get(one.externalId ?? '')?.version
    return version !== undefined && version.time !== one.expected?.time
  })
  return new Map(stale.map((one) => [one, { kind: 'conflict' }]))
}

async function sendCollection(
  client: VendorClient,
  { object, writes }: Writing,
  signal: AbortSignal,
): Promise<readonly WriteOutcome[]> {
  const [first] = writes
  if (!first) return []
  const answer = await client.call(collectionCall(object, first.operation, writes), signal)
  const failure = failureOf(answer, outcomes, client.now())
  if (!failure) {
    const body = answer.kind === 'answer' ? answer.body : undefined
    return collectionOutcomes(body, writes, client.now())
  }
  if (failure.kind === 'gone' && first.operation === 'create') {
    // The address of the call names the field.
    return writes.map(() => noMarkerField(object))
  }
  const isAboutTheCall =
    failure.kind === 'retry' || failure.kind === 'unknown' || failure.kind === 'refused'
  if (isAboutTheCall) return writes.map(() => failure)
  // With a single record in it, the refusal of the call is the record's.
  if (writes.length === 1) return [failure]
  const reason = failure.kind === 'rejected' ? failure.reason : `it answered ${failure.kind}`
  return writes.map(() => ({ kind: 'refused', code: 'vendor_failed', reason }))
}
