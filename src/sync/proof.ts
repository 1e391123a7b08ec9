import { MINUTE_MS } from '../core/time.ts'
import { isSame } from './change.ts'
import { linkOf } from './draft.ts'
import { decode } from './mapping.ts'
import type { Source, VendorProblem } from './ports.ts'
import type { RecordDocument, StreamKey } from './record.ts'
import { recordFor, type DecodedRow, type Shelf } from './shelf.ts'
import { ruleOf, type Side } from './side.ts'

/** Two of our instances' clocks differ by no more. */
const CLOCK_SKEW_MS = MINUTE_MS

export interface Doubt {
  readonly shelf: Shelf
  readonly key: StreamKey
  readonly page: {
    readonly source: Source
    readonly side: Side
    readonly fetchedAt: Date
    readonly signal: AbortSignal
  }
}

/**
 * Rows that contradict what we know are read again, one by one: deletions, rows that are back after a deletion, and rows
 * that were perhaps read before a write of ours whose version the vendor did not tell.
 */
export async function proveRows(
  rows: readonly DecodedRow[],
  { shelf, page }: Doubt,
): Promise<{ readonly kind: 'proven'; readonly rows: readonly DecodedRow[] } | VendorProblem> {
  const proven: DecodedRow[] = []
  for (const row of rows) {
    const record = recordFor(shelf, row.externalId)
    const { fetchOne } = page.source
    if (!record || !fetchOne || !isDoubtful(row, record, page)) {
      proven.push(row)
      continue
    }
    const found = await fetchOne(row.externalId, page.signal)
    if (found.kind === 'retry' || found.kind === 'refused') return found
    if (found.kind === 'row') proven.push(fresh(row, found.row, page.source))
    if (found.kind === 'gone') proven.push(goneOf(row))
    // Perhaps there, but not for us: neither a change nor a deletion.
    if (found.kind === 'hidden') proven.push({ ...row, hidden: true })
  }
  return { kind: 'proven', rows: proven }
}

function isDoubtful(
  row: DecodedRow,
  record: RecordDocument,
  { side, fetchedAt }: Pick<Doubt['page'], 'side' | 'fetchedAt'>,
): boolean {
  const link = linkOf(record, side.connectionId)
  if (link.externalId !== row.externalId) return !row.source.deleted
  if ((link.goneAt !== undefined) !== (row.source.deleted === true)) return true
  if (row.source.deleted) return false
  if (link.pushedAt === undefined) return false
  if (fetchedAt.getTime() - Date.parse(link.pushedAt) > CLOCK_SKEW_MS) return false
  return Object.entries(row.fields).some(([field, value]) => {
    const known = Object.hasOwn(link.theirs, field) ? link.theirs[field] : link.base[field]
    return !isSame(value, known, ruleOf(side, field)?.equality)
  })
}

/** The row as it is now, at its place in the stream. */
function fresh(row: DecodedRow, now: DecodedRow['source'], source: Source): DecodedRow {
  const decoded = decode(source.mapping, now.values)
  if (!decoded.ok) return row
  const { cursor } = row.source
  return { ...row, version: now.version, fields: decoded.fields, source: { ...now, cursor } }
}

function goneOf(row: DecodedRow): DecodedRow {
  return { ...row, fields: {}, source: { ...row.source, deleted: true } }
}
