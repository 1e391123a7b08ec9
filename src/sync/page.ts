import { MAX_WRITE_BYTES, MAX_WRITES, weigh, type Stored, type Write } from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import { laterOf, type Cursor } from './cursor.ts'
import { checkpoint, partitionOf, type HeldStream } from './lease.ts'
import { decode } from './mapping.ts'
import type { Source, SourceRow, SyncPorts } from './ports.ts'
import {
  applyRow,
  linkId,
  newsOf,
  type Counts,
  type IncomingRow,
  type LinkDocument,
  type RecordDocument,
  type ShardDocument,
  type StreamKey,
} from './record.ts'
import type { ParkedRow } from './result.ts'

/** One write is the checkpoint's; a row takes two. */
const ROWS_PER_COMMIT = Math.floor((MAX_WRITES - 1) / 2)
/** Three quarters of what a batch may weigh: the store adds fields of its own. */
const BYTES_PER_COMMIT = MAX_WRITE_BYTES * 0.75
/** A record changed by somebody else between our read and our write is read again so often. */
const CONFLICT_TRIES = 5

interface DecodedRow extends IncomingRow {
  readonly cursor: Cursor
}

/**
 * Puts a page into the store: rows that cannot be taken are parked first; the others are written in commits that each move
 * the checkpoint behind their last row, so that a crash between two of them repeats no row and loses none.
 * Returns the stream as it is now; undefined when the lease was lost.
 */
export async function storePage(
  ports: SyncPorts,
  held: HeldStream,
  page: { readonly source: Source; readonly rows: readonly SourceRow[]; readonly taskId: string },
): Promise<HeldStream | undefined> {
  const { rows, parked } = decodeRows(page, held, ports.clock())
  for (const row of parked) {
    await ports.parked.write([row.tenantId], [{ kind: 'upsert', document: row }])
  }
  let at: HeldStream | undefined = counting(held, {
    failed: parked.length,
    processed: parked.length,
  })
  for (let done = 0; at && done < rows.length;) {
    const commit: CommitResult | undefined = await commitSome(ports, at, rows.slice(done))
    at = commit?.held
    done += commit?.rows ?? 0
  }
  const last = page.rows.at(-1)
  return at && last ? moved(at, last.cursor) : at
}

function decodeRows(
  page: { readonly source: Source; readonly rows: readonly SourceRow[]; readonly taskId: string },
  { key, run }: HeldStream,
  now: Date,
): { rows: DecodedRow[]; parked: ParkedRow[] } {
  const rows: DecodedRow[] = []
  const parked: ParkedRow[] = []
  for (const row of page.rows) {
    const decoded = decode(page.source.mapping, row.values)
    if (decoded.ok && weigh(decoded.fields) <= BYTES_PER_COMMIT / 2) {
      rows.push({
        externalId: row.externalId,
        version: row.version,
        fields: decoded.fields,
        cursor: row.cursor,
      })
      continue
    }
    const error = decoded.ok
      ? new AppError('body_too_large', 'the row is larger than a record may be')
      : decoded.error
    parked.push({
      id: idOf('parked', key.connectionId, key.entityType, row.externalId),
      kind: 'row',
      ...key,
      taskId: page.taskId,
      externalId: row.externalId,
      reason: { code: error.code, message: error.message },
      payload: decoded.ok ? {} : row.values,
      parkedAt: now.toISOString(),
      runId: run.runId,
    })
  }
  return { rows, parked }
}

interface CommitResult {
  readonly held: HeldStream
  readonly rows: number
}

/** Commits as many of the rows as fit; reads again and tries again when somebody else changed one of them. */
async function commitSome(
  ports: SyncPorts,
  held: HeldStream,
  rows: readonly DecodedRow[],
): Promise<CommitResult | undefined> {
  for (let tries = 0; tries < CONFLICT_TRIES; tries += 1) {
    const plan = await planCommit(ports, held, rows)
    if (plan.writes.length === 0) return { held: plan.held, rows: plan.rows }
    const saved = await checkpoint(ports, plan.held, plan.writes)
    if (saved.kind === 'saved') return { held: saved.held, rows: plan.rows }
    if (saved.kind === 'lost') return undefined
  }
  throw new AppError(
    'conflict',
    `a record of ${held.key.entityType} kept changing while it was written`,
  )
}

interface CommitPlan extends CommitResult {
  readonly writes: readonly Write<ShardDocument>[]
}

async function planCommit(
  ports: SyncPorts,
  held: HeldStream,
  rows: readonly DecodedRow[],
): Promise<CommitPlan> {
  const known = await lookUp(ports, held.key, rows)
  const writes: Write<ShardDocument>[] = []
  const counts = { processed: 0, created: 0, updated: 0 }
  let bytes = 0
  let taken = 0
  for (const row of rows) {
    const link = known.links.get(row.externalId)
    if (newsOf(row, link?.document) === 'news') {
      const record = link && known.records.get(link.document.recordId)
      const change = applyRow(
        row,
        { link: link?.document, record: record?.document },
        { key: held.key, now: ports.clock() },
      )
      const size = weigh(change.record) + weigh(change.link)
      if (writes.length / 2 >= ROWS_PER_COMMIT || bytes + size > BYTES_PER_COMMIT) break
      bytes += size
      writes.push(conditional(change.record, record?.etag), conditional(change.link, link?.etag))
      counts[record ? 'updated' : 'created'] += 1
    }
    counts.processed += 1
    taken += 1
  }
  const last = rows[taken - 1]
  const counted = counting(held, counts)
  return { held: last ? moved(counted, last.cursor) : counted, rows: taken, writes }
}

function conditional<T extends ShardDocument>(document: T, etag: string | undefined): Write<T> {
  return etag === undefined ? { kind: 'create', document } : { kind: 'replace', document, etag }
}

interface Known {
  readonly links: ReadonlyMap<string, Stored<LinkDocument>>
  readonly records: ReadonlyMap<string, Stored<RecordDocument>>
}

/** Two round trips a page: all links, then the records of those links whose content changed. */
async function lookUp(
  ports: SyncPorts,
  key: StreamKey,
  rows: readonly DecodedRow[],
): Promise<Known> {
  const partition = partitionOf(key)
  const found = await ports.shards.getMany(
    partition,
    rows.map((row) => linkId(key, row.externalId)),
  )
  const links = new Map(
    found.flatMap((stored) =>
      stored.document.kind === 'link'
        ? [[stored.document.externalId, { document: stored.document, etag: stored.etag }] as const]
        : [],
    ),
  )
  const changed = rows.flatMap((row) => {
    const link = links.get(row.externalId)?.document
    return link && newsOf(row, link) === 'news' ? [link.recordId] : []
  })
  const records = changed.length === 0 ? [] : await ports.shards.getMany(partition, changed)
  return {
    links,
    records: new Map(
      records.flatMap(({ document, etag }) =>
        document.kind === 'record' ? [[document.id, { document, etag }] as const] : [],
      ),
    ),
  }
}

function counting(held: HeldStream, more: Partial<Counts>): HeldStream {
  const { counts } = held.run
  const sum: Counts = {
    processed: counts.processed + (more.processed ?? 0),
    created: counts.created + (more.created ?? 0),
    updated: counts.updated + (more.updated ?? 0),
    failed: counts.failed + (more.failed ?? 0),
  }
  return { ...held, run: { ...held.run, counts: sum } }
}

function moved(held: HeldStream, position: Cursor): HeldStream {
  return { ...held, run: { ...held.run, position: laterOf(held.run.position, position) } }
}
