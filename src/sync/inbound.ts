import { AppError } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import { retryDelayMs } from '../core/retry-delay.ts'
import { addMs, MINUTE_MS, SECOND_MS } from '../core/time.ts'
import { checkpoint, takeLease, type HeldStream } from './lease.ts'
import type { Refusal, SyncPorts } from './ports.ts'
import { readPages, type Slice, type SyncLimits } from './slice.ts'
import { noCounts } from './record.ts'
import { openStream } from './references.ts'
import { resultOf, type RunEnd, type SyncResult } from './result.ts'
import { sideOf, sidesOf } from './sides.ts'
import { syncRecord, type RecordOutcome } from './targeted.ts'
import { ended, startedBy, type InboundMessage, type Task } from './task.ts'

export type SliceOutcome =
  | { readonly kind: 'finished'; readonly result: SyncResult }
  /** The run goes on in another message. */
  | { readonly kind: 'continued'; readonly notBefore: Date | undefined }
  /** The message has no work any more: its run is over, or another worker has taken it. */
  | { readonly kind: 'stale' }
  | RecordOutcome

const backoff = { baseMs: 2 * SECOND_MS, capMs: 15 * MINUTE_MS }

/**
 * Works on a run until it is over or its slice of time is: reads page after page, stores them, and hands the rest over to
 * another message. Every step can be repeated: the message may come twice, late, or after a crash anywhere.
 */
export async function executeSync(
  ports: SyncPorts,
  limits: SyncLimits,
  work: { readonly message: InboundMessage; readonly signal: AbortSignal },
): Promise<SliceOutcome> {
  const { message } = work
  if (message.record) {
    return syncRecord(ports, { message, maxAttempts: limits.maxAttempts, signal: work.signal })
  }
  const task = await startRun(ports, message)
  if (!task) return { kind: 'stale' }
  const source = await openStream(ports, task)
  if (source.kind === 'refused') return refuseRun(ports, message, source)
  const { tenantId, entityType, connectionId } = task
  const lease = await takeLease(
    ports,
    { tenantId, entityType, connectionId },
    {
      runId: message.correlationId,
      slice: message.slice,
      overlapMs: source.overlapMs,
      rereadAskedAt: task.rereadAskedAt,
    },
  )
  if (lease.kind === 'busy') return sendSlice(ports, message, { notBefore: lease.until })
  if (lease.kind === 'handed_over')
    return sendSlice(ports, { ...message, slice: lease.slice - 1 }, {})
  const side = await sideOf(ports, task)
  if (!side) return refuseRun(ports, message, noStream(task))
  const { held } = lease
  const isNews = held.run.complete && held.run.rereads === undefined
  const reader = isNews ? source : await openStream(ports, unhurried(task))
  if (reader.kind === 'refused') return giveUp(ports, message, { held, ...reader })
  const slice = await readPages(ports, {
    side,
    sides: await sidesOf(ports, tenantId, entityType),
    source: reader,
    held,
    limits,
    task,
    deletesApproved: task.deletesApproved ?? false,
    signal: work.signal,
  })
  return settle(ports, { message, slice, limits })
}

/** Where everything is read, its calls stand behind those that only look for news, whoever asked for it. */
function unhurried(task: Task): Task {
  return { ...task, type: 'scheduled', priority: 'low' }
}

function noStream({ integrationId, entityType }: Task): Refusal {
  const reason = `${integrationId} has no stream of ${entityType}`
  return { kind: 'refused', code: 'unknown_vendor', reason }
}

/** Marks the task as running. Undefined when the message's run is not the task's (any more). */
async function startRun(ports: SyncPorts, message: InboundMessage): Promise<Task | undefined> {
  const stored = await ports.tasks.get([message.tenantId], message.taskId)
  const task = stored && startedBy(stored.document, message.correlationId, ports.clock())
  if (!stored || !task) return undefined
  const written = await ports.tasks.write(
    [task.tenantId],
    [{ kind: 'replace', document: task, etag: stored.etag }],
  )
  // Whoever changed it in this moment, an operator or another worker: look again when the message comes back.
  if (!written.committed) throw new AppError('conflict', `task ${task.id} changed as its run began`)
  return task
}

interface Settling {
  readonly message: InboundMessage
  readonly slice: Slice
  readonly limits: SyncLimits
}

async function settle(
  ports: SyncPorts,
  { message, slice, limits }: Settling,
): Promise<SliceOutcome> {
  if (slice.kind === 'lost') return { kind: 'stale' }
  if (slice.kind === 'done') return report(ports, message, slice.held.run)
  if (slice.kind === 'time_is_up') {
    return handOver(ports, message, { held: slice.held, attempt: 1 })
  }
  const { held, by } = slice
  if (by.kind === 'refused')
    return giveUp(ports, message, { held, code: by.code, reason: by.reason })
  const attempt = slice.moved ? 1 : message.attempt
  // Whoever waits for quota has not failed.
  const failed = by.limited !== true
  if (failed && attempt >= limits.maxAttempts) {
    return giveUp(ports, message, { held, code: 'vendor_failed', reason: by.reason })
  }
  const delayMs = by.afterMs ?? retryDelayMs(attempt, ports.random(), backoff)
  const notBefore = addMs(ports.clock(), delayMs)
  return handOver(ports, message, {
    held,
    attempt: failed ? attempt + 1 : attempt,
    notBefore,
  })
}

interface Handover {
  readonly held: HeldStream
  readonly attempt: number
  readonly notBefore?: Date
}

/** The run goes on in the next message. That it does is stored before the message is sent: this one may come again. */
async function handOver(
  ports: SyncPorts,
  message: InboundMessage,
  { held, attempt, notBefore }: Handover,
): Promise<SliceOutcome> {
  const run = { ...held.run, slice: message.slice + 1 }
  const saved = await checkpoint(ports, { ...held, run })
  if (saved.kind !== 'saved') return { kind: 'stale' }
  return sendSlice(ports, { ...message, attempt }, notBefore ? { notBefore } : {})
}

/** Sends the message that follows. Its id follows from the run and its number: sent twice, it arrives once. */
async function sendSlice(
  ports: SyncPorts,
  message: InboundMessage,
  when: { readonly notBefore?: Date },
): Promise<SliceOutcome> {
  const slice = message.slice + 1
  const enqueuedAt = ports.clock().toISOString()
  const body: InboundMessage = { ...message, slice, deferrals: 0, enqueuedAt }
  const id = idOf('slice', body.correlationId, String(slice))
  await ports.inbound.send([{ id, body, correlationId: body.correlationId, ...when }])
  return { kind: 'continued', notBefore: when.notBefore }
}

/** Ends the run before the end of its stream; the next one goes on from where this one came. */
async function giveUp(
  ports: SyncPorts,
  message: InboundMessage,
  { held, code, reason }: { readonly held: HeldStream } & Omit<Refusal, 'kind'>,
): Promise<SliceOutcome> {
  const run = { ...held.run, finished: true, error: { code, message: reason } }
  const saved = await checkpoint(ports, { ...held, run })
  if (saved.kind !== 'saved') return { kind: 'stale' }
  return report(ports, message, run)
}

/** A run that could not begin. */
async function refuseRun(
  ports: SyncPorts,
  message: InboundMessage,
  { code, reason }: Refusal,
): Promise<SliceOutcome> {
  const startedAt = ports.clock().toISOString()
  return report(ports, message, {
    startedAt,
    counts: noCounts,
    error: { code, message: reason },
  })
}

/**
 * Writes the result and frees the task. Both can be repeated. The first result stays: a run whose worker died in between
 * may find its stream in the hands of the next one, and then it reads again what it has read before.
 */
async function report(
  ports: SyncPorts,
  message: InboundMessage,
  run: RunEnd,
): Promise<SliceOutcome> {
  const result = resultOf(message, run, ports.clock())
  await ports.results.write([result.tenantId], [{ kind: 'create', document: result }])
  await endRun(ports, message, run.error ? 'failed' : 'completed')
  return { kind: 'finished', result }
}

async function endRun(
  ports: SyncPorts,
  message: InboundMessage,
  status: 'completed' | 'failed',
): Promise<void> {
  const stored = await ports.tasks.get([message.tenantId], message.taskId)
  if (stored?.document.claim?.runId !== message.correlationId) return
  const document = ended(stored.document, status, ports.clock())
  const written = await ports.tasks.write(
    [document.tenantId],
    [{ kind: 'replace', document, etag: stored.etag }],
  )
  if (!written.committed) {
    throw new AppError('conflict', `task ${document.id} changed as its run ended`)
  }
}
