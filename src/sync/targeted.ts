import type { Stored } from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import { retryDelayMs } from '../core/retry-delay.ts'
import { addMs, MINUTE_MS, SECOND_MS } from '../core/time.ts'
import { partitionOf } from './lease.ts'
import { decode } from './mapping.ts'
import type { Refusal, Source, SourceRow, SyncPorts, VendorProblem } from './ports.ts'
import { proveRows } from './proof.ts'
import { openStream } from './references.ts'
import { findDuplicates } from './duplicates.ts'
import { linkOf } from './draft.ts'
import { announce } from './outbox.ts'
import { lookUp } from './look-up.ts'
import { storeDerived } from './derived.ts'
import { isOlder, type RecordDocument, type StreamKey } from './record.ts'
import type { ParkedRow } from './result.ts'
import { placeRow, recordFor, type DecodedRow, type Shelf } from './shelf.ts'
import { sideOf, sidesOf, type TaskSide } from './sides.ts'
import { MESSAGE_TTL_MS, offerOf, type InboundMessage, type Task } from './task.ts'

export interface RecordOutcome {
  readonly kind: 'record'
  readonly result:
    | 'created'
    | 'updated'
    | 'unchanged'
    /** What we have is newer. */
    | 'outdated'
    | 'deleted'
    /** The vendor has it not (any more), and nobody told that it was deleted. */
    | 'absent'
    | 'parked'
    | 'put_off'
    /** The stream is read instead, ahead of its slot. */
    | 'asked_for_run'
    /** There is no such task any more, or it is switched off. */
    | 'stale'
}

interface Targeted {
  readonly message: InboundMessage
  readonly maxAttempts: number
  readonly signal: AbortSignal
}

const backoff = { baseMs: 2 * SECOND_MS, capMs: 15 * MINUTE_MS }
/** So long after it was read a row may become a new record. */
const NEWS_MS = MINUTE_MS / 2
/** A record changed by somebody else between our read and our write is read again so often. */
const CONFLICT_TRIES = 8

/**
 * Reads the one record that a message names and stores what it is now. It needs no lease: it moves no cursor, its writes
 * are conditional on what was read, and an older version never replaces a newer one. A source that cannot read single
 * records, and a message that names none, have the stream read instead.
 */
export async function syncRecord(ports: SyncPorts, work: Targeted): Promise<RecordOutcome> {
  const { message } = work
  const stored = await ports.tasks.get([message.tenantId], message.taskId)
  if (!stored?.document.enabled || stored.document.status === 'disabled') return outcome('stale')
  const externalId = message.record?.externalId
  if (externalId === undefined) return askForRun(ports, stored)
  const { tenantId, entityType, connectionId } = stored.document
  const key = { tenantId, entityType, connectionId }
  const side = await sideOf(ports, stored.document)
  if (!side) return outcome('stale')
  // More urgent than the run of the task would be.
  const source = await openStream(ports, { ...stored.document, type: 'webhook' })
  if (source.kind === 'refused') return park(ports, { key, externalId, work }, source)
  if (!source.fetchOne) return askForRun(ports, stored)
  const target: Reached = { key, externalId, work, source, fetchedAt: ports.clock() }
  const found = await source.fetchOne(externalId, work.signal)
  switch (found.kind) {
    case 'row':
      return storeRow(ports, target, { side, row: found.row })
    case 'gone':
      return message.record?.operation === 'delete'
        ? placeDeletion(ports, target, side)
        : outcome('absent')
    case 'hidden':
      return park(ports, target, hidden)
    case 'refused':
      return park(ports, target, found)
    case 'retry':
      return putOff(ports, target, found)
  }
}

/** A record that may only be hidden from us is not gone: the next run over its stream decides. */
const hidden: Refusal = {
  kind: 'refused',
  code: 'vendor_failed',
  reason: 'the record is not visible to the connection',
}

interface Target {
  readonly key: StreamKey
  readonly externalId: string
  readonly work: Targeted
}

interface Reached extends Target {
  readonly source: Source
  readonly fetchedAt: Date
}

function outcome(result: RecordOutcome['result']): RecordOutcome {
  return { kind: 'record', result }
}

/**
 * Has the task run now. One that is queued will read the record anyway; one that runs may be past it, so the message comes
 * again. Throws `conflict` then, and when somebody else changed the task.
 */
async function askForRun(
  ports: SyncPorts,
  { document, etag }: Stored<Task>,
): Promise<RecordOutcome> {
  const taken = document.status === 'queued' || document.status === 'running'
  const offer = offerOf(taken ? document : { ...document, status: 'pending' }, ports.clock())
  if (offer.kind === 'none') throw new AppError('conflict', `task ${document.id} is running`)
  if (offer.kind === 'claim') {
    const written = await ports.tasks.write(
      [document.tenantId],
      [{ kind: 'replace', document: offer.task, etag }],
    )
    if (!written.committed) throw new AppError('conflict', `task ${document.id} changed`)
  }
  const { correlationId } = offer.message
  await ports.inbound.send([
    { id: correlationId, body: offer.message, correlationId, timeToLiveMs: MESSAGE_TTL_MS },
  ])
  return outcome('asked_for_run')
}

/** A later message for the rest; whoever only waits for quota has not failed. */
async function putOff(
  ports: SyncPorts,
  target: Target,
  problem: Extract<VendorProblem, { kind: 'retry' }>,
): Promise<RecordOutcome> {
  const { message, maxAttempts } = target.work
  const { attempt, correlationId } = message
  const failed = problem.limited !== true
  if (failed && attempt >= maxAttempts) {
    return park(ports, target, { kind: 'refused', code: 'vendor_failed', reason: problem.reason })
  }
  const now = ports.clock()
  const delayMs = problem.afterMs ?? retryDelayMs(attempt, ports.random(), backoff)
  const slice = message.slice + 1
  const body: InboundMessage = {
    ...message,
    slice,
    attempt: failed ? attempt + 1 : attempt,
    deferrals: 0,
    enqueuedAt: now.toISOString(),
  }
  const id = idOf('record', correlationId, message.taskId, target.externalId, String(slice))
  await ports.inbound.send([{ id, body, correlationId, notBefore: addMs(now, delayMs) }])
  return outcome('put_off')
}

async function park(
  ports: SyncPorts,
  { key, externalId, work: { message } }: Target,
  { code, reason }: Refusal,
): Promise<RecordOutcome> {
  const row: ParkedRow = {
    id: idOf('parked', key.connectionId, key.entityType, externalId),
    kind: 'row',
    ...key,
    taskId: message.taskId,
    externalId,
    reason: { code, message: reason },
    payload: {},
    parkedAt: ports.clock().toISOString(),
    runId: message.correlationId,
  }
  await ports.parked.write([key.tenantId], [{ kind: 'upsert', document: row }])
  return outcome('parked')
}

async function storeRow(
  ports: SyncPorts,
  target: Reached,
  { side, row }: { readonly side: TaskSide; readonly row: SourceRow },
): Promise<RecordOutcome> {
  const decoded = decode(side.mapping, row.values)
  if (!decoded.ok) {
    const { code, message } = decoded.error
    return park(ports, target, { kind: 'refused', code, reason: message })
  }
  const { correlationId } = target.work.message
  await storeDerived(ports, [row], { key: target.key, side, correlationId })
  const { version } = row
  const incoming = { externalId: target.externalId, version, fields: decoded.fields, source: row }
  return place(ports, target, { side, row: incoming })
}

/** A record that was made a moment ago may not have reached the replica that was asked: it is looked for once more. */
const notHere = {
  kind: 'retry',
  reason: 'no record of it is known yet',
  afterMs: MINUTE_MS,
  limited: true,
} as const

async function placeDeletion(
  ports: SyncPorts,
  target: Reached,
  side: TaskSide,
): Promise<RecordOutcome> {
  const row = deletedRow(target.externalId, ports.clock())
  const placed = await place(ports, target, { side, row })
  const isFirst = target.work.message.slice === 0
  return placed.result === 'absent' && isFirst ? putOff(ports, target, notHere) : placed
}

function deletedRow(externalId: string, now: Date): DecodedRow {
  const time = now.toISOString()
  const version = { time, count: Number.MAX_SAFE_INTEGER }
  const cursor = { time, id: externalId }
  const source = { externalId, version, cursor, values: {}, deleted: true }
  return { externalId, version, fields: {}, source }
}

interface Placing {
  readonly side: TaskSide
  readonly row: DecodedRow
}

/** Merges the row as one of a page is, on condition that nobody changed its record meanwhile. Throws `conflict`. */
async function place(
  ports: SyncPorts,
  target: Reached,
  { side, row: fetched }: Placing,
): Promise<RecordOutcome> {
  const { key, source, fetchedAt } = target
  const { message, signal } = target.work
  const sides = await sidesOf(ports, key.tenantId, key.entityType)
  for (let tries = 0; tries < CONFLICT_TRIES; tries += 1) {
    const shelf = await lookUp(ports, key, [fetched])
    // It may have been deleted or brought back, and that stored, since it was fetched.
    const page = { source, side, fetchedAt, signal }
    const proven = await proveRows([fetched], { shelf, key, page })
    if (proven.kind === 'retry') return putOff(ports, target, proven)
    if (proven.kind === 'refused') return park(ports, target, proven)
    const [row = fetched] = proven.rows
    await findDuplicates(ports, [row], { shelf, key, side })
    const before = recordFor(shelf, row.externalId)
    const ageMs = ports.clock().getTime() - fetchedAt.getTime()
    // Who tells of its deletion meanwhile finds nothing, and looks once more after a minute: by then it must be here.
    if (!before && ageMs > NEWS_MS) throw new AppError('conflict', 'what was read is too old')
    const placed = placeRow(shelf, row, { key, side, sides })
    if (placed.kind === 'unchanged') return outcome(unchangedBy(before, { side, row }))
    if (await commit(ports, shelf, { key, sides, correlationId: message.correlationId })) {
      return outcome(placed.kind)
    }
  }
  throw new AppError('conflict', `a record of ${key.entityType} kept changing`)
}

function unchangedBy(
  record: RecordDocument | undefined,
  { side, row }: Placing,
): RecordOutcome['result'] {
  if (!record) return row.source.deleted ? 'absent' : 'unchanged'
  const { version, goneAt } = linkOf(record, side.connectionId)
  if (row.source.deleted || version === null) return 'unchanged'
  return isOlder(row.version, version) || goneAt !== undefined ? 'outdated' : 'unchanged'
}

async function commit(
  ports: SyncPorts,
  shelf: Shelf,
  of: {
    readonly key: StreamKey
    readonly sides: readonly TaskSide[]
    readonly correlationId: string
  },
): Promise<boolean> {
  const writes = [...shelf.writes.values()]
  const written = await ports.shards.write(partitionOf(of.key), writes)
  if (!written.committed) return false
  const records = writes.flatMap(({ document }) => (document.kind === 'record' ? [document] : []))
  const others = of.sides.filter(({ pushes }) => pushes)
  await announce(ports, records, { sides: others, correlationId: of.correlationId })
  return true
}
