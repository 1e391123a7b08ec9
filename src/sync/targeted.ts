import type { Stored, Write } from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import { retryDelayMs } from '../core/retry-delay.ts'
import { addMs, MINUTE_MS, SECOND_MS } from '../core/time.ts'
import { partitionOf } from './lease.ts'
import { decode } from './mapping.ts'
import type { Refusal, RowOutcome, Source, SourceRow, SyncPorts } from './ports.ts'
import {
  applyRow,
  linkId,
  newsOf,
  type IncomingRow,
  type LinkDocument,
  type RecordDocument,
  type ShardDocument,
  type StreamKey,
} from './record.ts'
import type { ParkedRow } from './result.ts'
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
/** A record changed by somebody else between our read and our write is read again so often. */
const CONFLICT_TRIES = 5

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
  const target: Target = { key: { tenantId, entityType, connectionId }, externalId, work }
  // More urgent than the run of the task would be.
  const source = await ports.openSource({ ...stored.document, type: 'webhook' })
  if (source.kind === 'refused') return park(ports, target, source)
  if (!source.fetchOne) return askForRun(ports, stored)
  const found = await source.fetchOne(externalId, work.signal)
  switch (found.kind) {
    case 'row':
      return storeRow(ports, target, { source, row: found.row })
    case 'gone':
      return message.record?.operation === 'delete' ? markDeleted(ports, target) : outcome('absent')
    case 'refused':
      return park(ports, target, found)
    case 'retry':
      return putOff(ports, target, found)
  }
}

interface Target {
  readonly key: StreamKey
  readonly externalId: string
  readonly work: Targeted
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
  problem: Extract<RowOutcome, { kind: 'retry' }>,
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
  target: Target,
  { source, row }: { readonly source: Source; readonly row: SourceRow },
): Promise<RecordOutcome> {
  const decoded = decode(source.mapping, row.values)
  if (!decoded.ok) {
    const { code, message } = decoded.error
    return park(ports, target, { kind: 'refused', code, reason: message })
  }
  const incoming: IncomingRow = {
    externalId: target.externalId,
    version: row.version,
    fields: decoded.fields,
  }
  return whileItHolds(ports, target, ({ link, record }) => {
    const news = newsOf(incoming, link?.document)
    if (news !== 'news') return { result: news, writes: [] }
    const change = applyRow(
      incoming,
      { link: link?.document, record: record?.document },
      { key: target.key, now: ports.clock() },
    )
    return {
      result: record ? 'updated' : 'created',
      writes: [conditional(change.record, record?.etag), conditional(change.link, link?.etag)],
    }
  })
}

/**
 * The record is kept as deleted. Its link takes no content for known and a version above the one seen, so that a row read
 * before the delete does not bring it back, and one that was restored and changed does.
 */
async function markDeleted(ports: SyncPorts, target: Target): Promise<RecordOutcome> {
  const now = ports.clock().toISOString()
  return whileItHolds(ports, target, ({ link, record }) => {
    if (!link || !record) return { result: 'absent', writes: [] }
    if (record.document.deletedAt !== undefined) return { result: 'unchanged', writes: [] }
    const { version } = link.document
    const above = { ...version, count: version.count + 1 }
    return {
      result: 'deleted',
      writes: [
        conditional({ ...record.document, deletedAt: now, updatedAt: now }, record.etag),
        conditional({ ...link.document, hash: '', version: above }, link.etag),
      ],
    }
  })
}

interface Known {
  readonly link: Stored<LinkDocument> | undefined
  readonly record: Stored<RecordDocument> | undefined
}

interface Plan {
  readonly result: RecordOutcome['result']
  readonly writes: readonly Write<ShardDocument>[]
}

/** Plans from what is stored and writes on condition that it still is. Throws `conflict` when it never holds still. */
async function whileItHolds(
  ports: SyncPorts,
  target: Target,
  plan: (known: Known) => Plan,
): Promise<RecordOutcome> {
  for (let tries = 0; tries < CONFLICT_TRIES; tries += 1) {
    const { result, writes } = plan(await lookUp(ports, target))
    if (writes.length === 0) return outcome(result)
    const written = await ports.shards.write(partitionOf(target.key), writes)
    if (written.committed) return outcome(result)
  }
  throw new AppError('conflict', `a record of ${target.key.entityType} kept changing`)
}

async function lookUp(ports: SyncPorts, { key, externalId }: Target): Promise<Known> {
  const partition = partitionOf(key)
  const link = await ports.shards.get(partition, linkId(key, externalId))
  if (link?.document.kind !== 'link') return { link: undefined, record: undefined }
  const record = await ports.shards.get(partition, link.document.recordId)
  return {
    link: { document: link.document, etag: link.etag },
    record:
      record?.document.kind === 'record'
        ? { document: record.document, etag: record.etag }
        : undefined,
  }
}

function conditional<T extends ShardDocument>(document: T, etag: string | undefined): Write<T> {
  return etag === undefined ? { kind: 'create', document } : { kind: 'replace', document, etag }
}
