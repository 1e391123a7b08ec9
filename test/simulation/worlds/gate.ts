import { AppError } from '../../../src/core/errors.ts'
import { limiter } from '../../../src/rate-limit/limiter.ts'
import { localLimits } from '../../../src/rate-limit/local.ts'
import type { LimitStore } from '../../../src/rate-limit/ports.ts'
import topology from '../../../src/topology.json' with { type: 'json' }
import type { Delivery } from '../../../src/webhooks/delivery.ts'
import type { WebhookPorts } from '../../../src/webhooks/ports.ts'
import { openWebhookReceiver, replaySecretName } from '../../../src/webhooks/receive.ts'
import type { Registration, SecretUsage } from '../../../src/webhooks/registration.ts'
import type { RegistrationPorts } from '../../../src/webhooks/registrations.ts'
import type { Standing } from '../../../src/webhooks/standing.ts'
import type { Subscription } from '../../../src/webhooks/subscription.ts'
import { silentLog } from '../../credentials/simulation.ts'
import { lockingQueue } from '../../ports/locking-queue.ts'
import { memoryBlobs } from '../../ports/memory-blobs.ts'
import { memoryVault } from '../../ports/memory-vault.ts'
import { sharedCollection, sharedQueue } from '../simulated-ports.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { playTimer } from '../timer.ts'
import { START_MS, type Stage, type World } from '../world.ts'
import { gateBugs, type GateBug } from './gate-bugs.ts'
import { allHouses, connectionOf, settle, targetOf } from './gate-houses.ts'
import { gateLaws } from './gate-laws.ts'
import { playOperators } from './gate-operators.ts'
import type { Street } from './gate-post.ts'
import { playInstances } from '../instances.ts'
import { LEAVE_SECRET, playSenders } from './gate-senders.ts'
import { playStrangers } from './gate-strangers.ts'

const MINUTE_MS = 60_000
const FAULTS_MS = 60 * MINUTE_MS
const REST_MS = 90 * MINUTE_MS
const END_MS = START_MS + FAULTS_MS + REST_MS
const INSTANCES = 2
/** Clients of the store and of the shared limits give up before. */
const LONGEST_CALL_MS = 20_000
const LONGEST_COMMAND_MS = 500

/** Registrations of many tenants, their senders, strangers, and operators who change secrets. */
export const gate: World = {
  name: 'gate',
  summary:
    'whatever is posted to webhook addresses: genuine, forged, hostile, too much; secrets change',
  checks: [1, 2, 5, 8, 10],
  faultsMs: FAULTS_MS,
  restMs: REST_MS,
  bugs: Object.fromEntries(Object.entries(gateBugs).map(([name, { what }]) => [name, what])),
  setUp: async (sim, { bug: bugName }): Promise<Stage> => {
    const bug: GateBug = bugName === undefined ? { what: '' } : (gateBugs[bugName] ?? { what: '' })
    const operators = playOperators(sim)
    const laws = gateLaws(sim, operators)
    const longestMs = LONGEST_CALL_MS
    const stores = {
      deliveries: sharedCollection<Delivery>(sim, 'deliveries', {
        committed: laws.deliveriesCommitted,
        longestMs,
      }),
      usage: sharedCollection<SecretUsage>(sim, 'usage', { longestMs }),
      registrations: sharedCollection<Registration>(sim, 'registrations', { longestMs }),
      subscriptions: sharedCollection<Subscription>(sim, 'subscriptions', { longestMs }),
      standings: sharedCollection<Standing>(sim, 'standings', {
        committed: laws.standingsCommitted,
        longestMs,
      }),
    }
    const queueFor = sharedQueue(
      sim,
      lockingQueue(topology.queues.inbound, sim.now),
      laws.messagesAccepted,
    )
    const vault = memoryVault()
    await vault.set(replaySecretName, LEAVE_SECRET)
    await settle({ registrations: stores.registrations.backing, vault }, sim.date().toISOString())
    const limits = localLimits(sim.date)
    const portsOf = (actor: Actor): WebhookPorts => {
      const inbound = queueFor(actor)
      const ports: WebhookPorts = {
        registrations: stores.registrations.as(actor),
        usage: stores.usage.as(actor),
        deliveries: stores.deliveries.as(actor),
        subscriptions: stores.subscriptions.as(actor),
        standings: stores.standings.as(actor),
        targetsOf: async (_tenantId, connectionId) =>
          allHouses.filter((one) => connectionOf(one) === connectionId).map(targetOf),
        admit: admitOver(sim, actor, limits),
        vault,
        inbound,
        outbound: inbound,
        blobs: memoryBlobs(),
        fetch: async () => Promise.reject(new TypeError('nobody is called')),
        publicUrl: 'https://hooks.example.com',
        clock: actor.clock,
        log: silentLog,
      }
      return bug.ports ? bug.ports(ports) : ports
    }
    const open = (actor: Actor) => {
      const ports = portsOf(actor)
      const receiver = openWebhookReceiver(ports)
      if (!bug.receive) return receiver
      return { ...receiver, receive: bug.receive((call) => receiver.receive(call), ports) }
    }
    const fleet = { kind: 'receiver', count: INSTANCES, untilMs: END_MS }
    const instances = playInstances(sim, fleet, (actor) => {
      laws.born()
      return open(actor)
    })
    const { answered, posted } = laws
    const street: Street = { sim, instances, answered, posted }
    playSenders({ street, keys: operators })
    playStrangers(street)
    let ids = 0
    const managementOf = (actor: Actor): RegistrationPorts => ({
      ...portsOf(actor),
      vendorOf: async () => 'servicenow',
      newId: () => `id${(ids += 1)}`,
      forget: () => {},
    })
    operators.start({ street, portsOf: managementOf, revoked: laws.revoked })
    playTimer(sim, { kind: 'relay', everyMs: 5 * MINUTE_MS, untilMs: END_MS }, async (actor) =>
      openWebhookReceiver(portsOf(actor)).relay().catch(away),
    )
    // Before a process ends it stores what it had only counted.
    for (const times of [3, 2, 1]) {
      sim.at(END_MS - times * MINUTE_MS, () => {
        for (const { serves } of instances) void serves?.flush()
      })
    }
    return {
      examine: () =>
        laws.examine({
          deliveries: stores.deliveries.all(),
          standings: stores.standings.all(),
          usage: stores.usage.all(),
        }),
    }
  },
}

function away(error: unknown): number {
  if (!(error instanceof AppError)) throw error
  return 0
}

function admitOver(sim: Simulation, actor: Actor, store: LimitStore): WebhookPorts['admit'] {
  const limits = limiter({
    shared: {
      take: (wanted) =>
        sim.call(actor, 'limits.take', {
          place: 'limits call',
          longestMs: LONGEST_COMMAND_MS,
          failure: () => new AppError('limits_unavailable', 'the shared limits are away'),
          effect: () => store.take(wanted),
        }),
      learn: async () => {},
    },
    overrides: { integrations: {}, incoming: {} },
    partAlone: 0.1,
    clock: actor.clock,
    sleep: async () => {},
    log: silentLog,
  })
  return async ({ id, tenantId, requestsPerMinute }) => {
    const decision = await limits.admit({
      endpoint: 'webhooks',
      registration: id,
      registrationPerMinute: requestsPerMinute,
      tenantId,
    })
    return decision.kind === 'allowed' ? 0 : decision.waitMs
  }
}
