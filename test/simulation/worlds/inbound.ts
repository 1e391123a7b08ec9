import { tableStream } from '../../../src/connectors/servicenow/table.ts'
import type { VendorAnswer } from '../../../src/connectors/client.ts'
import { codeOf } from '../../../src/core/errors.ts'
import type { OutgoingMessage } from '../../../src/core/queue.ts'
import { queueHandler } from '../../../src/functions/queue.ts'
import { parkMessage } from '../../../src/sync/dead-letters.ts'
import { deferMessage } from '../../../src/sync/defer.ts'
import { executeSync } from '../../../src/sync/inbound.ts'
import type { Source, SyncPorts } from '../../../src/sync/ports.ts'
import { scheduleDueTasks } from '../../../src/sync/scheduler.ts'
import { inboundMessageShape, type Task } from '../../../src/sync/task.ts'
import topology from '../../../src/topology.json' with { type: 'json' }
import { lockingQueue } from '../../ports/locking-queue.ts'
import { queueHost } from '../queue-host.ts'
import { sharedCollection, sharedQueue } from '../simulated-ports.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { playTimer } from '../timer.ts'
import { vendorTable, type VendorTable } from '../vendor-table.ts'
import { between, pick, START_MS, type Stage, type World } from '../world.ts'
import { CONNECTION, ENTITY, tenants, type InboundStores } from './inbound-stores.ts'
import { inboundBugs, type InboundBug } from './inbound-bugs.ts'
import { inboundLaws } from './inbound-laws.ts'
import { playVendor, playPeople } from './inbound-play.ts'

const HOUR_MS = 3_600_000
const FAULTS_MS = 3 * HOUR_MS
const REST_MS = 6 * HOUR_MS

/** Scheduler → queue → worker → store, with a vendor whose rows change, tie on one second, come late and hide. */
export const inbound: World = {
  name: 'inbound',
  summary: 'scheduler → queue → workers → store, two tenants, a ServiceNow table that never rests',
  checks: [2, 3, 4, 5, 8, 9],
  faultsMs: FAULTS_MS,
  restMs: REST_MS,
  bugs: Object.fromEntries(Object.entries(inboundBugs).map(([name, { what }]) => [name, what])),
  setUp: async (sim, { bug: bugName }): Promise<Stage> => {
    const bug: InboundBug =
      bugName === undefined ? { what: '' } : (inboundBugs[bugName] ?? { what: '' })
    // A vendor's clock is its own.
    const skewOf = (tenant: string) => {
      const skewMs = pick(sim.faults, `${tenant} vendor clock`, [0, 0, 420_000, -420_000])
      sim.note('world', `${tenant}: the vendor's clock is ${skewMs} ms off`)
      return skewMs
    }
    const tables = new Map(
      tenants.map((tenant) => [
        tenant,
        vendorTable(tenant, { now: sim.now, skewMs: skewOf(tenant) }),
      ]),
    )
    const laws = inboundLaws(sim, tables)
    const stores: InboundStores = {
      tasks: sharedCollection(sim, 'tasks', { committed: laws.taskCommitted }),
      shards: sharedCollection(sim, 'shards', { committed: laws.shardCommitted }),
      results: sharedCollection(sim, 'results', { committed: laws.resultCommitted }),
      parked: sharedCollection(sim, 'parked'),
    }
    const queue = lockingQueue({ ...topology.queues.inbound, ...bug.queue }, sim.now)
    const accepted = (messages: readonly OutgoingMessage[]) => {
      laws.messagesAccepted(messages)
      sim.at(sim.now(), () => host.wake())
    }
    const queueFor = sharedQueue(sim, queue, accepted)
    const limits = {
      pageSize: between(sim.faults, 'page size', [2, 9]),
      sliceMs: pick(sim.faults, 'slice', [0, 2_000, 240_000]),
      maxAttempts: 3,
    }
    const portsOf = (actor: Actor): SyncPorts => {
      const ports: SyncPorts = {
        tasks: stores.tasks.as(actor),
        shards: stores.shards.as(actor),
        results: stores.results.as(actor),
        parked: stores.parked.as(actor),
        inbound: queueFor(actor),
        outbound: queueFor(actor),
        mappingOf: async () => stream.mapping,
        openSource: async (task) => sourceOf(sim, actor, tables.get(tenantOf(task.tenantId))),
        clock: actor.clock,
        random: actor.random,
      }
      return bug.ports ? bug.ports(ports, actor) : ports
    }
    const host = queueHost(sim, {
      kind: 'worker',
      // Generously what the store's time leaves of a wrong clock (src/adapters/server-clock.ts).
      mostSkewMs: 60_000,
      queue,
      concurrency: 3,
      handlerFor: (actor) => {
        const ports = portsOf(actor)
        return queueHandler({
          shape: inboundMessageShape,
          work: async (message) => {
            laws.workBegins(actor, message)
            const outcome = await executeSync(ports, limits, { message, signal })
            sim.note(actor.name, `slice ${outcome.kind}`)
          },
          defer: (message, id) =>
            bug.defer
              ? bug.defer(message)
              : deferMessage({ ...ports, queue: ports.inbound }, message, id),
          park: (message) => parkMessage(ports, topology.queues.inbound.name, message),
        })
      },
      abandoned: (_delivery, error, actor) => laws.abandoned(codeOf(error), actor),
    })
    const signal = new AbortController().signal
    await addTasks(sim, stores)
    playVendor(sim, tables, limits.pageSize)
    playPeople(sim, stores)
    const everyMs = pick(sim.faults, 'timer', [600_000, HOUR_MS])
    const timer = { kind: 'scheduler', everyMs, untilMs: START_MS + FAULTS_MS + REST_MS }
    playTimer(sim, timer, (actor) => scheduleDueTasks(portsOf(actor)))
    return {
      examine: () => laws.examine({ stores, queue }),
    }
  },
}

function tenantOf(tenantId: string): (typeof tenants)[number] {
  return tenantId === 'tenant-b' ? 'tenant-b' : 'tenant-a'
}

const stream = tableStream(ENTITY, {
  name: ENTITY,
  fields: [
    { local: 'title', external: 'title', type: 'text', required: true },
    { local: 'revision', external: 'revision', type: 'integer' },
  ],
  markerField: undefined,
  hasDeleteLog: false,
})

/** How far a vendor's replica may lag. */
const VENDOR_LAG_MS = 210_000

function sourceOf(sim: Simulation, actor: Actor, table: VendorTable | undefined): Source {
  if (!table) throw new Error('no such tenant')
  const client = {
    now: actor.clock,
    call: (call: Parameters<VendorTable['answer']>[0]) =>
      sim.call(actor, 'vendor.fetch', {
        place: 'vendor replica',
        failure: () => new Error('never'),
        effect: (fault): VendorAnswer => {
          if (fault?.kind === 'vendor-trouble') return trouble(fault.size)
          const lagMs = fault?.kind === 'stale' ? fault.size * VENDOR_LAG_MS : 0
          return table.answer(call, sim.now() - lagMs)
        },
      }),
  }
  return {
    kind: 'source',
    mapping: stream.mapping,
    overlapMs: stream.overlapMs,
    fetchPage: (request, signal) => stream.fetchPage(client, request, signal),
  }
}

function trouble(size: number): VendorAnswer {
  const seconds = String(Math.round(10 + size * 900))
  const answers: readonly VendorAnswer[] = [
    {
      kind: 'answer',
      status: 429,
      headers: new Headers({ 'retry-after': seconds }),
      body: {},
      text: '{}',
    },
    { kind: 'answer', status: 503, headers: new Headers(), body: {}, text: '{}' },
    { kind: 'answer', status: 202, headers: new Headers(), body: {}, text: '{}' },
    { kind: 'answer', status: 200, headers: new Headers(), body: undefined, text: '' },
    { kind: 'retry', reason: 'it could not be reached' },
  ]
  return answers[Math.floor((size * 100) % answers.length)] ?? { kind: 'retry', reason: '' }
}

async function addTasks(sim: Simulation, { tasks }: InboundStores): Promise<void> {
  for (const tenantId of tenants) {
    // Sometimes two tasks of one tenant read the same stream.
    const ids =
      sim.faults.chance(`${tenantId} second task`) < 0.5 ? ['task-1', 'task-2'] : ['task-1']
    for (const id of ids) {
      const document: Task = {
        id,
        tenantId,
        integrationId: 'servicenow',
        connectionId: CONNECTION,
        entityType: ENTITY,
        syncMode: 'pull',
        priority: 'normal',
        status: 'pending',
        enabled: true,
        type: 'scheduled',
        schedule: '0 0 * * * *',
        nextScheduled: null,
        claim: null,
      }
      await tasks.backing.write([tenantId], [{ kind: 'create', document }])
    }
  }
}
