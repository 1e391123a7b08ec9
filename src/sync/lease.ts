import type { Stored, Write } from '../core/collection.ts'
import { addMs, MINUTE_MS } from '../core/time.ts'
import { laterOf, rewound } from './cursor.ts'
import type { SyncPorts } from './ports.ts'
import {
  noCounts,
  streamId,
  type Run,
  type ShardDocument,
  type StreamDocument,
  type StreamKey,
} from './record.ts'

/** A worker that has not committed for so long may be replaced by another run. */
export const LEASE_MS = 2 * MINUTE_MS

export type Lease =
  | { readonly kind: 'held'; readonly held: HeldStream }
  /** Another run works on the stream. */
  | { readonly kind: 'busy'; readonly until: Date }
  /** This run has gone on to a later message. */
  | { readonly kind: 'handed_over'; readonly slice: number }

/** Work on one stream by a worker that holds its lease. The tag changes with every commit: it is the fence. */
export interface HeldStream {
  readonly key: StreamKey
  readonly stream: Stored<StreamDocument>
  /** The run as it is in memory; `stream` has it as it was last stored. */
  readonly run: Run
}

interface Working {
  readonly runId: string
  readonly slice: number
  readonly overlapMs: number
  /** When somebody asked that everything is read. */
  readonly rereadAskedAt?: string | undefined
}

type StorePorts = Pick<SyncPorts, 'shards' | 'clock'>

export function partitionOf({ tenantId, entityType }: StreamKey): readonly [string, string] {
  return [tenantId, entityType]
}

/**
 * Takes the stream for a run, and raises its epoch. A worker of the same run is replaced at once: that its message came
 * again means that the bus gave it up, and whatever it still commits is refused. Another run's lease is respected.
 */
export async function takeLease(
  ports: StorePorts & Pick<SyncPorts, 'results'>,
  key: StreamKey,
  work: Working,
): Promise<Lease> {
  const now = ports.clock()
  const stored = await readStream(ports, key)
  const before = stored?.document
  const refusal = refusalOf(before?.run ?? null, work, now)
  if (refusal) return refusal
  const last = before?.run ?? null
  const isSame = last?.runId === work.runId
  const untold = isSame ? undefined : await untoldOf(ports, key, last)
  const run: Run = {
    ...(isSame ? last : newRun(before, work, now)),
    ...(untold ? { newlyMissing: untold } : {}),
    slice: work.slice,
    leaseUntil: addMs(now, LEASE_MS).toISOString(),
  }
  const document: StreamDocument = {
    id: streamId(key),
    kind: 'stream',
    ...key,
    cursor: before?.cursor ?? null,
    epoch: (before?.epoch ?? 0) + 1,
    run,
  }
  const outcome = await ports.shards.write(partitionOf(key), [
    stored ? { kind: 'replace', document, etag: stored.etag } : { kind: 'create', document },
  ])
  // Somebody took it in the same moment: whoever it is holds a fresh lease.
  if (!outcome.committed) return { kind: 'busy', until: addMs(now, LEASE_MS) }
  return { kind: 'held', held: { key, run, stream: { document, etag: outcome.etags[0] ?? '' } } }
}

function refusalOf(
  run: Run | null,
  work: { readonly runId: string; readonly slice: number },
  now: Date,
): Lease | undefined {
  if (run === null) return undefined
  if (run.runId === work.runId) {
    return run.slice > work.slice ? { kind: 'handed_over', slice: run.slice } : undefined
  }
  const until = new Date(run.leaseUntil)
  return !run.finished && until > now ? { kind: 'busy', until } : undefined
}

function newRun(
  before: StreamDocument | undefined,
  { runId, overlapMs, rereadAskedAt }: Working,
  now: Date,
): Omit<Run, 'slice' | 'leaseUntil'> {
  const { deletedTo, comparedAt, complete, missing, reread } = before?.run ?? {}
  const rereads = rereadAskedAt && rereadAskedAt > (reread ?? '') ? rereadAskedAt : undefined
  const behind = rewound(before?.cursor ?? null, overlapMs + durationOf(before?.run ?? null))
  return {
    runId,
    ...(deletedTo === undefined ? {} : { deletedTo }),
    ...(comparedAt === undefined ? {} : { comparedAt }),
    ...(complete === undefined ? {} : { complete }),
    ...(missing === undefined ? {} : { missing }),
    ...(reread === undefined ? {} : { reread }),
    ...(rereads === undefined ? {} : { rereads }),
    position: rereads === undefined ? behind : null,
    startedAt: now.toISOString(),
    counts: noCounts,
    finished: false,
  }
}

/** What a run has found missing and its report does not tell: it never came to it, or a message that came again found more. */
async function untoldOf(
  { results }: Pick<SyncPorts, 'results'>,
  { tenantId }: StreamKey,
  run: Run | null,
): Promise<Run['newlyMissing']> {
  const found = run?.newlyMissing ?? []
  if (!run || found.length === 0) return undefined
  const report = run.finished ? (await results.get([tenantId], run.runId))?.document : undefined
  const told = report && 'fieldsMissing' in report ? (report.fieldsMissing ?? []) : []
  const untold = found.filter((name) => !told.includes(name))
  return untold.length > 0 ? untold : undefined
}

/** A run that has read everything up to the end of the stream. */
export function ended({ rereads, ...run }: Run): Run {
  return { ...run, ...(rereads ? { reread: rereads } : {}), finished: true, complete: true }
}

/**
 * How long a run was under way, by our clocks. A row that was committed late while the run waited between two pages lies
 * before the newest row by so much more.
 */
function durationOf(run: Run | null): number {
  if (run === null) return 0
  const lastCommitMs = Date.parse(run.leaseUntil) - LEASE_MS
  const ms = Math.max(0, lastCommitMs - Date.parse(run.startedAt))
  // Whole minutes: a vendor that counts seconds cannot be asked for rows behind a part of one.
  return Math.ceil(ms / MINUTE_MS) * MINUTE_MS
}

async function readStream(
  ports: StorePorts,
  key: StreamKey,
): Promise<Stored<StreamDocument> | undefined> {
  const stored = await ports.shards.get(partitionOf(key), streamId(key))
  if (stored?.document.kind !== 'stream') return undefined
  return { document: stored.document, etag: stored.etag }
}

export type Checkpoint =
  /** With the new tags of the documents, in their order. */
  | { readonly kind: 'saved'; readonly held: HeldStream; readonly etags: readonly string[] }
  /** Somebody else holds the stream now. */
  | { readonly kind: 'lost' }
  /** The lease is ours, but one of the documents had changed. */
  | { readonly kind: 'conflict' }

/** Stores the run as it is in memory and prolongs the lease, together with the documents it speaks of: all or nothing. */
export async function checkpoint(
  ports: StorePorts,
  held: HeldStream,
  writes: readonly Write<ShardDocument>[] = [],
): Promise<Checkpoint> {
  const run = { ...held.run, leaseUntil: addMs(ports.clock(), LEASE_MS).toISOString() }
  const before = held.stream.document
  const document = { ...before, cursor: laterOf(before.cursor, run.position), run }
  const outcome = await ports.shards.write(partitionOf(held.key), [
    { kind: 'replace', document, etag: held.stream.etag },
    ...writes,
  ])
  if (!outcome.committed) return { kind: outcome.conflict === 0 ? 'lost' : 'conflict' }
  const [etag = '', ...etags] = outcome.etags
  return { kind: 'saved', held: { ...held, run, stream: { document, etag } }, etags }
}
