import type { Collection, Document } from '../../../src/core/collection.ts'
import { AppError } from '../../../src/core/errors.ts'
import type { Queue } from '../../../src/core/queue.ts'
import type { WebhookReceiver } from '../../../src/webhooks/receive.ts'
import { calling } from '../../webhooks/receiver-world.ts'
import type { MemoryVendor, VendorRow } from '../memory-vendor.ts'
import type { Instance } from '../instances.ts'
import type { Simulation } from '../simulation.ts'
import { between, START_MS } from '../world.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** The waits of our business rule (infra/install/servicenow), and its patience for one answer. */
const RETRY_MINUTES = [1, 5, 15, 60]
const TIMEOUT_MS = 10_000

/** What was posted, and whether it was answered 2xx. */
export interface Event {
  readonly id: string
  readonly rowId: string
  readonly operation: 'insert' | 'update' | 'delete'
  readonly version: { readonly time: string; readonly count: number }
  accepted: boolean
}

interface Senders {
  readonly vendor: MemoryVendor
  readonly instances: readonly Instance<WebhookReceiver>[]
  readonly laws: {
    readonly posted: (event: Event) => void
    readonly answered: (event: Event, deliveryId: string) => void
  }
  /** The answer goes out before the work is done. */
  readonly answersFirst: boolean
}

/** Rows are created, changed and deleted, and a business rule tells of each, until it is heard. */
export function playSenders(sim: Simulation, senders: Senders): void {
  const { faults } = sim
  const { vendor, laws } = senders
  const count = between(faults, 'events', [3, 25])
  for (let index = 0; index < count; index += 1) {
    const label = `change ${index}`
    const burst = faults.chance(`${label} burst`) < 0.5
    const atMs = START_MS + faults.chance(burst ? 'burst' : `${label} at`) * HOUR_MS
    sim.act(atMs + faults.chance(`${label} soon`) * 3_000, `act ${label}`, () => {
      const { row, operation } = change(vendor, (what) => faults.chance(`${label} ${what}`))
      const version = { time: row.time, count: row.count }
      const event: Event = { id: label, rowId: row.id, operation, version, accepted: false }
      laws.posted(event)
      // The later a rule runs, the more of them have overtaken it.
      const lateMs = faults.chance(`${label} late`) < 0.2 ? 30_000 : 500
      const postAt = sim.now() + faults.chance(`${label} post`) * lateMs
      sim.at(postAt, () => post(sim, senders, { event, row, attempt: 1 }))
    })
  }
}

function change(vendor: MemoryVendor, chance: (what: string) => number) {
  const rows = vendor.alive()
  const row = rows[Math.floor(chance('row') * rows.length)]
  const title = `v${chance('title')}`
  const fresh = () => {
    const { id } = vendor.create({ short_description: title, state: 1 })
    return { id, operation: 'insert' as const }
  }
  const changed = (id: string) => {
    vendor.edit(id, { short_description: title })
    return { id, operation: 'update' as const }
  }
  const removed = (id: string) => {
    vendor.remove(id)
    return { id, operation: 'delete' as const }
  }
  const kind = chance('kind')
  const { id, operation } =
    !row || kind < 0.3 ? fresh() : kind < 0.9 ? changed(row.id) : removed(row.id)
  const now = vendor.get(id)
  if (!now) throw new Error(`${id} is gone`)
  return { row: now, operation }
}

interface Posting {
  readonly event: Event
  readonly row: VendorRow
  readonly attempt: number
}

function post(sim: Simulation, senders: Senders, posting: Posting): void {
  const { event, row, attempt } = posting
  const name = `${event.id}/${attempt}`
  let settled = false
  const settle = (isHeard: boolean) => {
    if (settled) return
    settled = true
    const minutes = RETRY_MINUTES[attempt - 1]
    if (isHeard || minutes === undefined) return
    sim.at(sim.now() + minutes * MINUTE_MS, () =>
      post(sim, senders, { ...posting, attempt: attempt + 1 }),
    )
  }
  sim.at(sim.now() + TIMEOUT_MS, () => settle(false))
  const fault = sim.strike('sender post', `${name} post`, 'incoming post')
  const incoming = calling(bodyOf(event, row), { id: event.id, now: sim.date() })
  const arrive = async (which: number): Promise<void> => {
    const { serves: receiver, actor } = senders.instances[which % senders.instances.length] ?? {}
    if (!receiver || !actor) return settle(false)
    const heard = (deliveryId: string) => {
      if (!actor.alive()) return
      sim.note(actor.name, `answers 2xx to ${name}`)
      event.accepted = true
      senders.laws.answered(event, deliveryId)
      settle(fault?.kind !== 'answer-lost')
    }
    if (senders.answersFirst) heard('')
    try {
      const receipt = await receiver.receive(incoming)
      if (receipt.kind === 'accepted') heard(receipt.deliveryId)
      else settle(false)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      sim.note(actor.name, `answers ${error.code} to ${name}`)
      settle(false)
    }
  }
  const which = Math.floor(sim.faults.chance(`${name} instance`) * 100)
  const fails = (error: unknown) => sim.violate(1, `a call was not answered: ${String(error)}`)
  void arrive(which).catch(fails)
  if (fault?.kind === 'twice') void arrive(which + 1).catch(fails)
}

function bodyOf({ operation }: Event, row: VendorRow): string {
  return JSON.stringify({
    event_type: `incident.${operation}`,
    table: 'incident',
    operation,
    record: {
      sys_id: row.id,
      number: 'INC1',
      sys_updated_on: row.time.slice(0, 19).replace('T', ' '),
      sys_mod_count: String(row.count),
    },
    timestamp: row.time,
  })
}

/** Hours of the day when the queue, the store, or both are away. */
export function playOutages(sim: Simulation) {
  const away = { queue: 0, store: 0 }
  for (const what of ['queue', 'store'] as const) {
    const count = between(sim.faults, `outages ${what}`, [0, 2])
    for (let index = 0; index < count; index += 1) {
      const label = `outage ${what} ${index}`
      const fromMs = START_MS + sim.faults.chance(`${label} from`) * HOUR_MS
      const longMs = sim.faults.chance(`${label} long`) * 15 * MINUTE_MS
      sim.act(fromMs, `act ${label}`, () => {
        away[what] += 1
        sim.at(sim.now() + longMs, () => {
          away[what] -= 1
        })
      })
    }
  }
  const check = (what: 'queue' | 'store') => {
    if (away[what] > 0) throw new AppError(`${what}_unavailable`, `the ${what} is away`)
  }
  return {
    over: (what: 'queue', queue: Queue): Queue => ({
      ...queue,
      send: async (messages) => {
        check(what)
        return queue.send(messages)
      },
    }),
    overStore: <T extends Document>(collection: Collection<T>): Collection<T> => ({
      ...collection,
      write: async (partition, writes) => {
        check('store')
        return collection.write(partition, writes)
      },
    }),
  }
}
