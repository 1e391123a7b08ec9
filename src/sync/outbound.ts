import type { Stored } from '../core/collection.ts'
import { idOf } from '../core/ids.ts'
import { retryDelayMs } from '../core/retry-delay.ts'
import { addMs, MINUTE_MS, SECOND_MS } from '../core/time.ts'
import { partitionOf } from './lease.ts'
import { announce } from './outbox.ts'
import type { PushAbilities, SyncPorts, VendorProblem } from './ports.ts'
import { firstBatch, nextBatch } from './push-batch.ts'
import { lookBefore, writeAll, type Called, type Calling } from './push-calls.ts'
import { commitJobs } from './push-commit.ts'
import { replay, type Job } from './push-job.ts'
import {
  commitAsPusher,
  freePusher,
  takePusher,
  type HeldPusher,
  type PusherLease,
} from './pusher.ts'
import { openStream } from './references.ts'
import { streamId, type RecordDocument, type StreamKey } from './record.ts'
import { sidesOf, type TaskSide } from './sides.ts'
import type { OutboundMessage } from './task.ts'

export interface PushLimits {
  /** How long one message may be worked on before the rest goes into another. */
  readonly sliceMs: number
  /** Tries of one record before it is parked. */
  readonly maxAttempts: number
  /** Longer than any call of a vendor takes: nobody else writes to the connection meanwhile. */
  readonly leaseMs: number
}

export type PushOutcome =
  | { readonly kind: 'finished'; readonly pushed: number; readonly failed: number }
  /** The rest goes on in another message. */
  | { readonly kind: 'continued'; readonly notBefore: Date | undefined; readonly pushed: number }
  /** No task writes to the connection (any more). */
  | { readonly kind: 'stale' }

const backoff = { baseMs: 2 * SECOND_MS, capMs: 15 * MINUTE_MS }
/** What a person has to mend is looked at again ever more seldom: it may be mended at once, or not today. */
const refusedBackoff = { baseMs: 10 * SECOND_MS, capMs: 15 * MINUTE_MS }
/** Until the first run over everything that is there has ended, it is asked for so often. */
const UNREAD_MS = 30 * SECOND_MS
/** Records read and pushed together, unless the vendor takes more in a call. */
const RECORDS_AT_A_TIME = 40
/** What is pushed at a time, whatever a vendor takes; as many again are read ahead. */
const MOST_RECORDS = 200

/**
 * Tells a connection everything it has not been told yet. The message only says that there is something: what is pushed is
 * the difference between the record as it is now and what was last agreed, so ten changes become one call, and a message
 * that comes twice or late finds nothing to do.
 */
export async function pushChanges(
  ports: SyncPorts,
  limits: PushLimits,
  work: { readonly message: OutboundMessage; readonly signal: AbortSignal },
): Promise<PushOutcome> {
  const { message, signal } = work
  const { tenantId, entityType, connectionId } = message
  const sides = await sidesOf(ports, tenantId, entityType)
  const side = sides.find((one) => one.connectionId === connectionId && one.pushes)
  if (!side) return { kind: 'stale' }
  const source = await openStream(ports, side.task)
  const refused = source.kind === 'refused' ? source : undefined
  const abilities = source.kind === 'source' ? source.push : undefined
  if (!refused && !abilities) return { kind: 'stale' }
  const key = { tenantId, entityType, connectionId }
  const pushing: Pushing = { ports, limits, key, side, sides, signal, message }
  const lease = await takePusherFor(pushing)
  if (lease.kind === 'busy') return comeBack(ports, message, { at: lease.until, pushed: 0 })
  if (await isUnread(ports, side, key)) {
    const problem = {
      kind: 'retry',
      reason: 'its rows are not all read yet',
      afterMs: UNREAD_MS,
    } as const
    return pause(pushing, { held: lease.held, problem, pushed: 0 })
  }
  if (!abilities) return pause(pushing, { held: lease.held, problem: refused ?? gone, pushed: 0 })
  return drain(pushing, { held: lease.held, abilities })
}

function takePusherFor({ ports, limits, key, message }: Pushing): Promise<PusherLease> {
  return takePusher(ports, key, { owner: message.correlationId, leaseMs: limits.leaseMs })
}

/** Where new rows may be records of ours, nothing is created before all that is there was read once. */
async function isUnread(ports: SyncPorts, side: TaskSide, key: StreamKey): Promise<boolean> {
  if (!side.duplicates || side.task.syncMode === 'push') return false
  const stream = await ports.shards.get(partitionOf(key), streamId(key))
  return stream?.document.kind !== 'stream' || stream.document.run?.complete !== true
}

const gone: VendorProblem = {
  kind: 'refused',
  code: 'unknown_vendor',
  reason: 'it cannot be written',
}

export interface Pushing {
  readonly ports: SyncPorts
  readonly limits: PushLimits
  readonly key: StreamKey
  readonly side: TaskSide
  readonly sides: readonly TaskSide[]
  readonly signal: AbortSignal
  readonly message: OutboundMessage
}

async function drain(
  pushing: Pushing,
  start: { readonly held: HeldPusher; readonly abilities: PushAbilities },
): Promise<PushOutcome> {
  const { ports, limits, message, signal } = pushing
  const startedAt = ports.clock().getTime()
  const { batchSize } = start.abilities
  const size = Math.min(MOST_RECORDS, Math.max(RECORDS_AT_A_TIME, batchSize))
  let held: HeldPusher | undefined = start.held
  let pushed = 0
  let failed = 0
  let batch = await firstBatch(pushing, size)
  for (;;) {
    if (batch.records.length === 0) {
      await free(pushing, held)
      if (!batch.waitUntil) return { kind: 'finished', pushed, failed }
      return comeBack(ports, message, { at: batch.waitUntil, pushed })
    }
    if (!held) {
      const lease = await takePusherFor(pushing)
      if (lease.kind === 'busy') return comeBack(ports, message, { at: lease.until, pushed })
      held = lease.held
      // Somebody else may have pushed them by now.
      batch = await nextBatch(pushing, size)
      continue
    }
    const renewed = await renew(pushing, held)
    if (!renewed) return { kind: 'stale' }
    const called = await call(pushing, batch.records, start.abilities)
    // What waits next is read while this is stored; where nothing more was in sight, it is looked for afterwards.
    const { records } = batch
    const isLast = !called.problem && records.length < size
    const [committed, ahead] = await Promise.all([
      commitJobs(pushing, renewed, { jobs: called.jobs, frees: isLast }),
      called.problem || isLast ? undefined : nextBatch(pushing, size, records),
    ])
    if (!committed) return { kind: 'stale' }
    held = committed.freed ? undefined : committed.held
    pushed += committed.pushed
    failed += committed.failed
    await announce(ports, committed.records, {
      sides: pushing.sides.filter(
        ({ connectionId, pushes }) => pushes && connectionId !== pushing.side.connectionId,
      ),
      correlationId: message.correlationId,
    })
    const { problem } = called
    if (problem) return pause(pushing, { held: committed.held, problem, pushed })
    if (signal.aborted || ports.clock().getTime() - startedAt >= limits.sliceMs) {
      await free(pushing, held)
      return comeBack(ports, message, { at: undefined, pushed })
    }
    batch = ahead?.records.length ? ahead : await nextBatch(pushing, size)
  }
}

/** Asks and writes. A record that the vendor was not asked about is not among the jobs. */
async function call(
  pushing: Pushing,
  records: readonly Stored<RecordDocument>[],
  abilities: PushAbilities,
): Promise<Called> {
  const { ports, limits, side, signal } = pushing
  const now = ports.clock()
  const calling: Calling = {
    abilities,
    side,
    now,
    signal,
    retries: {
      maxAttempts: limits.maxAttempts,
      retryAt: (attempt) => addMs(now, retryDelayMs(attempt, ports.random(), backoff)),
    },
  }
  const jobs = records.map((stored): Job => ({ stored, steps: [] }))
  const looked = await lookBefore(jobs, calling)
  // What is about to be written over is stored first: the next round writes, whether this worker lives to see it or not.
  const contested = looked.jobs.filter(hasConflicts)
  const written = await writeAll(
    looked.jobs.filter((job) => !contested.includes(job)),
    calling,
  )
  const problem = looked.problem ?? written.problem
  const done = [...contested, ...written.jobs]
  return problem ? { jobs: done, problem } : { jobs: done }
}

function hasConflicts({ stored, steps }: Job): boolean {
  return replay(stored.document, steps).conflicts.length > 0
}

async function renew(
  { ports, limits }: Pushing,
  held: HeldPusher,
): Promise<HeldPusher | undefined> {
  const left = Date.parse(held.stored.document.leaseUntil) - ports.clock().getTime()
  if (left > limits.leaseMs / 2) return held
  const leaseUntil = addMs(ports.clock(), limits.leaseMs).toISOString()
  const saved = await commitAsPusher(ports, held, { pusher: { leaseUntil } })
  return saved.kind === 'saved' ? saved.held : undefined
}

async function free({ ports }: Pushing, held: HeldPusher | undefined): Promise<void> {
  if (held) await commitAsPusher(ports, held, { pusher: freePusher(ports.clock()) })
}

/** The vendor takes nothing for now: the whole connection waits, and no record's tries are counted. */
async function pause(
  { ports, message }: Pushing,
  of: { readonly held: HeldPusher; readonly problem: VendorProblem; readonly pushed: number },
): Promise<PushOutcome> {
  const now = ports.clock()
  const { problem } = of
  const failures = of.pushed > 0 ? 1 : of.held.stored.document.failures + 1
  const known = problem.kind === 'retry' ? problem.afterMs : undefined
  const backoffOf = problem.kind === 'refused' ? refusedBackoff : backoff
  const delayMs = known ?? retryDelayMs(failures, ports.random(), backoffOf)
  const notBefore = addMs(now, delayMs)
  await commitAsPusher(ports, of.held, {
    pusher: {
      leaseUntil: now.toISOString(),
      notBefore: notBefore.toISOString(),
      failures,
      waitsFor: problem.reason,
    },
  })
  return comeBack(ports, message, { at: notBefore, pushed: of.pushed })
}

/** Sends the message that follows. Those of one connection for one time are one. */
async function comeBack(
  ports: SyncPorts,
  message: OutboundMessage,
  { at, pushed }: { readonly at: Date | undefined; readonly pushed: number },
): Promise<PushOutcome> {
  const now = ports.clock()
  const { tenantId, connectionId, entityType } = message
  const hop = message.hop + 1
  const time = (at ?? now).toISOString()
  const id = idOf('push-later', tenantId, connectionId, entityType, time, String(hop))
  const body: OutboundMessage = { ...message, hop, deferrals: 0, enqueuedAt: now.toISOString() }
  await ports.outbound.send([
    { id, body, correlationId: message.correlationId, ...(at ? { notBefore: at } : {}) },
  ])
  return { kind: 'continued', notBefore: at, pushed }
}
