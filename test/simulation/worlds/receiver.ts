import { AppError, codeOf } from '../../../src/core/errors.ts'
import type { Queue } from '../../../src/core/queue.ts'
import { queueHandler } from '../../../src/functions/queue.ts'
import { parkMessage } from '../../../src/sync/dead-letters.ts'
import { deferMessage } from '../../../src/sync/defer.ts'
import { executeSync } from '../../../src/sync/inbound.ts'
import type { SyncPorts } from '../../../src/sync/ports.ts'
import type { ShardDocument } from '../../../src/sync/record.ts'
import type { ParkedDocument, PushResult, SyncResult } from '../../../src/sync/result.ts'
import { inboundMessageShape, type Task } from '../../../src/sync/task.ts'
import topology from '../../../src/topology.json' with { type: 'json' }
import type { Delivery } from '../../../src/webhooks/delivery.ts'
import type { WebhookPorts } from '../../../src/webhooks/ports.ts'
import { openWebhookReceiver } from '../../../src/webhooks/receive.ts'
import {
  secretName,
  type Registration,
  type SecretUsage,
} from '../../../src/webhooks/registration.ts'
import type { Standing } from '../../../src/webhooks/standing.ts'
import type { Subscription } from '../../../src/webhooks/subscription.ts'
import { silentLog } from '../../credentials/simulation.ts'
import { lockingQueue } from '../../ports/locking-queue.ts'
import { memoryBlobs } from '../../ports/memory-blobs.ts'
import { memoryVault } from '../../ports/memory-vault.ts'
import { incidentTarget, registration, SECRET } from '../../webhooks/receiver-world.ts'
import { memoryVendor } from '../memory-vendor.ts'
import { queueHost } from '../queue-host.ts'
import { chanceFrom } from '../random.ts'
import { sharedCollection, sharedQueue } from '../simulated-ports.ts'
import type { Actor } from '../simulation.ts'
import { playTimer } from '../timer.ts'
import { START_MS, type Stage, type World } from '../world.ts'
import { receiverBugs, type ReceiverBug } from './receiver-bugs.ts'
import { receiverLaws } from './receiver-laws.ts'
import { playOutages, playSenders } from './receiver-play.ts'
import { playInstances } from '../instances.ts'
import { kinds } from './ring-vendors.ts'
import { sourceOver } from './ring-wire.ts'

const MINUTE_MS = 60_000
const FAULTS_MS = 60 * MINUTE_MS
const REST_MS = 120 * MINUTE_MS
const INSTANCES = 2
/** The store's client gives up before. */
const LONGEST_WRITE_MS = 20_000

/** A sender that retries → receivers → queue or outbox → the worker that reads the one record. */
export const receiver: World = {
  name: 'receiver',
  summary: 'a webhook’s way from its sender over the receiver and the queue into the store',
  checks: [1, 2, 3, 5, 9, 10],
  faultsMs: FAULTS_MS,
  restMs: REST_MS,
  bugs: Object.fromEntries(Object.entries(receiverBugs).map(([name, { what }]) => [name, what])),
  setUp: async (sim, { bug: bugName }): Promise<Stage> => {
    const bug: ReceiverBug =
      bugName === undefined ? { what: '' } : (receiverBugs[bugName] ?? { what: '' })
    const [kind] = kinds
    if (!kind) throw new Error('there is no vendor')
    let numbers = 0
    const vendor = memoryVendor({
      ...kind,
      chance: chanceFrom(() => sim.faults.chance(`vendor ${(numbers += 1)}`)),
      failures: { share: 0 },
      clock: sim.date,
    })
    const laws = receiverLaws(sim, vendor)
    const outages = playOutages(sim)
    const stores = {
      tasks: sharedCollection<Task>(sim, 'tasks'),
      shards: sharedCollection<ShardDocument>(sim, 'shards', { longestMs: LONGEST_WRITE_MS }),
      results: sharedCollection<SyncResult | PushResult>(sim, 'results'),
      parked: sharedCollection<ParkedDocument>(sim, 'parked'),
      deliveries: sharedCollection<Delivery>(sim, 'deliveries', {
        committed: laws.deliveryCommitted,
      }),
      usage: sharedCollection<SecretUsage>(sim, 'usage'),
      registrations: sharedCollection<Registration>(sim, 'registrations'),
      subscriptions: sharedCollection<Subscription>(sim, 'subscriptions'),
      standings: sharedCollection<Standing>(sim, 'standings'),
    }
    const queue = lockingQueue(topology.queues.inbound, sim.now)
    const queueFor = sharedQueue(sim, queue, (messages) => {
      laws.messagesAccepted(messages)
      sim.at(sim.now(), () => worker.wake())
    })
    const vault = memoryVault()
    await vault.set(secretName(registration.id, 's1'), SECRET)
    await stores.registrations.backing.write(
      [registration.id],
      [{ kind: 'create', document: registration }],
    )
    await stores.tasks.backing.write([registration.tenantId], [{ kind: 'create', document: task }])
    const webhookPortsOf = (actor: Actor): WebhookPorts => {
      const inbound = outages.over('queue', queueFor(actor))
      const ports: WebhookPorts = {
        registrations: stores.registrations.as(actor),
        usage: stores.usage.as(actor),
        deliveries: outages.overStore(stores.deliveries.as(actor)),
        subscriptions: stores.subscriptions.as(actor),
        standings: stores.standings.as(actor),
        targetsOf: async () => [incidentTarget],
        admit: async () => 0,
        vault,
        inbound,
        outbound: inbound,
        blobs: memoryBlobs(),
        fetch: async () => Promise.reject(new TypeError('nobody is called')),
        publicUrl: 'https://hooks.example.com',
        clock: actor.clock,
        log: silentLog,
      }
      return bug.receiver ? bug.receiver(ports, actor) : ports
    }
    const workPortsOf = (actor: Actor): SyncPorts => {
      const inbound: Queue = queueFor(actor)
      const ports: SyncPorts = {
        tasks: stores.tasks.as(actor),
        shards: stores.shards.as(actor),
        results: stores.results.as(actor),
        parked: stores.parked.as(actor),
        inbound,
        outbound: inbound,
        mappingOf: async () => vendor.source.mapping,
        openSource: async () => sourceOver(sim, actor, { vendor }),
        clock: actor.clock,
        random: actor.random,
      }
      return bug.worker ? bug.worker(ports) : ports
    }
    const worker = queueHost(sim, {
      kind: 'worker',
      queue,
      concurrency: 3,
      handlerFor: (actor) => {
        const ports = workPortsOf(actor)
        return queueHandler({
          shape: inboundMessageShape,
          work: async (message) => {
            laws.workBegins(actor, message)
            const { signal } = new AbortController()
            const outcome = await executeSync(ports, limits, { message, signal })
            sim.note(actor.name, outcome.kind === 'record' ? outcome.result : outcome.kind)
          },
          defer: (message, id) =>
            bug.defer ? bug.defer() : deferMessage({ ...ports, queue: ports.inbound }, message, id),
          park: (message) => parkMessage(ports, topology.queues.inbound.name, message),
        })
      },
      abandoned: (_delivery, error, actor) => laws.abandoned(codeOf(error), actor),
    })
    const fleet = { kind: 'receiver', count: INSTANCES, untilMs: START_MS + FAULTS_MS + REST_MS }
    const instances = playInstances(sim, fleet, (actor) =>
      openWebhookReceiver(webhookPortsOf(actor)),
    )
    playSenders(sim, { vendor, instances, laws, answersFirst: bug.answersFirst === true })
    const timer = { kind: 'relay', everyMs: MINUTE_MS, untilMs: START_MS + FAULTS_MS + REST_MS }
    playTimer(sim, timer, async (actor) =>
      bug.noRelay ? 0 : openWebhookReceiver(webhookPortsOf(actor)).relay().catch(away),
    )
    return {
      examine: () =>
        laws.examine({
          shards: stores.shards.all(),
          parked: stores.parked.all(),
          deliveries: stores.deliveries.all(),
          waiting: queue.size(),
        }),
    }
  },
}

const limits = { pageSize: 10, sliceMs: 60_000, maxAttempts: 3 }

const task: Task = {
  id: incidentTarget.taskId,
  tenantId: registration.tenantId,
  integrationId: registration.integrationId,
  connectionId: registration.connectionId,
  entityType: incidentTarget.entityType,
  syncMode: 'pull',
  priority: 'normal',
  status: 'completed',
  enabled: true,
  type: 'webhook',
  nextScheduled: null,
  claim: null,
}

function away(error: unknown): number {
  if (!(error instanceof AppError)) throw error
  return 0
}
