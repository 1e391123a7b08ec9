import { canonicalJson } from '../../../src/core/canonical-json.ts'
import { codeOf } from '../../../src/core/errors.ts'
import type { Queue } from '../../../src/core/queue.ts'
import { queueHandler } from '../../../src/functions/queue.ts'
import { parkMessage } from '../../../src/sync/dead-letters.ts'
import { deferMessage } from '../../../src/sync/defer.ts'
import { executeSync } from '../../../src/sync/inbound.ts'
import { pushChanges } from '../../../src/sync/outbound.ts'
import { relayPending } from '../../../src/sync/outbox.ts'
import type { SyncPorts } from '../../../src/sync/ports.ts'
import type { ShardDocument } from '../../../src/sync/record.ts'
import type { ParkedDocument, PushResult, SyncResult } from '../../../src/sync/result.ts'
import { scheduleDueTasks } from '../../../src/sync/scheduler.ts'
import { inboundMessageShape, outboundMessageShape, type Task } from '../../../src/sync/task.ts'
import topology from '../../../src/topology.json' with { type: 'json' }
import { lockingQueue } from '../../ports/locking-queue.ts'
import { memoryVendor, type MemoryVendor } from '../memory-vendor.ts'
import { peopleOf } from '../people.ts'
import { queueHost } from '../queue-host.ts'
import { chanceFrom } from '../random.ts'
import { sharedCollection, sharedQueue } from '../simulated-ports.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { playTimer } from '../timer.ts'
import { between, pick, START_MS, type Stage, type World } from '../world.ts'
import { ringBugs, type RingBug } from './ring-bugs.ts'
import { ringLaws } from './ring-laws.ts'
import { playLocalPeople, TENANT } from './ring-people.ts'
import { ENTITY, kinds, mappingOf, sourceOver } from './ring-vendors.ts'

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
    const bug: RingBug = bugName === undefined ? { what: '' } : (ringBugs[bugName] ?? { what: '' })
    const { faults } = sim
    const size = between(faults, 'vendors', [2, 3])
    const first = between(faults, 'first vendor', [0, 2])
    const vendors = kinds
      .filter((_, index) => size === 3 || index !== first)
      .map((kind) => memoryVendor({ ...kind, ...quiet(sim), clock: vendorClock(sim, kind.name) }))
    const people = peopleOf()
    const laws = ringLaws(sim, { vendors, people })
    const stores = {
      tasks: sharedCollection<Task>(sim, 'tasks'),
      shards: sharedCollection<ShardDocument>(sim, 'shards', { committed: laws.shardCommitted }),
      results: sharedCollection<SyncResult | PushResult>(sim, 'results'),
      parked: sharedCollection<ParkedDocument>(sim, 'parked'),
    }
    const queues = {
      inbound: lockingQueue(topology.queues.inbound, sim.now),
      outbound: lockingQueue(topology.queues.outbound, sim.now),
    }
    const senders = {
      inbound: sharedQueue(sim, queues.inbound, () => sim.at(sim.now(), () => readers.wake())),
      outbound: sharedQueue(sim, queues.outbound, () => sim.at(sim.now(), () => writers.wake())),
    }
    const portsOf = (actor: Actor): SyncPorts => {
      const ports: SyncPorts = {
        tasks: stores.tasks.as(actor),
        shards: stores.shards.as(actor),
        results: stores.results.as(actor),
        parked: stores.parked.as(actor),
        inbound: senders.inbound(actor),
        outbound: senders.outbound(actor),
        mappingOf: async ({ connectionId }) => mappingOf(connectionId),
        openSource: async ({ connectionId }) => {
          const vendor = vendors.find(({ name }) => name === connectionId)
          if (!vendor) throw new Error(`no vendor ${connectionId}`)
          return sourceOver(sim, actor, vendor)
        },
        clock: actor.clock,
        random: actor.random,
      }
      return bug.ports ? bug.ports(ports, actor) : ports
    }
    const host = (kind: 'inbound' | 'outbound') => {
      const shape = kind === 'inbound' ? inboundMessageShape : outboundMessageShape
      return queueHost(sim, {
        kind,
        queue: queues[kind],
        concurrency: 3,
        // The right to write is a lease in time: who pushes has a clock that is right to within half of it.
        ...(kind === 'outbound' ? { mostSkewMs: 60_000 } : {}),
        handlerFor: (actor) => {
          const ports = portsOf(actor)
          const queue: Queue = ports[kind]
          return queueHandler<ReturnType<typeof shape.parse>>({
            shape,
            work: async (message) => {
              laws.workBegins(actor, message)
              const outcome = await ('taskId' in message
                ? executeSync(ports, readLimits, { message, signal })
                : pushChanges(ports, pushLimits, { message, signal }))
              sim.note(actor.name, `${kind} ${outcome.kind}`)
            },
            defer: (message, id) =>
              bug.defer ? bug.defer() : deferMessage({ ...ports, queue }, message, id),
            park: (message) => parkMessage(ports, kind, message),
          })
        },
        abandoned: (_delivery, error, actor) => laws.abandoned(codeOf(error), actor),
      })
    }
    const readers = host('inbound')
    const writers = host('outbound')
    const signal = new AbortController().signal
    const readLimits = {
      pageSize: between(faults, 'page size', [2, 9]),
      sliceMs: pick(faults, 'slice', [2_000, 240_000]),
      maxAttempts: 3,
    }
    const pushLimits = { sliceMs: readLimits.sliceMs, maxAttempts: 10, leaseMs: 120_000 }
    await addTasks(sim, stores.tasks.backing, vendors)
    playVendors(sim, vendors, people)
    playLocalPeople(sim, { portsOf, records: () => stores.shards.all() })
    const timer = { everyMs: 10 * MINUTE_MS, untilMs: START_MS + FAULTS_MS + REST_MS }
    playTimer(sim, { ...timer, kind: 'scheduler' }, (actor) => scheduleDueTasks(portsOf(actor)))
    playTimer(sim, { ...timer, kind: 'relay' }, async (actor) =>
      bug.noRelay ? undefined : relayPending(portsOf(actor)),
    )
    return {
      examine: () =>
        laws.examine({
          shards: stores.shards.all(),
          parked: stores.parked.all(),
          waiting: queues.inbound.size() + queues.outbound.size(),
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
  const skewMs = pick(sim.faults, `${name} clock`, [0, 0, 90_000, -90_000])
  return () => new Date(sim.now() + skewMs)
}

async function addTasks(
  sim: Simulation,
  tasks: Pick<SyncPorts['tasks'], 'write'>,
  vendors: readonly MemoryVendor[],
): Promise<void> {
  const policy = pick<Partial<Task>>(sim.faults, 'policy', [
    { conflictStrategy: 'local_wins' },
    { conflictStrategy: 'external_wins' },
    { conflictStrategy: 'newest_wins', tieBreak: 'external_wins' },
    { conflictStrategy: 'manual' },
  ])
  sim.note('world', `policy ${canonicalJson(policy as Record<string, string>)}`) // of texts only
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
      act(vendor, chance)
      sim.note('world', `${label} at ${vendor.name}`)
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
