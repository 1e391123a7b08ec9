import type { ErrorCode } from '../../../src/core/errors.ts'
import type { OutgoingMessage } from '../../../src/core/queue.ts'
import { decode } from '../../../src/sync/mapping.ts'
import {
  isOlder,
  linkId,
  type RecordDocument,
  type ShardDocument,
} from '../../../src/sync/record.ts'
import type { ParkedDocument } from '../../../src/sync/result.ts'
import { inboundMessageShape, type InboundMessage } from '../../../src/sync/task.ts'
import type { Delivery } from '../../../src/webhooks/delivery.ts'
import { registration, SECRET } from '../../webhooks/receiver-world.ts'
import type { MemoryVendor } from '../memory-vendor.ts'
import type { Commit } from '../simulated-ports.ts'
import type { Actor, Simulation } from '../simulation.ts'
import type { Event } from './receiver-play.ts'

const MOST_DEFERRALS = 10
const passing: ReadonlySet<ErrorCode> = new Set(['conflict', 'store_unavailable'])

interface Rest {
  readonly shards: readonly ShardDocument[]
  readonly parked: readonly ParkedDocument[]
  readonly deliveries: readonly Delivery[]
  readonly waiting: number
}

/** What has to hold whenever an event is answered, and in the end. */
export function receiverLaws(sim: Simulation, vendor: MemoryVendor) {
  const events: Event[] = []
  /** Deliveries whose messages the queue has, or whose outbox the store has. */
  const durable = new Set<string>()
  /** Messages that were made of events, not of messages. */
  const jobs = new Map<string, string>()
  const working = new WeakMap<Actor, InboundMessage>()
  const keep = (delivery: Delivery) => {
    if (delivery.status === 'pending') durable.add(delivery.id)
    if (JSON.stringify(delivery).includes(SECRET)) {
      sim.violate(10, `the record of ${delivery.id} holds the secret`)
    }
  }
  return {
    posted: (event: Event) => void events.push(event),
    messagesAccepted: (messages: readonly OutgoingMessage[]) => {
      for (const { id, body, correlationId } of messages) {
        const { slice, deferrals, record } = inboundMessageShape.parse(body)
        if (correlationId !== undefined) durable.add(correlationId)
        if (slice === 0 && deferrals === 0) jobs.set(id, record?.externalId ?? '')
      }
    },
    deliveryCommitted: ({ changes }: Commit<Delivery>) => {
      for (const { after } of changes) keep(after)
    },
    answered: ({ id, rowId }: Event, deliveryId: string) => {
      // The same change may have been told before, in a delivery whose message is this one's too.
      if (durable.has(deliveryId) || [...jobs.values()].includes(rowId)) return
      sim.violate(1, `${id} was answered 2xx, and neither the queue nor the store has it`)
    },
    workBegins: (actor: Actor, message: InboundMessage) => void working.set(actor, message),
    abandoned: (code: ErrorCode, actor: Actor) => {
      const deferrals = working.get(actor)?.deferrals ?? 0
      if (passing.has(code) && deferrals < MOST_DEFERRALS) {
        sim.violate(9, `${actor.name} gave its message back for ${code}, at the cost of a delivery`)
      }
    },
    examine: ({ shards, parked, deliveries, waiting }: Rest) => {
      if (waiting > 0) sim.violate(9, `${waiting} messages still go round`)
      const pending = deliveries.filter(({ status }) => status === 'pending')
      if (pending.length > 0) sim.violate(1, `${pending.length} deliveries still wait`)
      for (const rowId of new Set(events.map((event) => event.rowId))) {
        const told = events.filter((event) => event.rowId === rowId)
        const made = [...jobs.values()].filter((externalId) => externalId === rowId)
        if (made.length > told.length) {
          sim.violate(2, `${told.length} changes of ${rowId} became ${made.length} jobs`)
        }
        const last = told.filter(({ accepted }) => accepted).at(-1)
        const isParked = parked.some((one) => one.kind === 'row' && one.externalId === rowId)
        if (!last || isParked) continue
        const problem = problemOf(last, { vendor, record: recordOf(shards, rowId) })
        if (problem) sim.violate(3, `${last.id} was heard, but ${problem}`)
      }
    },
  }
}

function recordOf(shards: readonly ShardDocument[], rowId: string): RecordDocument | undefined {
  const id = linkId({ ...registration, entityType: 'incident' }, rowId)
  const link = shards.find((one) => one.id === id)
  const recordId = link?.kind === 'link' ? link.recordId : undefined
  return shards.find((one): one is RecordDocument => one.kind === 'record' && one.id === recordId)
}

/** The store must be at least as new as the last event that was heard. */
function problemOf(
  { rowId, version, operation }: Event,
  {
    vendor,
    record,
  }: { readonly vendor: MemoryVendor; readonly record: RecordDocument | undefined },
): string | undefined {
  const row = vendor.get(rowId)
  if (!record) return row?.deleted ? undefined : `${rowId} is not in the store`
  if (operation === 'delete') return record.deleted ? undefined : `${rowId} still lives here`
  // It was deleted since, and that was never told: what was read before may be what it was before.
  if (!row || row.deleted) return undefined
  const link = record.links[registration.connectionId]
  const isBehind = !link?.version || isOlder(link.version, version)
  const decoded = decode(vendor.options.mapping, row.values)
  const there = decoded.ok ? decoded.fields['title'] : undefined
  return isBehind && record.fields['title'] !== there ? `${rowId} is older in the store` : undefined
}
