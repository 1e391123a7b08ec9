import type { Stored, Write } from '../core/collection.ts'
import { weigh } from '../core/collection.ts'
import { adoptRow, mergeRow, recordOf } from './merge.ts'
import { mergeDeletion } from './deletion.ts'
import { isFree, linkOf, type Merged } from './draft.ts'
import { awaitReview, likelyDuplicate } from './likely-duplicate.ts'
import { addressed } from './push.ts'
import type { SourceRow } from './ports.ts'
import {
  linkId,
  recordIdOf,
  recordOfMarker,
  type IncomingRow,
  type LinkDocument,
  type RecordDocument,
  type ShardDocument,
  type StreamKey,
} from './record.ts'
import type { TaskSide } from './sides.ts'

/** A row as inbound work sees it. */
export interface DecodedRow extends IncomingRow {
  readonly source: SourceRow
  /** It is perhaps there, but we may not see it. */
  readonly hidden?: boolean
}

/** Links by external id, records by their own. */
interface Known<V> {
  get(id: string): V | undefined
  set(id: string, value: V): unknown
}

/** Documents that were read for some rows, and what the rows make of them. */
export interface Shelf {
  readonly links: Known<Stored<LinkDocument>>
  readonly records: Known<Stored<RecordDocument>>
  readonly writes: Map<string, Write<ShardDocument>>
  /** Records that new rows may already be, by external id. */
  readonly matches: Map<string, { readonly recordId: string; readonly verdict: 'sure' | 'likely' }>
  readonly now: Date
}

export interface RowContext {
  readonly key: StreamKey
  /** The side that the rows come from. */
  readonly side: TaskSide
  readonly sides: readonly TaskSide[]
}

export type RowOutcome =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'created' | 'updated' | 'deleted'; readonly conflicts: Conflicts }

interface Conflicts {
  readonly opened: number
  readonly resolved: number
}

/** A shelf on which a row can be tried: what it makes goes onto the one below when it is kept, and nowhere otherwise. */
export function trial(below: Shelf): { readonly shelf: Shelf; readonly keep: () => void } {
  const links = layer(below.links)
  const records = layer(below.records)
  const writes: Shelf['writes'] = new Map()
  return {
    shelf: { ...below, links, records, writes },
    keep: () => {
      links.settle()
      records.settle()
      for (const [id, write] of writes) below.writes.set(id, write)
    },
  }
}

function layer<V>(below: Known<V>): Known<V> & { readonly settle: () => void } {
  const own = new Map<string, V>()
  return {
    get: (id) => own.get(id) ?? below.get(id),
    set: (id, value) => own.set(id, value),
    settle: () => {
      for (const [id, value] of own) below.set(id, value)
    },
  }
}

/** What was on the shelf is stored: it has these tags now, and nothing is to be written any more. */
export function stored(shelf: Shelf, etags: readonly string[]): void {
  for (const [index, { document }] of [...shelf.writes.values()].entries()) {
    const etag = etags[index] ?? ''
    if (document.kind === 'record') shelf.records.set(document.id, { document, etag })
    if (document.kind === 'link') shelf.links.set(document.externalId, { document, etag })
  }
  shelf.writes.clear()
}

const unchanged: RowOutcome = { kind: 'unchanged' }

/** The ids of everything that must be known before a row can be placed. */
export function idsFor(key: StreamKey, { source }: Pick<DecodedRow, 'source'>): readonly string[] {
  const marked = source.marker === undefined ? undefined : recordOfMarker(source.marker)
  return [
    linkId(key, source.externalId),
    recordIdOf(key, source.externalId),
    ...(marked ? [marked.recordId] : []),
  ]
}

/** The record that a row is, with what is agreed about it; undefined for a row never seen. */
export function recordFor(shelf: Shelf, externalId: string): RecordDocument | undefined {
  const recordId = shelf.links.get(externalId)?.document.recordId
  return recordId === undefined ? undefined : shelf.records.get(recordId)?.document
}

/** Puts a row on the shelf: what is to be written for it is in `writes` then. */
export function placeRow(shelf: Shelf, row: DecodedRow, context: RowContext): RowOutcome {
  const { side } = context
  if (row.hidden) return unchanged
  const known = recordFor(shelf, row.externalId)
  if (!known) return row.source.deleted ? unchanged : placeNew(shelf, row, context)
  const { externalId } = linkOf(known, side.connectionId)
  const past = externalId !== row.externalId
  if (row.source.deleted) {
    if (past) return unchanged
    const at = row.version.time
    return keep(shelf, mergeDeletion(known, { side, at, now: shelf.now }), {
      context,
      kind: 'deleted',
    })
  }
  // It was deleted, its record was created there anew, and now the old row is back: they are two.
  if (past && externalId !== null) return placeNew(shelf, row, context)
  const merge = past ? adoptRow : mergeRow
  return keep(shelf, merge(known, row, { side, now: shelf.now }), { context, kind: 'updated' })
}

/**
 * A row that is no record: the copy of one of ours that was just created there, or a new record. A row that was another
 * record before gets one of its own.
 */
function placeNew(shelf: Shelf, row: DecodedRow, context: RowContext): RowOutcome {
  const { key, side } = context
  const former = shelf.links.get(row.externalId)
  const ours = former ? undefined : (creationOf(shelf, row, side) ?? matchOf(shelf, row, side))
  const record = ours ?? recordOf(row, { key, now: shelf.now, former: former?.etag })
  const link: LinkDocument = {
    id: linkId(key, row.externalId),
    kind: 'link',
    ...key,
    externalId: row.externalId,
    recordId: record.id,
  }
  const etag = former?.etag ?? ''
  shelf.links.set(row.externalId, { document: link, etag })
  shelf.writes.set(link.id, writeOf(link, etag))
  const merged = ours
    ? adoptRow(ours, row, { side, now: shelf.now })
    : asNew(shelf, { row, record }, context)
  return keep(shelf, merged, { context, kind: ours ? 'updated' : 'created' })
}

/** The record that the row surely is. */
function matchOf(shelf: Shelf, row: DecodedRow, side: TaskSide): RecordDocument | undefined {
  const match = shelf.matches.get(row.externalId)
  if (match?.verdict !== 'sure') return undefined
  const record = shelf.records.get(match.recordId)?.document
  return record && isFree(record, side.connectionId) ? record : undefined
}

/** A new record; one that is likely another goes nowhere until a person has said so. */
function asNew(
  shelf: Shelf,
  { row, record }: { readonly row: DecodedRow; readonly record: RecordDocument },
  context: RowContext,
): Merged {
  const { side } = context
  const match = shelf.matches.get(row.externalId)
  const other = match && shelf.records.get(match.recordId)?.document
  if (!other) return { record, conflicts: [], changed: true }
  const conflict = likelyDuplicate({ record, other, side, now: shelf.now })
  // Nor is the other one created there meanwhile: that would make two of them.
  const waiting = awaitReview(other, { conflict, side, now: shelf.now })
  keep(shelf, waiting, { context, kind: 'updated' })
  return { record: { ...record, hold: conflict.id }, conflicts: [conflict], changed: true }
}

/** The record whose creation there the row's marker proves. */
function creationOf(shelf: Shelf, row: DecodedRow, side: TaskSide): RecordDocument | undefined {
  const marked = row.source.marker === undefined ? undefined : recordOfMarker(row.source.marker)
  const record = marked && shelf.records.get(marked.recordId)?.document
  if (!record) return undefined
  const { externalId, generation } = linkOf(record, side.connectionId)
  return externalId === null && generation === marked.generation ? record : undefined
}

function keep(
  shelf: Shelf,
  merged: Merged,
  { context, kind }: { context: RowContext; kind: 'created' | 'updated' | 'deleted' },
): RowOutcome {
  if (!merged.changed) return unchanged
  const record = addressed(merged.record, context.sides)
  const stored = shelf.records.get(record.id)
  // A record that this shelf creates has no tag yet.
  const etag = stored?.etag ?? ''
  shelf.records.set(record.id, { document: record, etag })
  shelf.writes.set(record.id, writeOf(record, etag))
  for (const conflict of merged.conflicts) {
    shelf.writes.set(conflict.id, { kind: 'upsert', document: conflict })
  }
  const opened = merged.conflicts.length
  const resolved = merged.conflicts.filter(({ status }) => status === 'resolved').length
  return { kind, conflicts: { opened, resolved } }
}

function writeOf(document: ShardDocument, etag: string): Write<ShardDocument> {
  return etag === '' ? { kind: 'create', document } : { kind: 'replace', document, etag }
}

export function weightOf(shelf: Shelf): number {
  return [...shelf.writes.values()].reduce((sum, { document }) => sum + weigh(document), 0)
}
