import { canonicalJson } from '../../../src/core/canonical-json.ts'
import type { SyncPorts } from '../../../src/sync/ports.ts'
import type { Task } from '../../../src/sync/task.ts'
import { memoryVendor, type MemoryVendor } from '../memory-vendor.ts'
import { peopleOf } from '../people.ts'
import { chanceFrom } from '../random.ts'
import type { Simulation } from '../simulation.ts'
import { between, pick, START_MS, type Stage, type World } from '../world.ts'
import type { SyncBug } from './plant.ts'
import { ringBugs } from './ring-bugs.ts'
import { ringLaws } from './ring-laws.ts'
import { playLocalPeople, TENANT } from './ring-people.ts'
import { ENTITY, kinds, mappingOf } from './ring-vendors.ts'
import { playDuels, playMoods, playOperators, playReviewers } from './ring-visits.ts'
import { sourceOver } from './ring-wire.ts'
import { syncStage } from './sync-stage.ts'

const MINUTE_MS = 60_000
const FAULTS_MS = 60 * MINUTE_MS
const REST_MS = 240 * MINUTE_MS

/** Two or three systems in step with one store, each edited by its own people, and the store by ours. */
export const ring: World = {
  name: 'ring',
  summary: 'two or three vendors in step: both workers, both queues, edits on all sides, deletes',
  checks: [2, 3, 4, 5, 6, 9],
  faultsMs: FAULTS_MS,
  restMs: REST_MS,
  bugs: Object.fromEntries(Object.entries(ringBugs).map(([name, { what }]) => [name, what])),
  setUp: async (sim, { bug: bugName }): Promise<Stage> => {
    const bug: SyncBug = bugName === undefined ? { what: '' } : (ringBugs[bugName] ?? { what: '' })
    const { faults } = sim
    const size = between(faults, 'vendors', [2, 3])
    const first = between(faults, 'first vendor', [0, 2])
    const vendors = kinds
      .filter((_, index) => size === 3 || index !== first)
      .map((kind) => memoryVendor({ ...kind, ...quiet(sim), clock: vendorClock(sim, kind.name) }))
    const moods = playMoods(sim, vendors)
    const people = peopleOf()
    const policy = policyOf(sim)
    const laws = ringLaws(sim, { vendors, people, policy })
    const readLimits = {
      pageSize: between(faults, 'page size', [2, 9]),
      sliceMs: pick(faults, 'slice', [2_000, 240_000]),
      maxAttempts: 3,
    }
    const pushLimits = { sliceMs: readLimits.sliceMs, maxAttempts: 10, leaseMs: 120_000 }
    const { stores, portsOf, waiting } = syncStage(sim, {
      bug,
      laws,
      readLimits,
      pushLimits,
      mappingOf: ({ connectionId }) => mappingOf(connectionId),
      sourceOf: (actor, { connectionId }) => {
        const vendor = vendors.find(({ name }) => name === connectionId)
        if (!vendor) throw new Error(`no vendor ${connectionId}`)
        return sourceOver(sim, actor, { vendor, moodOf: moods.moodOf, writing: laws.writing })
      },
      timer: { everyMs: 10 * MINUTE_MS, untilMs: START_MS + FAULTS_MS + REST_MS },
    })
    await addTasks(stores.tasks.backing, vendors, policy)
    playVendors(sim, vendors, people)
    const shards = () => stores.shards.all()
    playLocalPeople(sim, {
      portsOf,
      records: shards,
      troubleMs: moods.fromMs,
      isDown: () => vendors.some((one) => moods.moodOf(one) === 'down'),
    })
    const visited = { portsOf, shards, vendors, people }
    playDuels(sim, visited)
    playOperators(sim, visited)
    playReviewers(sim, visited, { isBlind: bug.blindReview ?? false, seen: laws.reviewing })
    return {
      examine: () =>
        laws.examine({
          shards: stores.shards.all(),
          parked: stores.parked.all(),
          waiting: waiting(),
          restsSinceMs: START_MS + FAULTS_MS + REST_MS - 60 * MINUTE_MS,
        }),
    }
  },
}

/** The vendor itself never fails: its trouble is the wire's. */
function quiet({ faults }: Simulation) {
  let numbers = 0
  return {
    chance: chanceFrom(() => faults.chance(`vendor ${(numbers += 1)}`)),
    failures: { share: 0 },
  }
}

function vendorClock(sim: Simulation, name: string): () => Date {
  const skewMs = pick(sim.faults, `${name} clock`, [0, 0, 2_000, -2_000, 90_000, -90_000])
  return () => new Date(sim.now() + skewMs)
}

function policyOf(sim: Simulation): Partial<Task> {
  const policy = pick<Partial<Task>>(sim.faults, 'policy', [
    { conflictStrategy: 'local_wins' },
    { conflictStrategy: 'external_wins' },
    { conflictStrategy: 'newest_wins', tieBreak: 'external_wins' },
    { conflictStrategy: 'newest_wins', tieBreak: 'external_wins', skewMs: 120_000 },
    { conflictStrategy: 'newest_wins', tieBreak: 'manual', skewMs: 120_000 },
    { conflictStrategy: 'manual' },
  ])
  sim.note('world', `policy ${canonicalJson(policy as Record<string, string | number>)}`) // of texts and numbers only
  return policy
}

async function addTasks(
  tasks: Pick<SyncPorts['tasks'], 'write'>,
  vendors: readonly MemoryVendor[],
  policy: Partial<Task>,
): Promise<void> {
  for (const { name } of vendors) {
    const document: Task = {
      id: `task-${name}`,
      tenantId: TENANT,
      integrationId: name,
      connectionId: name,
      entityType: ENTITY,
      syncMode: 'bidirectional',
      priority: 'normal',
      status: 'pending',
      enabled: true,
      type: 'scheduled',
      schedule: '0 */20 * * * *',
      nextScheduled: null,
      claim: null,
      ...policy,
    }
    await tasks.write([TENANT], [{ kind: 'create', document }])
  }
}

/** Rows from the beginning, and people who work on, often just while the workers do. */
function playVendors(
  sim: Simulation,
  vendors: readonly MemoryVendor[],
  { act }: ReturnType<typeof peopleOf>,
): void {
  const { faults } = sim
  const actAt = (atMs: number, label: string) => {
    let numbers = 0
    const chance = chanceFrom(() => faults.chance(`${label} ${(numbers += 1)}`))
    sim.act(atMs, `act ${label}`, () => {
      const vendor = chance.pick(vendors)
      if (!vendor) return
      sim.note('world', `${label} at ${vendor.name}: ${act(vendor, chance)}`)
    })
  }
  const rows = between(faults, 'rows', [1, 6])
  for (let index = 0; index < rows; index += 1) actAt(START_MS, `row ${index}`)
  const edits = between(faults, 'edits', [2, pick(faults, 'how busy', [3, 8, 24])])
  for (let index = 0; index < edits; index += 1) {
    const label = `edit ${index}`
    const tick = between(faults, `${label} tick`, [0, 5]) * 10 * MINUTE_MS
    const busy = faults.chance(`${label} busy`) < 0.6
    const spreadMs = busy ? 4_000 : FAULTS_MS / 6
    actAt(START_MS + tick + faults.chance(`${label} at`) * spreadMs, label)
  }
}
