import { AppError } from '../../../src/core/errors.ts'
import type { Log } from '../../../src/core/log.ts'
import topology from '../../../src/topology.json' with { type: 'json' }
import type { Delivery } from '../../../src/webhooks/delivery.ts'
import { graphSubscriber } from '../../../src/webhooks/graph-subscriber.ts'
import type { WebhookPorts } from '../../../src/webhooks/ports.ts'
import { openWebhookReceiver } from '../../../src/webhooks/receive.ts'
import {
  secretName,
  type Registration,
  type SecretUsage,
} from '../../../src/webhooks/registration.ts'
import type { Standing } from '../../../src/webhooks/standing.ts'
import type { Subscription } from '../../../src/webhooks/subscription.ts'
import {
  keepSubscriptions,
  subscribe,
  type SubscriptionPorts,
} from '../../../src/webhooks/subscriptions.ts'
import { silentLog } from '../../credentials/simulation.ts'
import { lockingQueue } from '../../ports/locking-queue.ts'
import { memoryBlobs } from '../../ports/memory-blobs.ts'
import { memoryVault } from '../../ports/memory-vault.ts'
import { calling, incidentTarget, registration, SECRET } from '../../webhooks/receiver-world.ts'
import { sharedCollection, sharedQueue } from '../simulated-ports.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { playTimer } from '../timer.ts'
import { between, START_MS, type Stage, type World } from '../world.ts'
import { watchBugs, type WatchBug } from './watch-bugs.ts'
import { watchLaws } from './watch-laws.ts'
import { watchVendor, type Told } from './watch-vendor.ts'

const MINUTE_MS = 60_000
const FAULTS_MS = 8 * 60 * MINUTE_MS
const REST_MS = 4 * 60 * MINUTE_MS
const END_MS = START_MS + FAULTS_MS + REST_MS
const KEEP_EVERY_MS = 10 * MINUTE_MS
const TELL_AGAIN_MS = 5 * MINUTE_MS
/** Clients of the store give up before. */
const LONGEST_CALL_MS = 20_000
const MOST_SKEW_MS = 20_000

const watched: Registration = {
  ...registration,
  scheme: 'microsoft-graph',
  integrationId: 'microsoft-graph',
}
const target = { ...incidentTarget, entityType: 'message', integrationId: 'microsoft-graph' }

/** A vendor's promise to tell us of changes, while it, the store, the bus or we ourselves are away. */
export const watch: World = {
  name: 'watch',
  summary: 'a subscription that runs out, is removed or has gaps, renewed by a timer',
  checks: [2, 3, 5, 9, 10],
  faultsMs: FAULTS_MS,
  restMs: REST_MS,
  bugs: Object.fromEntries(Object.entries(watchBugs).map(([name, { what }]) => [name, what])),
  setUp: async (sim, { bug: bugName }): Promise<Stage> => {
    const bug: WatchBug =
      bugName === undefined ? { what: '' } : (watchBugs[bugName] ?? { what: '' })
    const laws = watchLaws(sim, SECRET)
    const longestMs = LONGEST_CALL_MS
    const stores = {
      deliveries: sharedCollection<Delivery>(sim, 'deliveries', { longestMs }),
      usage: sharedCollection<SecretUsage>(sim, 'usage', { longestMs }),
      registrations: sharedCollection<Registration>(sim, 'registrations', { longestMs }),
      standings: sharedCollection<Standing>(sim, 'standings', { longestMs }),
      subscriptions: sharedCollection<Subscription>(sim, 'subscriptions', {
        committed: laws.committed,
        longestMs,
      }),
    }
    const queue = lockingQueue(topology.queues.inbound, sim.now)
    const queueFor = sharedQueue(sim, queue, laws.messagesAccepted)
    const vault = memoryVault()
    await vault.set(secretName(watched.id, 's1'), SECRET)
    const here = [watched.id]
    await stores.registrations.backing.write(here, [{ kind: 'create', document: watched }])
    const log: Log = {
      ...silentLog,
      error: (message) => {
        if (message.startsWith('webhook subscription failed')) laws.alerted(message)
      },
    }
    const away = { ours: 0 }
    const portsOf = (actor: Actor): WebhookPorts => {
      const inbound = queueFor(actor)
      return {
        registrations: stores.registrations.as(actor),
        usage: stores.usage.as(actor),
        deliveries: stores.deliveries.as(actor),
        subscriptions: stores.subscriptions.as(actor),
        standings: stores.standings.as(actor),
        targetsOf: async () => [target],
        admit: async () => 0,
        vault,
        inbound,
        outbound: inbound,
        blobs: memoryBlobs(),
        fetch: async () => Promise.reject(new TypeError('nobody is called')),
        publicUrl: 'https://hooks.example.com',
        clock: actor.clock,
        log,
      }
    }
    const planted = (ports: WebhookPorts) => bug.receiver?.(ports) ?? ports
    const tell = (told: Told) => {
      if (away.ours > 0) return again(sim, told, tell)
      spawnReceiver(sim, told, {
        again: () => again(sim, told, tell),
        portsOf: (actor) => planted(portsOf(actor)),
      })
    }
    const vendor = watchVendor(sim, {
      forMs: FAULTS_MS,
      everyMs: KEEP_EVERY_MS,
      tell,
      changed: laws.changed,
    })
    playOurOutages(sim, away)
    const keeperOf = (actor: Actor): SubscriptionPorts => {
      const subscriber = graphSubscriber({
        fetch: vendor.fetchAs(actor),
        accessOf: async () => ({ origin: 'https://graph.example.com', headers: {} }),
      })
      const ports = { ...portsOf(actor), subscriber, random: actor.random }
      return bug.keeper ? bug.keeper(ports) : ports
    }
    const wanted = {
      resource: 'users/1/messages',
      changeType: 'created',
      lifetimeMinutes: between(sim.faults, 'lifetime', [45, 180]),
    }
    const backing = {
      registrations: stores.registrations.backing,
      subscriptions: stores.subscriptions.backing,
      clock: sim.date,
    }
    await subscribe(backing, { tenantId: watched.tenantId, id: watched.id }, wanted)
    const every = { everyMs: KEEP_EVERY_MS, untilMs: END_MS, mostSkewMs: MOST_SKEW_MS }
    playTimer(sim, { kind: 'keeper', ...every }, async (actor) =>
      away.ours > 0 ? 0 : keepSubscriptions(keeperOf(actor)).catch(none),
    )
    playTimer(sim, { kind: 'relay', ...every }, async (actor) =>
      openWebhookReceiver(portsOf(actor)).relay().catch(none),
    )
    return { examine: () => laws.examine(stores.subscriptions.all()[0], vendor) }
  },
}

function none(error: unknown): number {
  if (!(error instanceof AppError)) throw error
  return 0
}

function again(sim: Simulation, told: Told, tell: (told: Told) => void): void {
  sim.at(sim.now() + TELL_AGAIN_MS, () => tell(told))
}

interface Receiving {
  readonly portsOf: (actor: Actor) => WebhookPorts
  readonly again: () => void
}

/** One call of Graph: it tells again until it is heard. */
function spawnReceiver(
  sim: Simulation,
  told: Told,
  { portsOf, again: tellAgain }: Receiving,
): void {
  const state = { isHeard: false }
  sim.spawn({
    kind: 'receiver',
    name: `receiver of ${told.label} ${sim.now()}`,
    mostSkewMs: MOST_SKEW_MS,
    work: async (actor) => {
      const call = calling(JSON.stringify({ value: told.items }), { scheme: 'microsoft-graph' })
      const receipt = await openWebhookReceiver(portsOf(actor)).receive(call)
      state.isHeard = receipt.kind === 'accepted'
      if (!state.isHeard) sim.violate(5, `${told.label} was answered ${receipt.kind}`)
    },
    ended: () => {
      if (!state.isHeard) tellAgain()
    },
  })
}

/** Hours in which none of our processes runs. */
function playOurOutages(sim: Simulation, away: { ours: number }): void {
  const count = between(sim.faults, 'our outages', [0, 1])
  for (let index = 0; index < count; index += 1) {
    const fromMs = START_MS + 20 * MINUTE_MS + sim.faults.chance('our outage at') * FAULTS_MS * 0.6
    sim.act(fromMs, 'act our outage', () => {
      away.ours += 1
      sim.at(sim.now() + sim.faults.chance('our outage long') * 200 * MINUTE_MS, () => {
        away.ours -= 1
      })
    })
  }
}
