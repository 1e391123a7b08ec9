import { store } from '../../../src/sync/local-changes.ts'
import type { SyncPorts } from '../../../src/sync/ports.ts'
import type { RecordDocument } from '../../../src/sync/record.ts'
import type { Task } from '../../../src/sync/task.ts'
import { memoryVendor, type MemoryVendor } from '../memory-vendor.ts'
import { chanceFrom } from '../random.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { between, START_MS, type Stage, type World } from '../world.ts'
import { familyBugs } from './family-bugs.ts'
import { CHILD, familyLaws, PARENT, type Branch } from './family-laws.ts'
import type { SyncBug } from './plant.ts'
import { expected, TENANT } from './ring-people.ts'
import { POISON, sourceOver } from './ring-wire.ts'
import { syncStage } from './sync-stage.ts'

const MINUTE_MS = 60_000
const FAULTS_MS = 60 * MINUTE_MS
const REST_MS = 180 * MINUTE_MS

/** Two vendors with companies and the cases of them: records that name records, made here and there in any order. */
export const family: World = {
  name: 'family',
  summary:
    'two vendors, cases that name companies: parents before children, dead parents, a vendor without companies',
  checks: [2, 3, 5, 9],
  faultsMs: FAULTS_MS,
  restMs: REST_MS,
  bugs: Object.fromEntries(Object.entries(familyBugs).map(([name, { what }]) => [name, what])),
  setUp: async (sim, { bug: bugName }): Promise<Stage> => {
    const bug: SyncBug = familyBugs[bugName ?? ''] ?? { what: '' }
    const branches = ['left', 'right'].map((name) => branchOf(sim, name))
    const laws = familyLaws(sim, branches)
    const isDown = playOutage(sim, branches)
    const tableOf = ({ connectionId, entityType }: Task): MemoryVendor => {
      const branch = branches.find(({ name }) => name === connectionId)
      if (!branch) throw new Error(`no vendor ${connectionId}`)
      return entityType === PARENT ? branch.companies : branch.cases
    }
    const stage = syncStage(sim, {
      bug,
      laws,
      mappingOf: (task) => tableOf(task).options.mapping,
      sourceOf: (actor, task) =>
        sourceOver(sim, actor, {
          vendor: tableOf(task),
          moodOf: (vendor) => (isDown(vendor) ? 'down' : 'works'),
          writing: laws.writing,
        }),
      readLimits: {
        pageSize: between(sim.faults, 'page size', [2, 9]),
        sliceMs: 240_000,
        maxAttempts: 3,
      },
      pushLimits: { sliceMs: 240_000, maxAttempts: 10, leaseMs: 120_000 },
      timer: { everyMs: 10 * MINUTE_MS, untilMs: START_MS + FAULTS_MS + REST_MS },
    })
    for (const { name } of branches) {
      for (const entityType of [CHILD, PARENT]) {
        const document = taskOf(name, entityType)
        await stage.stores.tasks.backing.write([TENANT], [{ kind: 'create', document }])
      }
    }
    playThere(sim, branches)
    playHere(sim, stage.portsOf)
    return {
      examine: () =>
        laws.examine({
          shards: stage.stores.shards.all(),
          parked: stage.stores.parked.all(),
          waiting: stage.waiting(),
        }),
    }
  },
}

const text = { type: 'text' } as const

function branchOf(sim: Simulation, name: string): Branch {
  const common = {
    name,
    marker: 'correlation',
    comparesAndSets: name === 'left',
    answersRows: name === 'left',
    deletes: 'listed',
    batchSize: name === 'left' ? 4 : 1,
    tellsMarkers: true,
    clock: sim.date,
    failures: { share: 0 },
  } as const
  const table = (entityType: string, fields: MemoryVendor['options']['mapping']['fields']) =>
    memoryVendor({
      ...common,
      idPrefix: `${name}-${entityType}`,
      ...(entityType === PARENT && name === 'left' ? { refusesPoison: true } : {}),
      mapping: { entityType, fields },
      chance: chanceOf(sim, `${name} ${entityType}`),
    })
  return {
    name,
    companies: table(PARENT, [{ local: 'title', external: 'name', ...text }]),
    cases: table(CHILD, [
      { local: 'title', external: 'subject', ...text },
      { local: 'company', external: 'account', ...text, reference: PARENT },
    ]),
  }
}

function chanceOf({ faults }: Simulation, label: string) {
  let numbers = 0
  return chanceFrom(() => faults.chance(`${label} ${(numbers += 1)}`))
}

function taskOf(name: string, entityType: string): Task {
  return {
    id: `task-${name}-${entityType}`,
    tenantId: TENANT,
    integrationId: name,
    connectionId: name,
    entityType,
    syncMode: 'bidirectional',
    priority: 'normal',
    status: 'pending',
    enabled: true,
    type: 'scheduled',
    schedule: '0 */20 * * * *',
    nextScheduled: null,
    claim: null,
  }
}

/** The companies of one vendor cannot be reached for a while, its cases can. */
function playOutage(sim: Simulation, branches: readonly Branch[]) {
  const { faults } = sim
  const down = new Set<MemoryVendor>()
  const branch = branches[between(faults, 'down', [0, 3])]
  const atMs = START_MS + between(faults, 'down from', [0, 20]) * MINUTE_MS
  if (branch) {
    sim.act(atMs, 'act outage', () => {
      down.add(branch.companies)
      sim.note('world', `the companies of ${branch.name} cannot be reached`)
      sim.at(atMs + between(faults, 'down for', [2, 40]) * MINUTE_MS, () => down.clear())
    })
  }
  return (vendor: MemoryVendor) => down.has(vendor)
}

function playThere(sim: Simulation, branches: readonly Branch[]): void {
  const count = between(sim.faults, 'there', [1, 12])
  for (let index = 0; index < count; index += 1) {
    const label = `there ${index}`
    const chance = chanceOf(sim, label)
    const atMs = START_MS + (index < 3 ? 0 : chance.next() * FAULTS_MS)
    sim.act(atMs, `act ${label}`, () => {
      const branch = chance.pick(branches)
      const company = branch && chance.pick(branch.companies.alive())
      const some = branch && chance.pick(branch.cases.alive())
      if (!branch) return
      const kind = chance.next()
      const account = chance.is(0.8) ? (company?.id ?? null) : null
      if (!company || kind < 0.3) branch.companies.create({ name: `${label} wrote this` })
      else if (kind < 0.7 || !some) branch.cases.create({ subject: `${label} wrote this`, account })
      else branch.cases.edit(some.id, { account })
      sim.note('world', `${label} at ${branch.name}`)
    })
  }
}

/** Our own people make a company and its cases within a second, the cases first at times. */
function playHere(sim: Simulation, portsOf: (actor: Actor) => SyncPorts): void {
  const count = between(sim.faults, 'here', [0, 4])
  for (let index = 0; index < count; index += 1) {
    const label = `here ${index}`
    const chance = chanceOf(sim, label)
    sim.act(START_MS + chance.next() * FAULTS_MS * 0.8, `act ${label}`, () => {
      const make = (kind: string, fields: RecordDocument['fields']) =>
        sim.spawn({
          kind: 'person',
          name: `${label} ${kind}`,
          work: async (actor) => {
            const record = recordOf(`${index}-${kind}`, fields, actor)
            const merged = { record, conflicts: [], changed: true }
            await store(portsOf(actor), { merged, etag: undefined }).catch(expected)
          },
        })
      const title = chance.is(0.3) ? `${POISON} ${label}` : `${label} wrote this`
      const company = `rec-${index}-${PARENT}`
      const first = chance.is(0.5)
      if (first) make(PARENT, { title })
      for (const one of ['one', 'two']) make(one, { title: `${label} ${one}`, company })
      if (!first) make(PARENT, { title })
    })
  }
}

function recordOf(id: string, fields: RecordDocument['fields'], { clock }: Actor): RecordDocument {
  const at = clock().toISOString()
  return {
    id: `rec-${id}`,
    kind: 'record',
    tenantId: TENANT,
    entityType: 'company' in fields ? CHILD : PARENT,
    rev: 1,
    fields,
    origin: { by: 'local', at },
    origins: {},
    deleted: null,
    links: {},
    pending: [],
    createdAt: at,
    updatedAt: at,
  }
}
