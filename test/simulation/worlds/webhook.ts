import { createHash } from 'node:crypto'
import { AppError } from '../../../src/core/errors.ts'
import { serviceNowEventShape } from '../../../src/notifications/event.ts'
import type { Realtime } from '../../../src/notifications/ports.ts'
import {
  receiveEvent,
  relayUntold,
  type Delivery,
  type Incoming,
  type NotificationPorts,
} from '../../../src/notifications/receive.ts'
import { groupOf } from '../../../src/notifications/rules.ts'
import { sharedCollection } from '../simulated-ports.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { between, pick, START_MS, type Stage, type World } from '../world.ts'
import { webhookBugs, type WebhookBug } from './webhook-bugs.ts'

const MINUTE_MS = 60_000
const FAULTS_MS = 60 * MINUTE_MS
const REST_MS = 120 * MINUTE_MS
/** The minutes of the timer; the more of them, the longer a run. */
const RELAY_EVERY_MS = 10 * MINUTE_MS
const silent = { info() {}, warn() {}, error() {}, metric() {} }
/** The waits of the business rule (infra/install/servicenow), and its patience for one answer. */
const RETRY_MINUTES = [1, 5, 15, 60]
const TIMEOUT_MS = 10_000

/** What was sent, and what became of it. */
interface Sent {
  readonly digest: string
  readonly userId: string
  readonly title: string
  accepted: boolean
  told: number
}

interface Change {
  readonly label: string
  readonly number: string
  readonly userId: string
}

/** ServiceNow event → delivery → notification, with a sender that retries as our business rule does. */
export const webhook: World = {
  name: 'webhook',
  summary: 'a business rule that posts and retries → stored delivery → phones, on many instances',
  checks: [1, 2, 5, 8],
  faultsMs: FAULTS_MS,
  restMs: REST_MS,
  bugs: Object.fromEntries(Object.entries(webhookBugs).map(([name, { what }]) => [name, what])),
  setUp: (sim, { bug: bugName }): Stage => {
    const bug: WebhookBug | undefined = bugName === undefined ? undefined : webhookBugs[bugName]
    const sent = new Map<string, Sent>()
    const finished = new Set<string>()
    const deliveries = sharedCollection<Delivery>(sim, 'deliveries', {
      committed: ({ changes }) => {
        for (const { after } of changes) {
          if (after.status !== 'received') finished.add(after.recordId)
        }
      },
    })
    const realtimeOf = (actor: Actor, toldBefore: ReadonlySet<string>): Realtime => ({
      service: 'signalr',
      sendToGroup: (group, payload) =>
        sim.call(actor, 'realtime.send', {
          place: 'realtime send',
          failure: () => new AppError('realtime_unavailable', 'the hub is throttled'),
          effect: () =>
            tell(sim, { sent, toldBefore, stored: deliveries.all() }, { group, payload }),
        }),
      negotiate: async () => ({ url: '', accessToken: '' }),
      ping: async () => {},
    })
    const portsOf = (actor: Actor): NotificationPorts => {
      const ports: NotificationPorts = {
        deliveries: deliveries.as(actor),
        realtimes: [realtimeOf(actor, new Set(finished))],
        clock: actor.clock,
      }
      return bug?.ports ? bug.ports(ports, actor) : ports
    }
    const receive = async (actor: Actor, incoming: Incoming) => {
      const planted = portsOf(actor)
      if (bug?.answersFirst) void receiveEvent(planted, incoming).catch(() => {})
      else await receiveEvent(planted, incoming)
    }
    const answered = (one: Sent, stored: readonly Delivery[]) => {
      one.accepted = true
      if (stored.some(({ recordId }) => recordId === one.digest)) return
      sim.violate(1, `an event was answered 2xx and is not stored (${one.title})`)
    }
    playRelay(sim, (actor) => relayUntold({ ...portsOf(actor), log: silent }))
    playSenders(sim, { sent, receive, answered: (one) => answered(one, deliveries.all()) })
    return {
      examine: () => {
        for (const one of sent.values()) {
          if (one.accepted && one.told === 0) {
            sim.violate(5, `an event was answered 2xx and nobody was told (${one.title})`)
          }
        }
        const ids = new Set(deliveries.all().map(({ recordId }) => recordId))
        if (ids.size < deliveries.all().length) {
          sim.violate(2, 'one event is stored as two deliveries')
        }
      },
    }
  },
}

interface Told {
  readonly sent: ReadonlyMap<string, Sent>
  /** Records of which it was marked that they were told when this invocation began. */
  readonly toldBefore: ReadonlySet<string>
  readonly stored: readonly Delivery[]
}

function tell(sim: Simulation, world: Told, message: { group: string; payload: object }): void {
  const data: unknown = Reflect.get(message.payload, 'data')
  const digest = String(typeof data === 'object' && data ? Reflect.get(data, 'recordId') : '')
  const one = world.sent.get(digest)
  if (!one) return sim.violate(8, 'somebody was told of an event that was never sent')
  one.told += 1
  if (message.group !== groupOf(one.userId)) {
    sim.violate(8, `${message.group} was told what concerns ${one.userId}`)
  }
  const stored = world.stored.find(({ recordId }) => recordId === digest)
  if (!stored) return sim.violate(1, `a phone was told of an event before it was stored`)
  if (world.toldBefore.has(digest)) {
    sim.violate(2, `a phone was told again of what is marked as told (${one.title})`)
  }
}

/** The timer that tells what nobody told. */
function playRelay(sim: Simulation, relay: (actor: Actor) => Promise<unknown>): void {
  for (let atMs = RELAY_EVERY_MS; atMs < FAULTS_MS + REST_MS; atMs += RELAY_EVERY_MS) {
    const name = `relay ${atMs / MINUTE_MS}`
    const spawn = () =>
      sim.spawn({
        kind: 'relay',
        name,
        work: async (actor) => {
          await relay(actor)
        },
      })
    sim.at(START_MS + atMs, () => {
      const fault = sim.strike('relay timer', `${name} timer`, 'relay timer')
      if (fault?.kind === 'skipped') return
      if (fault?.kind === 'twice') spawn()
      spawn()
    })
  }
}

interface Senders {
  readonly sent: Map<string, Sent>
  readonly receive: (actor: Actor, incoming: Incoming) => Promise<void>
  readonly answered: (one: Sent) => void
}

/** Business rules on an instance: each posts, waits for an answer, and tries again up to four times. */
function playSenders(sim: Simulation, senders: Senders): void {
  const count = between(sim.faults, 'events', [3, 25])
  for (let index = 0; index < count; index += 1) {
    const label = `event ${index}`
    const atMs = START_MS + sim.faults.chance(`${label} at`) * FAULTS_MS
    const userId = `u${between(sim.faults, `${label} user`, [1, 3])}`
    sim.act(atMs, `act ${label}`, () =>
      post(sim, senders, { change: { label, number: `INC${index}`, userId }, attempt: 1 }),
    )
  }
}

function post(
  sim: Simulation,
  senders: Senders,
  { change, attempt }: { readonly change: Change; readonly attempt: number },
): void {
  const name = `${change.label}/${attempt}`
  const sender = pick<'proxy' | 'rule' | 'older rule'>(sim.faults, `${change.label} sender`, [
    'proxy',
    'rule',
    'older rule',
  ])
  const body = bodyOf(change, { sender, attempt })
  const recordId = body.record.sys_id
  const one: Sent = senders.sent.get(recordId) ?? {
    digest: recordId,
    userId: change.userId,
    title: `${change.number} attempt ${attempt}`,
    accepted: false,
    told: 0,
  }
  senders.sent.set(recordId, one)
  const text = JSON.stringify(body)
  const incoming = {
    event: serviceNowEventShape.parse(JSON.parse(text)),
    digest: createHash('sha256').update(text).digest('base64url'),
    sourceIp: null,
  }
  let settled = false
  const settle = (ok: boolean) => {
    if (settled) return
    settled = true
    const minutes = RETRY_MINUTES[attempt - 1]
    if (ok || minutes === undefined) return
    sim.at(sim.now() + minutes * MINUTE_MS, () =>
      post(sim, senders, { change, attempt: attempt + 1 }),
    )
  }
  sim.at(sim.now() + TIMEOUT_MS, () => settle(false))
  const fault = sim.strike('webhook post', `${name} post`, 'incoming post')
  const instance = (suffix: string) =>
    sim.spawn({
      kind: 'webhook',
      name: `webhook ${name}${suffix}`,
      work: (actor) => senders.receive(actor, incoming),
      ended: ({ kind }) => {
        if (kind === 'returned') senders.answered(one)
        settle(kind === 'returned' && fault?.kind !== 'answer-lost')
      },
    })
  instance('')
  if (fault?.kind === 'twice') instance(' again')
}

/**
 * A proxy repeats the very bytes; the business rule writes a new time into each attempt, with one id in all of them; an
 * older rule has no id, so that each of its attempts is an event of its own. `sys_id` names what shall be told once.
 */
function bodyOf(
  { label, number, userId }: Change,
  {
    sender,
    attempt,
  }: { readonly sender: 'proxy' | 'rule' | 'older rule'; readonly attempt: number },
) {
  return {
    event_type: 'incident.updated',
    table: 'incident',
    operation: 'update',
    record: {
      sys_id: sender === 'older rule' ? `${label} ${attempt}` : label,
      number,
      assigned_to: userId,
      state: '2',
      short_description: 'the printer is on fire',
    },
    timestamp: `attempt ${sender === 'proxy' ? 1 : attempt}`,
    ...(sender === 'rule' ? { event_id: label } : {}),
  }
}
