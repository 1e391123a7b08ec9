import type { RecordDocument, ShardDocument } from '../../../src/sync/record.ts'
import type { Task } from '../../../src/sync/task.ts'
import type { Collection, Document, Partition } from '../../../src/core/collection.ts'
import type { Simulation } from '../simulation.ts'
import type { VendorTable } from '../vendor-table.ts'
import { between, START_MS } from '../world.ts'
import type { InboundStores } from './inbound-stores.ts'

const HOUR_MS = 3_600_000
/** A transaction becomes visible at most so late; with the lag of a replica it stays within the overlap of five minutes. */
const LONGEST_TRANSACTION_MS = 80_000

/** What goes on at the vendor: a backlog with many rows to a second, then inserts, updates, late commits, bad rows. */
export function playVendor(
  sim: Simulation,
  tables: ReadonlyMap<string, VendorTable>,
  pageSize: number,
): void {
  const { faults } = sim
  for (const [tenant, table] of tables) {
    const rows = between(faults, `${tenant} rows`, [5, 30])
    const perSecond = between(faults, `${tenant} per second`, [1, 12])
    for (let index = 0; index < rows; index += 1) {
      const agoMs = HOUR_MS - Math.floor(index / perSecond) * 60_000
      table.write(idOfRow(faults.chance(`${tenant} id ${index}`)), { agoMs })
    }
    const hides = faults.chance(`${tenant} hides`) < 0.4
    const first = between(faults, `${tenant} hidden from`, [0, rows])
    // More than a page of rows that we may not see, one after the other.
    if (hides)
      for (const id of ordered(table, sim.now()).slice(first, first + 2 * pageSize)) table.hide(id)
    const actions = between(faults, `${tenant} actions`, [4, 16])
    for (let index = 0; index < actions; index += 1) {
      const label = `${tenant} vendor ${index}`
      const atMs = START_MS + faults.chance(`${label} at`) * 3 * HOUR_MS
      sim.act(atMs, `act ${label}`, () => change(sim, table, label))
    }
    for (let index = 0; index < HOT_ROWS; index += 1)
      playHotRow(sim, table, `${tenant} hot ${index}`)
    // The last word on some rows, after which nothing moves any more.
    sim.act(START_MS + 3 * HOUR_MS, `act ${tenant} last`, () =>
      change(sim, table, `${tenant} last`),
    )
  }
}

/** Rows that change again and again just before the runs, so that a lagging replica has them as they were. */
const HOT_ROWS = 8
const HOT_HOURS = [1, 2] as const
const HOT_EVERY_MS = [-100_000, -70_000, -40_000, -15_000] as const

function playHotRow(sim: Simulation, table: VendorTable, label: string): void {
  for (const hour of HOT_HOURS) {
    const chance = sim.faults.chance(`${label} ${hour}`)
    for (const [index, beforeMs] of HOT_EVERY_MS.entries()) {
      sim.act(START_MS + hour * HOUR_MS + beforeMs, `act ${label} ${hour} ${index}`, () => {
        const ids = table.ids()
        table.write(ids[Math.floor(chance * ids.length)] ?? 'x0', {})
      })
    }
  }
}

function ordered(table: VendorTable, nowMs: number): readonly string[] {
  return [...table.visible(nowMs)]
    .sort(([a, one], [b, other]) => one.stampMs - other.stampMs || (a < b ? -1 : 1))
    .map(([id]) => id)
}

function change(sim: Simulation, table: VendorTable, label: string): void {
  const { faults } = sim
  const kind = faults.chance(`${label} kind`)
  const ids = table.ids()
  const some = (count: number) =>
    Array.from(
      { length: count },
      (_, index) => ids[Math.floor(faults.chance(`${label} ${index}`) * ids.length)] ?? 'x0',
    )
  const lateMs = Math.floor(faults.chance(`${label} late`) * LONGEST_TRANSACTION_MS)
  if (kind < 0.3) {
    sim.note('world', `${label} updates rows`)
    for (const id of some(8)) table.write(id, {})
  } else if (kind < 0.55) {
    sim.note('world', `${label} commits late`)
    for (const id of some(3)) table.write(id, { lateMs })
  } else if (kind < 0.7) {
    sim.note('world', `${label} commits late a row that is new`)
    table.write(idOfRow(faults.chance(`${label} new`)), { lateMs })
  } else if (kind < 0.8) {
    sim.note('world', `${label} writes a row that does not fit`)
    for (const id of some(1)) table.write(id, { title: '' })
  } else {
    sim.note('world', `${label} adds rows`)
    for (let index = 0; index < 7; index += 1) {
      table.write(idOfRow(faults.chance(`${label} ${index} new`)), {})
    }
  }
}

/** Records that a person changes one after the other. */
const EDITS = 12

/** Ids come in no order. */
function idOfRow(chance: number): string {
  return `x${String(Math.floor(chance * 1e6)).padStart(6, '0')}`
}

/** People and other workers, who change the same documents as the workers do. */
export function playPeople(sim: Simulation, stores: InboundStores): void {
  const { faults } = sim
  const count = between(faults, 'people', [0, 8])
  for (let index = 0; index < count; index += 1) {
    const label = `person ${index}`
    // Shortly after a tick, when the workers are busy with the same documents.
    const tick = between(faults, `${label} tick`, [0, 17]) * 600_000
    const atMs = START_MS + tick + faults.chance(`${label} at`) * 2_000
    const tenantId = faults.chance(`${label} tenant`) < 0.5 ? 'tenant-a' : 'tenant-b'
    sim.act(atMs, `act ${label}`, () =>
      sim.spawn({
        kind: 'person',
        name: label,
        work: async (actor) => {
          if (faults.chance(`${label} what`) < 0.5) {
            const tasks = stores.tasks.as(actor)
            const priority = faults.chance(`${label} high`) < 0.5 ? 'high' : 'low'
            await amend<Task>(tasks, { partition: [tenantId], id: 'task-1' }, (task) => ({
              ...task,
              priority,
            }))
            return
          }
          const records = stores.shards
            .all()
            .filter(
              (one): one is RecordDocument => one.kind === 'record' && one.tenantId === tenantId,
            )
          const shards = stores.shards.as(actor)
          for (let edit = 0; edit < EDITS; edit += 1) {
            const which = faults.chance(`${label} which ${edit}`)
            const record = records[Math.floor(which * records.length)]
            if (!record) return
            const place = { partition: [tenantId, record.entityType], id: record.id }
            const note = `${label} ${edit}`
            await amend<ShardDocument>(shards, place, (found) =>
              found.kind === 'record' ? { ...found, fields: { ...found.fields, note } } : found,
            )
          }
        },
      }),
    )
  }
}

/** Reads and writes on condition; does nothing when somebody was faster. */
async function amend<T extends Document>(
  collection: Collection<T>,
  place: { readonly partition: Partition; readonly id: string },
  change: (found: T) => T,
): Promise<void> {
  const found = await collection.get(place.partition, place.id)
  if (!found) return
  const write = { kind: 'replace', document: change(found.document), etag: found.etag } as const
  await collection.write(place.partition, [write])
}
