import { AppError } from '../../../src/core/errors.ts'
import { changeRecord, deleteRecord, store } from '../../../src/sync/local-changes.ts'
import type { SyncPorts } from '../../../src/sync/ports.ts'
import type { RecordDocument, ShardDocument } from '../../../src/sync/record.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { between, START_MS } from '../world.ts'
import { ENTITY } from './ring-vendors.ts'
import { POISON } from './ring-wire.ts'

export const TENANT = 'tenant-1'

interface LocalPeople {
  /** When the trouble of some vendor begins. */
  readonly troubleMs: number
  readonly isDown: () => boolean
  readonly portsOf: (actor: Actor) => SyncPorts
  readonly records: () => readonly ShardDocument[]
}

const FIELDS = ['title', 'note', 'place'] as const
const HOUR_MS = 3_600_000

/** People who work on our own records, through the management API's use cases. */
export function playLocalPeople(sim: Simulation, people: LocalPeople): void {
  const { faults } = sim
  const count = between(faults, 'local people', [0, 8])
  for (let index = 0; index < count; index += 1) {
    const label = `local ${index}`
    const atMs = START_MS + faults.chance(`${label} at`) * HOUR_MS
    sim.act(atMs, `act ${label}`, () =>
      sim.spawn({
        kind: 'person',
        name: label,
        work: (actor) => edit(sim, actor, { ...people, label }).catch(expected),
      }),
    )
  }
  if (faults.chance('hasty') < 0.5) playHasty(sim, people)
}

/** Somebody creates a record, changes it and often deletes it within a second, perhaps just while a vendor is down. */
function playHasty(sim: Simulation, { portsOf, troubleMs, isDown }: LocalPeople): void {
  const atMs = troubleMs + sim.faults.chance('hasty at') * 300_000
  sim.act(atMs, 'act hasty', () =>
    sim.spawn({
      kind: 'person',
      name: 'hasty',
      work: async (actor) => {
        const ports = portsOf(actor)
        const merged = newRecord('hasty', 'hasty wrote this here', actor)
        const key = { tenantId: TENANT, entityType: ENTITY, id: merged.record.id }
        try {
          await store(ports, { merged, etag: undefined })
          const title =
            sim.faults.chance('hasty poison') < 0.3 ? `${POISON} here` : 'hasty changed this'
          await changeRecord(ports, key, { by: 'local', fields: { title } })
          if (sim.faults.chance('hasty deletes') < 0.7)
            await deleteRecord(ports, key, { by: 'local' })
          sim.note('hasty', isDown() ? 'is done while a vendor is down' : 'is done')
        } catch (error) {
          expected(error)
        }
      },
    }),
  )
}

/** A person who is told that the record has changed, or that something is away, sees that and goes home. */
export function expected(error: unknown): void {
  if (!(error instanceof AppError)) throw error
}

async function edit(
  { faults }: Simulation,
  actor: Actor,
  { portsOf, records, label }: LocalPeople & { readonly label: string },
): Promise<void> {
  const ports = portsOf(actor)
  const living = records().filter((one): one is RecordDocument => one.kind === 'record')
  const record = living[Math.floor(faults.chance(`${label} which`) * living.length)]
  const kind = faults.chance(`${label} kind`)
  const value = `${label.replace(' ', '')} wrote this here`
  if (!record || kind < 0.2) {
    await store(ports, { merged: newRecord(label, value, actor), etag: undefined })
    return
  }
  const key = { tenantId: TENANT, entityType: ENTITY, id: record.id }
  if (kind < 0.3) return deleteRecord(ports, key, { by: 'local' })
  const field = FIELDS[Math.floor(faults.chance(`${label} field`) * FIELDS.length)] ?? 'title'
  await changeRecord(ports, key, { by: 'local', fields: { [field]: value } })
}

/** As `createRecord` makes one, with an id that follows from the seed. */
function newRecord(label: string, title: string, { clock }: Actor) {
  const at = clock().toISOString()
  const record: RecordDocument = {
    id: `rec-${label.replace(' ', '-')}`,
    kind: 'record',
    tenantId: TENANT,
    entityType: ENTITY,
    rev: 1,
    fields: { title, state: 1 },
    origin: { by: 'local', at },
    origins: {},
    deleted: null,
    links: {},
    pending: [],
    createdAt: at,
    updatedAt: at,
  }
  return { record, conflicts: [], changed: true }
}
