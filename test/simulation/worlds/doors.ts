import { AppError } from '../../../src/core/errors.ts'
import type { Connection } from '../../../src/core/connection.ts'
import type { Log } from '../../../src/core/log.ts'
import { credentialAccess } from '../../../src/credentials/access.ts'
import type { Credential } from '../../../src/credentials/credential.ts'
import type { DevicePorts } from '../../../src/credentials/device.ts'
import { queueHandler } from '../../../src/functions/queue.ts'
import { limiter } from '../../../src/rate-limit/limiter.ts'
import { localLimits } from '../../../src/rate-limit/local.ts'
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
import type { Registration, SecretUsage } from '../../../src/webhooks/registration.ts'
import type { Standing } from '../../../src/webhooks/standing.ts'
import type { Subscription } from '../../../src/webhooks/subscription.ts'
import { vendor as vendorOf } from '../../credentials/simulation.ts'
import { lockingQueue } from '../../ports/locking-queue.ts'
import { memoryBlobs } from '../../ports/memory-blobs.ts'
import { memoryCollection } from '../../ports/memory-collection.ts'
import { memoryVault } from '../../ports/memory-vault.ts'
import { memoryVendor } from '../memory-vendor.ts'
import { queueHost } from '../queue-host.ts'
import { chanceFrom } from '../random.ts'
import { sharedCollection, sharedQueue } from '../simulated-ports.ts'
import type { Actor } from '../simulation.ts'
import { playTimer } from '../timer.ts'
import { START_MS, type Stage, type World } from '../world.ts'
import { doorsBugs, type DoorsBug } from './doors-bugs.ts'
import { doorsLaws } from './doors-laws.ts'
import { playPeople, type Process } from './doors-people.ts'
import { playInstances } from '../instances.ts'
import {
  connectionOf,
  connectPhones,
  INTEGRATION,
  keepSecrets,
  registrationOf,
  targetOf,
  tenantsOf,
  type Tenant,
} from './doors-tenants.ts'
import { kinds } from './ring-vendors.ts'
import { sourceOver } from './ring-wire.ts'

const MINUTE_MS = 60_000
const FAULTS_MS = 60 * MINUTE_MS
const REST_MS = 60 * MINUTE_MS
const END_MS = START_MS + FAULTS_MS + REST_MS
const PROCESSES = 2
const LONGEST_CALL_MS = 20_000

const provider = {
  ...vendorOf({ kind: 'none' }),
  integrationId: INTEGRATION,
  domains: ['service-now.com', 'now.com'],
}

/** Tenants whose ids run into each other, at every door, served by the same processes. */
export const doors: World = {
  name: 'doors',
  summary: 'many tenants with hostile names at every door, each with the names of the others',
  checks: [5, 8, 10],
  faultsMs: FAULTS_MS,
  restMs: REST_MS,
  bugs: Object.fromEntries(Object.entries(doorsBugs).map(([name, { what }]) => [name, what])),
  setUp: async (sim, { bug: bugName }): Promise<Stage> => {
    const bug: DoorsBug =
      bugName === undefined ? { what: '' } : (doorsBugs[bugName] ?? { what: '' })
    const tenants = tenantsOf(sim.faults)
    for (const { id, canary } of tenants) sim.note(canary, `is ${JSON.stringify(id.slice(0, 40))}`)
    const laws = doorsLaws(sim, tenants)
    const shared = <
      T extends Parameters<ReturnType<typeof laws.committed>>[0]['changes'][0]['after'],
    >(
      name: string,
    ) =>
      sharedCollection<T>(sim, name, {
        committed: (commit) => laws.committed(name)(commit),
        longestMs: LONGEST_CALL_MS,
      })
    const stores = {
      tasks: shared<Task>('tasks'),
      shards: shared<ShardDocument>('shards'),
      results: shared<SyncResult | PushResult>('results'),
      parked: shared<ParkedDocument>('parked'),
      deliveries: shared<Delivery>('deliveries'),
      usage: shared<SecretUsage>('usage'),
      registrations: shared<Registration>('registrations'),
      subscriptions: shared<Subscription>('subscriptions'),
      standings: shared<Standing>('standings'),
      credentials: shared<Credential>('credentials'),
      connections: shared<Connection>('connections'),
    }
    const vault = memoryVault()
    const blobs = memoryBlobs()
    let numbers = 0
    const vendors = new Map<Tenant, ReturnType<typeof memoryVendor>>()
    for (const tenant of tenants) {
      const document = registrationOf(tenant)
      await stores.registrations.backing.write([document.id], [{ kind: 'create', document }])
      const connection = connectionOf(tenant)
      await stores.connections.backing.write(
        [tenant.id],
        [{ kind: 'create', document: connection }],
      )
      await stores.tasks.backing.write([tenant.id], [{ kind: 'create', document: taskOf(tenant) }])
      const [kind] = kinds
      if (!kind) throw new Error('there is no vendor')
      const options = { ...kind, failures: { share: 0 }, clock: sim.date }
      const chance = chanceFrom(() => sim.faults.chance(`vendor ${(numbers += 1)}`))
      vendors.set(tenant, memoryVendor({ ...options, chance }))
    }
    await keepSecrets(vault, tenants)
    await connectPhones({ credentials: stores.credentials.backing, vault }, tenants)
    const log: Log = {
      info: laws.logged,
      warn: laws.logged,
      error: laws.logged,
      metric: (name, _value, fields) => laws.logged(name, fields),
    }
    const queue = lockingQueue(topology.queues.inbound, sim.now)
    const queueFor = sharedQueue(sim, queue, (messages) => {
      laws.messagesAccepted(messages)
      sim.at(sim.now(), () => worker.wake())
    })
    const store = localLimits(sim.date)
    const limitsOf = (actor: Actor) => {
      const seen = {
        ...store,
        take: (take: Parameters<typeof store.take>[0]) => {
          laws.taken(take)
          return store.take(take)
        },
      }
      return limiter({
        shared: bug.limits ? bug.limits(seen) : seen,
        overrides: { integrations: {}, incoming: {} },
        partAlone: 1,
        clock: actor.clock,
        sleep: async () => {},
        log,
      })
    }
    const webhooksOf = (actor: Actor): WebhookPorts => {
      const inbound = queueFor(actor)
      const ports: WebhookPorts = {
        registrations: stores.registrations.as(actor),
        usage: stores.usage.as(actor),
        deliveries: stores.deliveries.as(actor),
        subscriptions: stores.subscriptions.as(actor),
        standings: stores.standings.as(actor),
        targetsOf: async () => [targetOf()],
        admit: async () => 0,
        vault,
        inbound,
        outbound: inbound,
        blobs,
        fetch: async () => Promise.reject(new TypeError('nobody is called')),
        publicUrl: 'https://hooks.example.com',
        clock: actor.clock,
        log,
      }
      return bug.webhooks ? bug.webhooks(ports) : ports
    }
    let ids = 0
    const deviceOf = (actor: Actor): DevicePorts => {
      const ports: DevicePorts = {
        credentials: stores.credentials.as(actor),
        authorizations: memoryCollection(),
        sessions: memoryCollection(),
        connections: stores.connections.as(actor),
        newSecret: () => `secret-${(ids += 1)}`,
        admit: async () => undefined,
        vault,
        fetch: async (input, init) => {
          const form = new URLSearchParams(typeof init?.body === 'string' ? init.body : '')
          const grant = form.get('refresh_token') ?? ''
          laws.called(input instanceof Request ? input.url : String(input), grant, actor)
          const access_token = `access ${grant}`
          return Response.json({ access_token, token_type: 'Bearer', expires_in: 1_800 })
        },
        quota: { admit: async () => undefined, learnFrom: async () => {} },
        providerOf: () => provider,
        clientOf: () => ({ clientId: 'client', clientSecret: 'secret' }),
        tellAdmins: async () => {},
        pause: (ms) =>
          new Promise((resolve) => {
            sim.at(sim.now() + ms, () => {
              if (actor.alive()) resolve()
            })
          }),
        clock: actor.clock,
        random: actor.random,
        newId: () => `id-${(ids += 1)}`,
        log,
      }
      return bug.device ? bug.device(ports) : ports
    }
    const open = (actor: Actor): Process => {
      const webhooks = webhooksOf(actor)
      const device = deviceOf(actor)
      const receiver = openWebhookReceiver(webhooks)
      return {
        actor,
        receiver,
        management: {
          ...webhooks,
          vendorOf: async () => INTEGRATION,
          newId: () => `id${(ids += 1)}`,
          forget: (id) => receiver.forget(id),
        },
        device,
        access: credentialAccess(device, { ...OPTIONS, owner: actor.name }),
        limits: limitsOf(actor),
      }
    }
    const worker = queueHost(sim, {
      kind: 'worker',
      queue,
      concurrency: 3,
      handlerFor: (actor) => {
        const inbound = queueFor(actor)
        const own: SyncPorts = {
          tasks: stores.tasks.as(actor),
          shards: stores.shards.as(actor),
          results: stores.results.as(actor),
          parked: stores.parked.as(actor),
          inbound,
          outbound: inbound,
          mappingOf: async () => kinds[0]?.mapping,
          openSource: async ({ tenantId }) => {
            const [, vendor] = [...vendors].find(([{ id }]) => id === tenantId) ?? []
            if (!vendor) throw new Error(`there is no tenant ${tenantId}`)
            return sourceOver(sim, actor, { vendor })
          },
          clock: actor.clock,
          random: actor.random,
        }
        const ports = bug.worker ? bug.worker(own) : own
        return queueHandler({
          shape: inboundMessageShape,
          work: async (message) => {
            const { signal } = new AbortController()
            await executeSync(ports, LIMITS, { message, signal })
          },
          defer: (message, id) => deferMessage({ ...ports, queue: inbound }, message, id),
          park: (message) => parkMessage(ports, topology.queues.inbound.name, message),
        })
      },
      abandoned: () => {},
    })
    const fleet = { kind: 'process', count: PROCESSES, untilMs: END_MS, mostSkewMs: 20_000 }
    const processes = playInstances(sim, fleet, open)
    playPeople({
      sim,
      tenants,
      vendors,
      processes,
      laws,
      deliveries: () => stores.deliveries.all(),
    })
    playTimer(sim, { kind: 'relay', everyMs: 10 * MINUTE_MS, untilMs: END_MS }, async (actor) =>
      openWebhookReceiver(webhooksOf(actor)).relay().catch(none),
    )
    return { examine: () => laws.examine(blobs.stored) }
  },
}

const OPTIONS = { leaseMs: 10_000, patienceMs: 5_000, maxTries: 3, timeoutMs: 60_000 }
const LIMITS = { pageSize: 10, sliceMs: 60_000, maxAttempts: 3 }

/** All tenants' tasks have one id. */
function taskOf({ id, connectionId }: Tenant): Task {
  const { taskId, entityType } = targetOf()
  return {
    id: taskId,
    tenantId: id,
    integrationId: INTEGRATION,
    connectionId,
    entityType,
    syncMode: 'pull',
    priority: 'normal',
    status: 'completed',
    enabled: true,
    type: 'webhook',
    nextScheduled: null,
    claim: null,
  }
}

function none(error: unknown): number {
  if (!(error instanceof AppError)) throw error
  return 0
}
