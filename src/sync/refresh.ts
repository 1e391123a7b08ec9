import { AppError } from '../core/errors.ts'
import { findDuplicates } from './duplicates.ts'
import { decode } from './mapping.ts'
import { announce } from './outbox.ts'
import { lookUp } from './page.ts'
import { partitionOf } from './lease.ts'
import type { FoundOne, SyncPorts, VendorProblem } from './ports.ts'
import { noCounts, type Counts, type StreamKey } from './record.ts'
import { placeRow, type DecodedRow } from './shelf.ts'
import { sideOf, sidesOf, type TaskSide } from './sides.ts'
import type { InboundMessage } from './task.ts'

const CONFLICT_TRIES = 8

export type Refreshed =
  | { readonly kind: 'done'; readonly counts: Counts }
  | { readonly kind: 'stopped'; readonly by: VendorProblem }
  | { readonly kind: 'stale' }

/**
 * Takes one row as it is there now: what a webhook said about it only told us to look. The row is merged as one of a page
 * is, on condition that nobody changed its record meanwhile.
 */
export async function refreshOne(
  ports: SyncPorts,
  message: InboundMessage,
  signal: AbortSignal,
): Promise<Refreshed> {
  const task = (await ports.tasks.get([message.tenantId], message.taskId))?.document
  const side = task && (await sideOf(ports, task))
  if (!task || !side || !task.enabled || message.externalId === undefined) return { kind: 'stale' }
  const source = await ports.openSource(task)
  if (source.kind === 'refused') return { kind: 'stopped', by: source }
  // A vendor whose rows cannot be read one by one is read by the next run.
  if (!source.push) return { kind: 'stale' }
  const found = await source.push.fetchOne(message.externalId, signal)
  if (found.kind === 'retry' || found.kind === 'refused') return { kind: 'stopped', by: found }
  const row = rowOf(found, { side, externalId: message.externalId, now: ports.clock() })
  if (!row) return { kind: 'done', counts: { ...noCounts, processed: 1, failed: 1 } }
  const { tenantId, entityType, connectionId } = task
  const key = { tenantId, entityType, connectionId }
  const counts = await store(ports, { key, side, row, correlationId: message.correlationId })
  return { kind: 'done', counts }
}

function rowOf(
  found: Exclude<FoundOne, VendorProblem>,
  { side, externalId, now }: { side: TaskSide; externalId: string; now: Date },
): DecodedRow | undefined {
  if (found.kind === 'row') {
    const decoded = decode(side.mapping, found.row.values)
    if (!decoded.ok) return undefined
    const { version } = found.row
    return { externalId, version, fields: decoded.fields, source: found.row }
  }
  const time = now.toISOString()
  const version = { time, count: Number.MAX_SAFE_INTEGER }
  const cursor = { time, id: externalId }
  const source = { externalId, version, cursor, values: {}, deleted: true }
  return { externalId, version, fields: {}, source, hidden: found.kind === 'hidden' }
}

interface OneRow {
  readonly key: StreamKey
  readonly side: TaskSide
  readonly row: DecodedRow
  readonly correlationId: string
}

async function store(ports: SyncPorts, one: OneRow): Promise<Counts> {
  const { key, side, row, correlationId } = one
  const sides = await sidesOf(ports, key.tenantId, key.entityType)
  for (let tries = 0; tries < CONFLICT_TRIES; tries += 1) {
    const shelf = await lookUp(ports, key, [row])
    await findDuplicates(ports, [row], { shelf, key, side })
    const outcome = placeRow(shelf, row, { key, side, sides })
    const counts = { ...noCounts, processed: 1 }
    const writes = [...shelf.writes.values()]
    if (outcome.kind === 'unchanged' || writes.length === 0) return counts
    const written = await ports.shards.write(partitionOf(key), writes)
    if (!written.committed) continue
    const records = writes.flatMap(({ document }) => (document.kind === 'record' ? [document] : []))
    const others = sides.filter(({ pushes }) => pushes)
    await announce(ports, records, { sides: others, correlationId })
    const { opened: conflicts, resolved } = outcome.conflicts
    return outcome.kind === 'created'
      ? { ...counts, created: 1, conflicts, resolved }
      : { ...counts, updated: 1, conflicts, resolved }
  }
  throw new AppError('conflict', `the record of ${row.externalId} kept changing`)
}
