import { MAX_WRITES, type Stored, type Write } from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import { partitionOf } from './lease.ts'
import type { Pushing } from './outbound.ts'
import { addressed, parkPush } from './push.ts'
import { replay, withStep, type Job } from './push-job.ts'
import { commitAsPusher, freePusher, type HeldPusher } from './pusher.ts'
import { linkId, type LinkDocument, type RecordDocument, type ShardDocument } from './record.ts'
import { RESULT_TTL_SECONDS, type ParkedPush, type PushResult } from './result.ts'

/** A record changed by somebody else while it was pushed is read again so often. */
const CONFLICT_TRIES = 8
const WRITES_PER_COMMIT = MAX_WRITES - 1

export interface Committed {
  readonly held: HeldPusher
  readonly records: readonly RecordDocument[]
  readonly pushed: number
  readonly failed: number
  /** Whether the right to write was given back with the last of them. */
  readonly freed: boolean
}

interface Committing {
  readonly jobs: readonly Job[]
  /** Nothing more is in sight: the right to write goes back in the same step. */
  readonly frees: boolean
}

/**
 * Stores what the pushes brought about, each in its record as it is by then. Undefined when the lease was lost: whoever has
 * it now finds the same records in the outbox, and what the vendor did in the rows themselves.
 */
export async function commitJobs(
  pushing: Pushing,
  start: HeldPusher,
  committing: Committing,
): Promise<Committed | undefined> {
  const { jobs } = committing
  const startedAt = pushing.ports.clock()
  await parkFailed(pushing, jobs)
  const reports = jobs.filter(({ report }) => report)
  // What the vendor answered is so, whatever becomes of the lease.
  const [stored] = await Promise.all([
    commitAll(pushing, start, committing),
    writeResults(pushing, reports, startedAt),
  ])
  if (!stored) return undefined
  await unlist(pushing, reports)
  const failed = reports.filter(({ report }) => report?.error).length
  return { ...stored, failed, pushed: reports.length - failed }
}

async function commitAll(
  pushing: Pushing,
  start: HeldPusher,
  { jobs, frees }: Committing,
): Promise<Pick<Committed, 'held' | 'records' | 'freed'> | undefined> {
  let held = start
  let freed = false
  const records: RecordDocument[] = []
  for (let rest = jobs; rest.length > 0;) {
    const commit: Commit | undefined = await commitSome(pushing, held, { jobs: rest, frees })
    if (!commit) return undefined
    held = commit.held
    freed = commit.freed
    records.push(...commit.records)
    rest = rest.slice(commit.jobs)
  }
  return { held, records, freed }
}

interface Commit {
  readonly held: HeldPusher
  readonly records: readonly RecordDocument[]
  readonly jobs: number
  readonly freed: boolean
}

async function commitSome(
  pushing: Pushing,
  held: HeldPusher,
  { jobs, frees }: Committing,
): Promise<Commit | undefined> {
  let current = jobs
  for (let tries = 0; tries < CONFLICT_TRIES; tries += 1) {
    const plan = planCommit(pushing, current)
    if (plan.writes.length === 0) return { held, records: [], jobs: plan.jobs, freed: false }
    const freed = frees && plan.jobs === jobs.length
    const pusher = freed ? freePusher(pushing.ports.clock()) : {}
    const saved = await commitAsPusher(pushing.ports, held, { pusher, writes: plan.writes })
    if (saved.kind === 'lost') return undefined
    if (saved.kind === 'saved') {
      const records = plan.writes.flatMap(({ document }) =>
        document.kind === 'record' ? [document] : [],
      )
      return { held: saved.held, records, jobs: plan.jobs, freed }
    }
    current = await readAgain(pushing, current.slice(0, plan.jobs))
  }
  throw new AppError('conflict', 'a record kept changing while its push was stored')
}

function planCommit(pushing: Pushing, jobs: readonly Job[]) {
  const writes: Write<ShardDocument>[] = []
  let taken = 0
  for (const job of jobs) {
    const more = writesOf(pushing, job)
    if (taken > 0 && writes.length + more.length > WRITES_PER_COMMIT) break
    writes.push(...more)
    taken += 1
  }
  return { writes, jobs: taken }
}

function writesOf({ key, sides, ports }: Pushing, job: Job): readonly Write<ShardDocument>[] {
  const { document: before, etag } = job.stored
  const merged = replay(before, job.steps)
  const record = addressed(merged.record, sides)
  const same = !merged.changed && record.pending.join() === before.pending.join()
  if (same) return []
  const rev = before.rev + 1
  const updatedAt = ports.clock().toISOString()
  return [
    { kind: 'replace', document: { ...record, rev, updatedAt }, etag },
    ...(job.linked === undefined ? [] : [linkWrite(job.linked)]),
    ...merged.conflicts.map((document) => ({ kind: 'upsert', document }) as const),
  ]

  function linkWrite(externalId: string): Write<LinkDocument> {
    return {
      kind: 'create',
      document: {
        id: linkId(key, externalId),
        kind: 'link',
        ...key,
        externalId,
        recordId: before.id,
      },
    }
  }
}

/** The records as they are now, and whose the external rows are by now. */
async function readAgain(pushing: Pushing, jobs: readonly Job[]): Promise<Job[]> {
  const { ports, key, side } = pushing
  const linked = jobs.flatMap(({ linked }) => (linked === undefined ? [] : [linkId(key, linked)]))
  const ids = [...jobs.map(({ stored }) => stored.document.id), ...linked]
  const found = await ports.shards.getMany(partitionOf(key), ids)
  const documents = new Map(found.map((stored) => [stored.document.id, stored]))
  const now = ports.clock()
  const again = jobs.map((job): Job => {
    const fresh = recordAt(documents, job.stored.document.id)
    if (!fresh) throw new AppError('internal', `the record ${job.stored.document.id} is gone`)
    const { linked: externalId, ...unlinked } = job
    if (externalId === undefined) return { ...job, stored: fresh }
    const owner = documents.get(linkId(key, externalId))?.document
    if (owner?.kind !== 'link') return { ...job, stored: fresh }
    if (owner.recordId === fresh.document.id) return { ...unlinked, stored: fresh }
    // Somebody took the row for another record: two records that a person has to look at.
    const reason = { code: 'conflict', message: `the row is already the record ${owner.recordId}` }
    return withStep(
      { stored: fresh, steps: [] },
      (record) => parkPush(record, reason, { side, now }),
      { operation: 'create', externalId, error: { ...reason, retryable: false } },
    )
  })
  await parkFailed(
    pushing,
    again.filter(({ report }, index) => report !== jobs[index]?.report),
  )
  return again
}

function recordAt(
  documents: ReadonlyMap<string, Stored<ShardDocument>>,
  id: string,
): Stored<RecordDocument> | undefined {
  const stored = documents.get(id)
  return stored?.document.kind === 'record'
    ? { document: stored.document, etag: stored.etag }
    : undefined
}

/** Before the record says that it is parked, so that no parked record is missing from the list. */
async function parkFailed({ ports, key, side }: Pushing, jobs: readonly Job[]): Promise<void> {
  for (const { report, stored } of jobs) {
    if (!report?.error || report.error.retryable) continue
    const document: ParkedPush = {
      id: idOf('parked-push', key.connectionId, stored.document.id),
      kind: 'push',
      ...key,
      taskId: side.task.id,
      recordId: stored.document.id,
      reason: { code: report.error.code, message: report.error.message },
      parkedAt: ports.clock().toISOString(),
    }
    await ports.parked.write([key.tenantId], [{ kind: 'upsert', document }])
  }
}

/** What was refused once and is taken now is no business of a person any more. */
async function unlist({ ports, key }: Pushing, jobs: readonly Job[]): Promise<void> {
  for (const { report, stored } of jobs) {
    const { id, links } = stored.document
    if (report?.error || !links[key.connectionId]?.wasParked) continue
    const parked = await ports.parked.get([key.tenantId], idOf('parked-push', key.connectionId, id))
    if (!parked) continue
    await ports.parked.write(
      [key.tenantId],
      [{ kind: 'remove', document: parked.document, etag: parked.etag }],
    )
  }
}

async function writeResults(
  { ports, key, side }: Pushing,
  jobs: readonly Job[],
  startedAt: Date,
): Promise<void> {
  const now = ports.clock()
  const documents = jobs.flatMap(({ report, stored }): PushResult[] =>
    report
      ? [
          {
            id: idOf('pushed', key.connectionId, stored.document.id, String(stored.document.rev)),
            integrationId: side.integrationId,
            tenantId: key.tenantId,
            entityId: stored.document.id,
            externalId: report.externalId,
            operation: report.operation,
            success: report.error === undefined,
            duration: Math.max(0, now.getTime() - startedAt.getTime()),
            executedAt: now.toISOString(),
            ttl: RESULT_TTL_SECONDS,
            ...(report.error ? { error: report.error } : {}),
          },
        ]
      : [],
  )
  for (let start = 0; start < documents.length; start += MAX_WRITES) {
    const some = documents.slice(start, start + MAX_WRITES)
    await ports.results.write(
      [key.tenantId],
      some.map((document) => ({ kind: 'upsert', document })),
    )
  }
}
