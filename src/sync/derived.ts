import { AppError } from '../core/errors.ts'
import { partitionOf } from './lease.ts'
import { decode, valueAt, type Mapping } from './mapping.ts'
import { announce } from './outbox.ts'
import { lookUp } from './look-up.ts'
import type { SourceRow, SyncPorts } from './ports.ts'
import { isOlder, type StreamKey } from './record.ts'
import { placeRow, type DecodedRow, type RowContext } from './shelf.ts'
import { sidesOf, type TaskSide } from './sides.ts'

type Derived = NonNullable<Mapping['derived']>[number]

interface From {
  readonly key: StreamKey
  /** The side whose rows tell of others. */
  readonly side: TaskSide
  readonly correlationId: string
}

/** So many rows fit a write, each with its link. */
const ROWS_PER_WRITE = 40
/** A record changed by somebody else between our read and our write is read again so often. */
const CONFLICT_TRIES = 8

/**
 * Stores the records that rows tell of besides their own, before the rows themselves: who names them finds them. Where the
 * connection has a task for them, that one knows better. Repeated, it changes nothing. Throws `conflict`.
 */
export async function storeDerived(
  ports: SyncPorts,
  rows: readonly SourceRow[],
  from: From,
): Promise<void> {
  for (const rule of from.side.mapping.derived ?? []) {
    const { tenantId, connectionId } = from.key
    const sides = await sidesOf(ports, tenantId, rule.entityType)
    if (sides.some((side) => side.connectionId === connectionId)) continue
    const key = { tenantId, connectionId, entityType: rule.entityType }
    const mapping = { entityType: rule.entityType, fields: rule.fields }
    const side = { ...from.side, mapping, duplicates: undefined, pushes: false }
    const context = { key, side, sides, correlationId: from.correlationId }
    const derived = derivedRows(rule, rows)
    for (let start = 0; start < derived.length; start += ROWS_PER_WRITE) {
      await store(ports, derived.slice(start, start + ROWS_PER_WRITE), context)
    }
  }
}

/** One for each record: that of the newest row. A row in which it does not fit tells of none. */
function derivedRows(
  { externalId: path, entityType, fields }: Derived,
  rows: readonly SourceRow[],
): readonly DecodedRow[] {
  const found = new Map<string, DecodedRow>()
  for (const row of rows) {
    const values = row.original ?? row.values
    const externalId = valueAt(values, path)
    if (row.deleted || typeof externalId !== 'string' || externalId === '') continue
    const known = found.get(externalId)
    if (known && isOlder(row.version, known.version)) continue
    const decoded = decode({ entityType, fields }, values)
    if (!decoded.ok) continue
    const { version, cursor } = row
    const source = { externalId, version, cursor, values }
    found.set(externalId, { externalId, version, fields: decoded.fields, source })
  }
  return [...found.values()]
}

async function store(
  ports: SyncPorts,
  rows: readonly DecodedRow[],
  { correlationId, ...context }: RowContext & { readonly correlationId: string },
): Promise<void> {
  for (let tries = 0; tries < CONFLICT_TRIES; tries += 1) {
    const shelf = await lookUp(ports, context.key, rows)
    for (const row of rows) placeRow(shelf, row, context)
    const writes = [...shelf.writes.values()]
    if (writes.length === 0) return
    const written = await ports.shards.write(partitionOf(context.key), writes)
    if (!written.committed) continue
    const records = writes.flatMap(({ document }) => (document.kind === 'record' ? [document] : []))
    const others = context.sides.filter(({ pushes }) => pushes)
    return announce(ports, records, { sides: others, correlationId })
  }
  throw new AppError('conflict', `a record of ${context.key.entityType} kept changing`)
}
