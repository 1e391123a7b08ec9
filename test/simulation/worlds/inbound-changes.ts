import type { Collection } from '../../../src/core/collection.ts'
import { AppError } from '../../../src/core/errors.ts'
import { redriveMany } from '../../../src/sync/parked.ts'
import type { SyncPorts } from '../../../src/sync/ports.ts'
import type { ShardDocument } from '../../../src/sync/record.ts'
import { inboundMessageShape } from '../../../src/sync/task.ts'
import type { LockingQueue } from '../../ports/locking-queue.ts'
import type { Actor, Simulation } from '../simulation.ts'
import type { Cap, Schema, VendorTable } from '../vendor-table.ts'
import { between, pick, START_MS } from '../world.ts'
import { CONNECTION, ENTITY, tenants } from './inbound-stores.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const FAULTS_MS = 3 * HOUR_MS

/** An instance that gives fewer rows than it is asked for; one that hides rows besides would need its links followed. */
export function capOf({ faults, note }: Simulation, tenant: string): Cap | undefined {
  if (faults.chance(`${tenant} hides`) < 0.4 || faults.chance(`${tenant} cap`) < 0.6)
    return undefined
  const cap = {
    rows: between(faults, `${tenant} cap at`, [1, 4]),
    links: faults.chance(`${tenant} links`) < 0.5,
  }
  note('world', `${tenant}: no page holds more than ${cap.rows} rows`)
  return cap
}

/** Somebody renames a field, or gives it another type, and takes it back later. */
export function playSchema(sim: Simulation, tables: ReadonlyMap<string, VendorTable>): void {
  const { faults } = sim
  for (const [tenant, table] of tables) {
    const schema = pick<Schema>(faults, `${tenant} schema`, [
      'known',
      'known',
      'renamed',
      'retyped',
    ])
    if (schema === 'known') continue
    const fromMs = START_MS + faults.chance(`${tenant} schema from`) * 2 * HOUR_MS
    sim.act(fromMs, `act ${tenant} schema`, () => {
      table.schema(schema)
      sim.note('world', `${tenant}: a field is ${schema}`)
      sim.at(fromMs + between(faults, `${tenant} schema for`, [10, 100]) * MINUTE_MS, () => {
        table.schema('known')
        sim.note('world', `${tenant}: the field is as it was`)
      })
    })
  }
}

/** What did not fit is sent again, every hour, by its reason. */
export function playOperators(sim: Simulation, portsOf: (actor: Actor) => SyncPorts): void {
  const limit = between(sim.faults, 'redriven at a time', [3, 12])
  for (let index = 1; index <= 47; index += 1) {
    sim.at(START_MS + index * 10 * MINUTE_MS + 90_000, () => {
      for (const tenantId of tenants) {
        sim.spawn({
          kind: 'operator',
          name: `operator ${index} ${tenantId}`,
          work: async (actor) => {
            try {
              const filter = { kind: 'row', limit, dryRun: false } as const
              const { matched, sent } = await redriveMany(portsOf(actor), tenantId, filter)
              if (sent > 0) sim.note(actor.name, `sends again ${sent} of ${matched}`)
            } catch (error) {
              if (!(error instanceof AppError)) throw error
            }
          },
        })
      }
    })
  }
}

interface News {
  readonly queue: LockingQueue
  readonly wake: () => void
  /** Told of what has been announced. */
  readonly expects: (tenantId: string, id: string, revision: number) => void
}

/** The vendor tells of some changes at once, while its stream is read for the first time or again. */
export function playNews(
  sim: Simulation,
  tables: ReadonlyMap<string, VendorTable>,
  { queue, wake, expects }: News,
): void {
  const { faults } = sim
  for (const [tenantId, table] of tables) {
    const count = between(faults, `${tenantId} news`, [0, 6])
    for (let index = 0; index < count; index += 1) {
      const label = `${tenantId} news ${index}`
      const soon = faults.chance(`${label} soon`) < 0.6
      const atMs = START_MS + faults.chance(`${label} at`) * (soon ? MINUTE_MS : FAULTS_MS)
      sim.act(atMs, `act ${label}`, () => {
        const ids = table.ids().filter((id) => !table.isHidden(id))
        const id = ids[Math.floor(faults.chance(`${label} id`) * ids.length)]
        if (id === undefined) return
        table.write(id, {})
        const version = table.visible(sim.now()).get(id)
        if (!version || version.title === '') return
        sim.note('world', `${label} of ${id} ${version.revision}`)
        const body = newsOf(tenantId, { id, correlationId: `hook-${index}`, at: sim.date() })
        void queue.send([{ id: `hook ${label}`, body }]).then(wake)
        expects(tenantId, id, version.revision)
      })
    }
  }
}

function newsOf(
  tenantId: string,
  {
    id,
    correlationId,
    at,
  }: { readonly id: string; readonly correlationId: string; readonly at: Date },
) {
  return inboundMessageShape.parse({
    integrationId: 'servicenow',
    tenantId,
    connectionId: CONNECTION,
    syncMode: 'pull',
    priority: 'normal',
    correlationId: `${correlationId}-${tenantId}`,
    enqueuedAt: at.toISOString(),
    taskId: 'task-1',
    record: { entityType: ENTITY, externalId: id, operation: 'update' },
  })
}

function oldBuildSpan({ faults }: Simulation): {
  readonly fromMs: number
  readonly untilMs: number
} {
  if (faults.chance('old build') < 0.7) return { fromMs: Infinity, untilMs: Infinity }
  const fromMs =
    START_MS +
    (faults.chance('old build from') < 0.5 ? 2_000 : faults.chance('rolled back') * FAULTS_MS)
  return { fromMs, untilMs: fromMs + between(faults, 'old build for', [1, 90]) * MINUTE_MS }
}

/** For a while the workers are of a build that knows nothing of first pulls. */
export function playOldBuild(sim: Simulation): void {
  const { fromMs } = oldBuildSpan(sim)
  if (fromMs < Infinity) sim.at(fromMs, () => sim.note('world', 'the old build is back'))
}

export function isOldBuild(sim: Simulation): boolean {
  const { fromMs, untilMs } = oldBuildSpan(sim)
  return sim.now() >= fromMs && sim.now() < untilMs
}

/** What an older build reads and writes of a stream. */
export function ofOldBuild(shards: Collection<ShardDocument>): Collection<ShardDocument> {
  return {
    ...shards,
    get: async (partition, id) => {
      const stored = await shards.get(partition, id)
      return stored && { ...stored, document: known(stored.document) }
    },
    write: (partition, writes) =>
      shards.write(
        partition,
        writes.map((one) => ({ ...one, document: known(one.document) })),
      ),
  }
}

function known(document: ShardDocument): ShardDocument {
  if (document.kind !== 'stream' || !document.run) return document
  const { complete: _, ...run } = document.run
  return { ...document, run }
}
