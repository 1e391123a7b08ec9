import { MAX_WRITE_BYTES, MAX_WRITES, weigh, type Write } from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import { findDuplicates } from './duplicates.ts'
import { laterOf, type Cursor } from './cursor.ts'
import { checkpoint, type Checkpoint, type HeldStream } from './lease.ts'
import { storeDerived } from './derived.ts'
import { lookUp } from './look-up.ts'
import { decode, type Mapping } from './mapping.ts'
import { announce } from './outbox.ts'
import type { Source, SourceRow, SyncPorts, VendorProblem } from './ports.ts'
import { proveRows } from './proof.ts'
import type { Counts, ShardDocument } from './record.ts'
import type { ParkedRow } from './result.ts'
import {
  placeRow,
  stored,
  trial,
  weightOf,
  type DecodedRow,
  type RowContext,
  type RowOutcome,
  type Shelf,
} from './shelf.ts'
import type { TaskSide } from './sides.ts'

/** A row takes a record, perhaps a link, and conflicts; one write is the checkpoint's. */
const WRITES_PER_COMMIT = MAX_WRITES - 1
/** Three quarters of what a batch may weigh: the store adds fields of its own. */
const BYTES_PER_COMMIT = MAX_WRITE_BYTES * 0.75
/** A record is kept twice, once as it is and once as agreed; what is larger fits no commit. */
const MAX_ROW_BYTES = BYTES_PER_COMMIT / 4
/** Rows that are looked up together. */
const ROWS_PER_LOOK = 100
/** A record changed by somebody else between our read and our write is read again so often. */
const CONFLICT_TRIES = 8

export interface Page {
  readonly source: Source
  readonly rows: readonly SourceRow[]
  /** Rows that are not in the order of the stream leave its position where it is. */
  readonly inOrder: boolean
  readonly side: TaskSide
  readonly sides: readonly TaskSide[]
  /** Our time before the page was asked for. */
  readonly fetchedAt: Date
  readonly signal: AbortSignal
}

export type Storing =
  | { readonly kind: 'stored'; readonly held: HeldStream }
  /** Somebody else holds the stream now. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'stopped'; readonly held: HeldStream; readonly by: VendorProblem }

/**
 * Puts a page into the store: rows that cannot be taken are parked first; the others are written in commits that each move
 * the checkpoint behind their last row, so that a crash between two of them repeats no row and loses none.
 */
export async function storePage(ports: SyncPorts, held: HeldStream, page: Page): Promise<Storing> {
  const { rows, parked, missing } = decodeRows(page, held, ports.clock())
  await parkRows(ports, parked)
  const from = { key: held.key, side: page.side, correlationId: held.run.runId }
  await storeDerived(ports, page.rows, from)
  const noted = noteMissing(held, page.source.mapping, missing)
  let at = counting(noted, { failed: parked.length, processed: parked.length })
  for (let start = 0; start < rows.length; start += ROWS_PER_LOOK) {
    const some = { page, rows: rows.slice(start, start + ROWS_PER_LOOK) }
    const commit = await commitAll(ports, at, some)
    if (commit.kind !== 'stored') return commit
    at = commit.held
  }
  const last = page.rows.at(-1)
  return { kind: 'stored', held: last && page.inOrder ? moved(at, last.cursor) : at }
}

async function parkRows(ports: SyncPorts, parked: readonly ParkedRow[]): Promise<void> {
  for (const row of parked) {
    await ports.parked.write([row.tenantId], [{ kind: 'upsert', document: row }])
  }
}

function decodeRows(page: Page, held: HeldStream, now: Date) {
  const rows: DecodedRow[] = []
  const parked: ParkedRow[] = []
  const missing: (readonly string[])[] = []
  for (const source of page.rows) {
    const decoded = source.deleted
      ? ({ ok: true, fields: {}, missing: [] } as const)
      : decode(page.source.mapping, source.values)
    if (decoded.ok && !source.deleted) missing.push(decoded.missing)
    if (decoded.ok && weigh(decoded.fields) <= MAX_ROW_BYTES) {
      const { externalId, version } = source
      rows.push({ externalId, version, fields: decoded.fields, source })
      continue
    }
    const error = decoded.ok
      ? new AppError('body_too_large', 'the row is larger than a record may be')
      : decoded.error
    const payload = decoded.ok ? {} : source.values
    parked.push(parkedRow(held, { page, source, error, payload, now }))
  }
  return { rows, parked, missing }
}

/** What no row of a page has is missing; what some row has is not missing any more. Told once, in the run's result. */
function noteMissing(
  held: HeldStream,
  { fields }: Mapping,
  missing: readonly (readonly string[])[],
): HeldStream {
  if (missing.length === 0) return held
  const known = held.run.missing ?? []
  const now = fields
    .map(({ external }) => external)
    .filter((name) => missing.every((names) => names.includes(name)))
  if (now.join() === known.join()) return held
  const news = now.filter((name) => !known.includes(name))
  const newlyMissing = [...new Set([...(held.run.newlyMissing ?? []), ...news])]
  return { ...held, run: { ...held.run, missing: now, newlyMissing } }
}

function parkedRow(
  { key, run }: HeldStream,
  of: {
    readonly page: Page
    readonly source: SourceRow
    readonly error: AppError
    readonly payload: SourceRow['values']
    readonly now: Date
  },
): ParkedRow {
  return {
    id: idOf('parked', key.connectionId, key.entityType, of.source.externalId),
    kind: 'row',
    ...key,
    taskId: of.page.side.task.id,
    externalId: of.source.externalId,
    reason: { code: of.error.code, message: of.error.message },
    payload: of.payload,
    parkedAt: of.now.toISOString(),
    runId: run.runId,
  }
}

interface Some {
  readonly page: Page
  readonly rows: readonly DecodedRow[]
}

/** Looks the rows up once and commits them, as many at a time as fit; looks again when somebody else changed one. */
async function commitAll(ports: SyncPorts, held: HeldStream, some: Some): Promise<Storing> {
  let at = held
  let { rows } = some
  let shelf: Shelf | undefined
  for (let tries = 0; tries < CONFLICT_TRIES;) {
    if (!shelf) {
      const looked = await look(ports, at, { page: some.page, rows })
      if (looked.kind !== 'looked') return looked
      ;({ shelf, rows } = looked)
    }
    const plan = planCommit(at, { shelf, page: some.page, rows })
    const saved = await commit(ports, plan, some.page)
    if (saved.kind === 'lost') return { kind: 'lost' }
    if (saved.kind === 'conflict') {
      shelf = undefined
      tries += 1
      continue
    }
    stored(shelf, saved.etags)
    tries = 0
    at = saved.held
    rows = rows.slice(plan.rows)
    if (rows.length === 0) return { kind: 'stored', held: at }
  }
  throw new AppError(
    'conflict',
    `a record of ${held.key.entityType} kept changing while it was written`,
  )
}

type Look =
  | Extract<Storing, { kind: 'stopped' }>
  | { readonly kind: 'looked'; readonly shelf: Shelf; readonly rows: readonly DecodedRow[] }

/** What we know of the rows, and the rows as they are: those that contradict it were read again. */
async function look(ports: SyncPorts, held: HeldStream, { page, rows }: Some): Promise<Look> {
  const shelf = await lookUp(ports, held.key, rows)
  await findDuplicates(ports, rows, { shelf, key: held.key, side: page.side })
  const proven = await proveRows(rows, { shelf, key: held.key, page })
  if (proven.kind !== 'proven') return { kind: 'stopped', held, by: proven }
  return { kind: 'looked', shelf, rows: proven.rows }
}

async function commit(ports: SyncPorts, plan: Plan, page: Page): Promise<Checkpoint> {
  const { held, writes } = plan
  if (writes.length === 0) return { kind: 'saved', held, etags: [] }
  const saved = await checkpoint(ports, held, writes)
  if (saved.kind !== 'saved') return saved
  const records = writes.flatMap(({ document }) => (document.kind === 'record' ? [document] : []))
  const others = page.sides.filter(({ pushes }) => pushes)
  await announce(ports, records, { sides: others, correlationId: held.run.runId })
  return saved
}

interface Planning {
  readonly shelf: Shelf
  readonly page: Page
  readonly rows: readonly DecodedRow[]
}

interface Plan {
  readonly held: HeldStream
  readonly writes: readonly Write<ShardDocument>[]
  /** How many of the rows it is about. */
  readonly rows: number
}

function planCommit(held: HeldStream, { shelf, page, rows }: Planning): Plan {
  const context: RowContext = { key: held.key, side: page.side, sides: page.sides }
  const tally = { processed: 0, created: 0, updated: 0, failed: 0, conflicts: 0, resolved: 0 }
  let bytes = 0
  let taken = 0
  for (const row of rows) {
    const tried = trial(shelf)
    const outcome = placeRow(tried.shelf, row, context)
    bytes += weightOf(tried.shelf)
    const full =
      shelf.writes.size + tried.shelf.writes.size > WRITES_PER_COMMIT || bytes > BYTES_PER_COMMIT
    if (full && taken > 0) break
    tried.keep()
    taken += 1
    count(tally, outcome)
  }
  const last = rows[taken - 1]
  const counted = counting(held, tally)
  return {
    writes: [...shelf.writes.values()],
    held: last && page.inOrder ? moved(counted, last.source.cursor) : counted,
    rows: taken,
  }
}

function count(tally: Record<keyof Counts, number>, outcome: RowOutcome): void {
  tally.processed += 1
  if (outcome.kind === 'unchanged') return
  tally[outcome.kind === 'created' ? 'created' : 'updated'] += 1
  tally.conflicts += outcome.conflicts.opened
  tally.resolved += outcome.conflicts.resolved
}

function counting(held: HeldStream, more: Partial<Counts>): HeldStream {
  const { counts } = held.run
  const names = Object.keys(counts) as (keyof Counts)[] // an object of counts
  const sum = Object.fromEntries(names.map((name) => [name, counts[name] + (more[name] ?? 0)]))
  return { ...held, run: { ...held.run, counts: { ...counts, ...sum } } }
}

function moved(held: HeldStream, position: Cursor): HeldStream {
  return { ...held, run: { ...held.run, position: laterOf(held.run.position, position) } }
}
