import { compareCursors, type Cursor } from './cursor.ts'
import { readDeletes } from './deletes.ts'
import { checkpoint, ended, LEASE_MS, type HeldStream } from './lease.ts'
import { storePage } from './page.ts'
import type { Source, SyncPorts, VendorProblem } from './ports.ts'
import type { TaskSide } from './sides.ts'
import type { Task } from './task.ts'

/** A checkpoint with no rows is written this often, to keep the lease. */
const IDLE_CHECKPOINT_MS = LEASE_MS / 4

export interface SyncLimits {
  /** Rows asked for at a time. */
  readonly pageSize: number
  /** How long one message may be worked on before the rest goes into another. */
  readonly sliceMs: number
  /** Tries without getting further before a run is given up until its next slot. */
  readonly maxAttempts: number
}

export type Slice =
  | { readonly kind: 'done'; readonly held: HeldStream }
  | { readonly kind: 'time_is_up'; readonly held: HeldStream }
  | { readonly kind: 'lost' }
  | {
      readonly kind: 'stopped'
      readonly held: HeldStream
      readonly by: VendorProblem
      /** Whether rows were read before it stopped. */
      readonly moved: boolean
    }

function stopped(reading: Reading, held: HeldStream, by: VendorProblem): Slice {
  const moved = held.run.counts.processed > reading.held.run.counts.processed
  return { kind: 'stopped', held, by, moved }
}

/** The vendor says that more rows follow, and sends the same ones again and again. */
const stall: VendorProblem = {
  kind: 'refused',
  code: 'stream_stalled',
  reason:
    'page after page brought no row behind the last one: more rows share a time than it gives out',
}
const MAX_STALLED_PAGES = 1_000
const MOST_HIDDEN_AT_ONCE = 5_000

function isBehind(position: Cursor | null, before: Cursor | null): boolean {
  return position !== null && (before === null || compareCursors(position, before) > 0)
}

export interface Reading {
  readonly side: TaskSide
  readonly sides: readonly TaskSide[]
  readonly source: Source
  readonly held: HeldStream
  readonly limits: SyncLimits
  readonly task: Task
  readonly deletesApproved: boolean
  readonly signal: AbortSignal
}

/** Reads and stores page after page until the stream ends, the time is up or something is in the way. */
export async function readPages(ports: SyncPorts, reading: Reading): Promise<Slice> {
  const { source, limits, signal } = reading
  const startedAt = ports.clock().getTime()
  let { held } = reading
  let skip = held.run.skip ?? 0
  while (!held.run.finished) {
    // Twice as many each time: whoever looks at hidden rows again from the same place shall not do so page by page.
    const limit = Math.min(Math.max(limits.pageSize, skip), MOST_HIDDEN_AT_ONCE)
    const request = { after: held.run.position, skip, limit }
    const fetchedAt = ports.clock()
    const page = await source.fetchPage(request, signal)
    if (page.kind !== 'page') return stopped(reading, held, page)
    const { rows, more } = page
    // What is stored with rows counts from behind them.
    const behind = skip + limit
    const counted = { ...held, run: { ...held.run, skip: rows.length === 0 ? behind : 0 } }
    const stored = await storePage(ports, counted, {
      ...reading,
      rows,
      fetchedAt,
      inOrder: true,
    })
    if (stored.kind === 'lost') return { kind: 'lost' }
    if (stored.kind === 'stopped') return stopped(reading, stored.held, stored.by)
    const advanced = isBehind(stored.held.run.position, held.run.position)
    // A page of which we may see nothing, or nothing new, does not move the position: look behind it.
    skip = advanced ? 0 : behind
    held = { ...stored.held, run: { ...stored.held.run, skip } }
    if (!more) {
      const deletes = await readDeletes(ports, { ...reading, held })
      if (deletes.kind === 'lost') return { kind: 'lost' }
      if (deletes.kind === 'stopped') return stopped(reading, deletes.held, deletes.by)
      held = { ...deletes.held, run: ended(deletes.held.run) }
    }
    if (more && skip > limits.pageSize * MAX_STALLED_PAGES) return stopped(reading, held, stall)
    const timeIsUp = ports.clock().getTime() - startedAt >= limits.sliceMs || signal.aborted
    if (more && timeIsUp) return { kind: 'time_is_up', held }
    if (more && !checkpointIsDue(ports, held)) continue
    const saved = await checkpoint(ports, held)
    if (saved.kind !== 'saved') return { kind: 'lost' }
    held = saved.held
  }
  return { kind: 'done', held }
}

function checkpointIsDue(ports: SyncPorts, { run }: HeldStream): boolean {
  const writtenAt = Date.parse(run.leaseUntil) - LEASE_MS
  return ports.clock().getTime() - writtenAt >= IDLE_CHECKPOINT_MS
}
