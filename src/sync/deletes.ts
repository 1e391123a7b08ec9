import { addMs, HOUR_MS } from '../core/time.ts'
import { idOf } from '../core/ids.ts'
import { partitionOf, type HeldStream } from './lease.ts'
import { linkOf } from './draft.ts'
import { storePage, type Storing } from './page.ts'
import type { DeletedRow, Source, SourceRow, SyncPorts } from './ports.ts'
import type { ParkedDeletes } from './result.ts'
import type { TaskSide } from './sides.ts'

export interface DeletesWork {
  readonly source: Source
  readonly side: TaskSide
  readonly sides: readonly TaskSide[]
  readonly held: HeldStream
  readonly deletesApproved: boolean
  readonly signal: AbortSignal
}

const PAGE_SIZE = 200
/** How often everything that is there is compared with what we know, where the vendor does not tell of deletions. */
const COMPARE_MS = 24 * HOUR_MS
/** A vendor's list of deletions forgets: whoever was away for longer compares as well. */
const LOG_REACH_MS = 7 * 24 * HOUR_MS
/** So many rows may always be missing; beyond it a tenth of all looks like a mistake. */
const ALWAYS_ALLOWED = 10
const ALLOWED_SHARE = 0.1

/** After the last page: what was deleted there. Each deletion is confirmed by reading the row. */
export async function readDeletes(ports: SyncPorts, work: DeletesWork): Promise<Storing> {
  const { fetchDeleted, fetchIds } = work.source
  const read = fetchDeleted && (await readDeleted(ports, work, fetchDeleted))
  if (!read) {
    return fetchIds ? compareIds(ports, work, fetchIds) : { kind: 'stored', held: work.held }
  }
  if (read.kind !== 'stored' || !fetchIds) return read
  const now = ports.clock()
  const last = work.held.run.comparedAt
  const reached = last === undefined || addMs(new Date(last), LOG_REACH_MS) > now
  if (!reached || work.deletesApproved) {
    return compareIds(ports, { ...work, held: read.held }, fetchIds)
  }
  return { kind: 'stored', held: comparedAt(read.held, now) }
}

function comparedAt(held: HeldStream, now: Date): HeldStream {
  return { ...held, run: { ...held.run, comparedAt: now.toISOString() } }
}

/** Undefined when the vendor does not let us read what was deleted. */
async function readDeleted(
  ports: SyncPorts,
  work: DeletesWork,
  fetchDeleted: NonNullable<Source['fetchDeleted']>,
): Promise<Storing | undefined> {
  let held = work.held
  const from = held.run.deletedTo
  const overlap = from && addMs(new Date(from), -work.source.overlapMs).toISOString()
  let since = overlap === undefined ? null : { time: overlap, id: '' }
  for (;;) {
    const page = await fetchDeleted({ since, limit: PAGE_SIZE }, work.signal)
    if (page.kind === 'unavailable') return undefined
    if (page.kind !== 'page') return { kind: 'stopped', held, by: page }
    const stored = await storeDeletes(ports, { ...work, held }, page.rows)
    if (stored.kind !== 'stored') return stored
    const last = page.rows.at(-1)
    held = last ? deletedUpTo(stored.held, last.time) : stored.held
    const next = last && { time: last.time, id: last.externalId }
    const stuck = next && since && next.time === since.time && next.id === since.id
    if (!page.more || !next || stuck) return { kind: 'stored', held }
    since = next
  }
}

function deletedUpTo(held: HeldStream, time: string): HeldStream {
  const before = held.run.deletedTo ?? ''
  return { ...held, run: { ...held.run, deletedTo: before < time ? time : before } }
}

async function storeDeletes(
  ports: SyncPorts,
  work: DeletesWork,
  rows: readonly DeletedRow[],
): Promise<Storing> {
  const { held, source, side, sides, signal } = work
  return storePage(ports, held, {
    source,
    side,
    sides,
    signal,
    rows: rows.map(deletedRow),
    inOrder: false,
    fetchedAt: ports.clock(),
  })
}

function deletedRow({ externalId, time }: DeletedRow): SourceRow {
  return {
    externalId,
    cursor: { time, id: externalId },
    version: { time, count: Number.MAX_SAFE_INTEGER },
    values: {},
    deleted: true,
  }
}

async function compareIds(
  ports: SyncPorts,
  work: DeletesWork,
  fetchIds: NonNullable<Source['fetchIds']>,
): Promise<Storing> {
  const { held } = work
  const now = ports.clock()
  const last = held.run.comparedAt
  const due = last === undefined || addMs(new Date(last), COMPARE_MS) <= now
  if (!due && !work.deletesApproved) return { kind: 'stored', held }
  const there = new Set<string>()
  for (let after: string | null = null; ;) {
    const page = await fetchIds({ after, limit: PAGE_SIZE }, work.signal)
    if (page.kind !== 'page') return { kind: 'stopped', held, by: page }
    for (const id of page.ids) there.add(id)
    const next = page.ids.at(-1)
    if (!page.more || next === undefined || next === after) break
    after = next
  }
  const known = await knownIds(ports, work)
  const missing = known.filter((id) => !there.has(id))
  const allowed = Math.max(ALWAYS_ALLOWED, known.length * ALLOWED_SHARE)
  const suspicious = missing.length > 0 && (there.size === 0 || missing.length > allowed)
  const compared = comparedAt(held, now)
  if (suspicious && !work.deletesApproved) {
    await holdDeletes(ports, work, { missing: missing.length, known: known.length })
    return { kind: 'stored', held: compared }
  }
  const time = now.toISOString()
  return storeDeletes(
    ports,
    { ...work, held: compared },
    missing.map((externalId) => ({ externalId, time })),
  )
}

/** Ids of the connection's rows that are there as far as we know. */
async function knownIds(ports: SyncPorts, { held, side }: DeletesWork): Promise<string[]> {
  const { key } = held
  const conditions = [{ field: 'kind', is: '=', value: 'record' }] as const
  const found: string[] = []
  for await (const { document } of ports.shards.query({ anyOf: [conditions] }, partitionOf(key))) {
    if (document.kind !== 'record') continue
    const { externalId, goneAt } = linkOf(document, side.connectionId)
    if (externalId !== null && goneAt === undefined) found.push(externalId)
  }
  return found
}

async function holdDeletes(
  ports: SyncPorts,
  { held, side }: DeletesWork,
  counts: { readonly missing: number; readonly known: number },
): Promise<void> {
  const { key } = held
  const document: ParkedDeletes = {
    id: idOf('parked-deletes', key.connectionId, key.entityType),
    kind: 'deletes',
    ...key,
    taskId: side.task.id,
    reason: {
      code: 'deletes_held',
      message: `${counts.missing} of ${counts.known} rows are missing there: approve it if they were really deleted`,
    },
    ...counts,
    parkedAt: ports.clock().toISOString(),
  }
  await ports.parked.write([key.tenantId], [{ kind: 'upsert', document }])
}
