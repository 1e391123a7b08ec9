import type { FoundOne, SyncPorts } from '../../../src/sync/ports.ts'
import type { WebhookPorts } from '../../../src/webhooks/ports.ts'
import { SECRET } from '../../webhooks/receiver-world.ts'
import type { Actor } from '../simulation.ts'

/** A behaviour that is wrong, planted between the production code and its ports. */
export interface ReceiverBug {
  readonly what: string
  readonly receiver?: (ports: WebhookPorts, actor: Actor) => WebhookPorts
  readonly worker?: (ports: SyncPorts) => SyncPorts
  readonly defer?: () => Promise<boolean>
  readonly answersFirst?: true
  readonly noRelay?: true
}

const stored = { committed: true, etags: [''] } as const

const inSource =
  (change: (found: FoundOne) => FoundOne): NonNullable<ReceiverBug['worker']> =>
  (ports) => ({
    ...ports,
    openSource: async (task) => {
      const source = await ports.openSource(task)
      if (source.kind !== 'source' || !source.fetchOne) return source
      const { fetchOne } = source
      return { ...source, fetchOne: async (id, signal) => change(await fetchOne(id, signal)) }
    },
  })

export const receiverBugs: Readonly<Record<string, ReceiverBug>> = {
  'ack-before-store': {
    what: 'the sender is answered before anything is stored',
    answersFirst: true,
  },
  'send-and-forget': {
    what: 'a queue that is away is not noticed',
    receiver: (ports) => ({
      ...ports,
      inbound: {
        ...ports.inbound,
        send: (messages) => ports.inbound.send(messages).catch(() => {}),
      },
    }),
  },
  'outbox-unwritten': {
    what: 'what waits for the queue is not stored',
    receiver: (ports) => ({
      ...ports,
      deliveries: {
        ...ports.deliveries,
        write: async (partition, writes) =>
          writes[0]?.kind === 'upsert' ? stored : ports.deliveries.write(partition, writes),
      },
    }),
  },
  'store-swallowed': {
    what: 'a store that is away is not noticed',
    receiver: (ports) => ({
      ...ports,
      deliveries: {
        ...ports.deliveries,
        write: (partition, writes) => ports.deliveries.write(partition, writes).catch(() => stored),
      },
    }),
  },
  'no-relay': { what: 'what waits for the queue is never sent', noRelay: true },
  'relay-forgets': {
    what: 'the relay takes messages from the store before it sends them',
    receiver: (ports, { kind }) => {
      if (kind !== 'relay') return ports
      const later: (() => Promise<void>)[] = []
      return {
        ...ports,
        inbound: {
          ...ports.inbound,
          send: async (messages) => void later.push(() => ports.inbound.send(messages)),
        },
        deliveries: {
          ...ports.deliveries,
          write: async (partition, writes) => {
            const outcome = await ports.deliveries.write(partition, writes)
            for (const send of later.splice(0)) await send()
            return outcome
          },
        },
      }
    },
  },
  'random-message-ids': {
    what: 'every arrival of an event makes a message of its own',
    receiver: (ports, actor) => ({
      ...ports,
      inbound: {
        ...ports.inbound,
        send: (messages) =>
          ports.inbound.send(messages.map((one) => ({ ...one, id: `m-${actor.random()}` }))),
      },
    }),
  },
  'old-version': {
    what: 'a row is stored as a version that it had before',
    worker: inSource((found) =>
      found.kind === 'row'
        ? { kind: 'row', row: { ...found.row, version: { time: '', count: 0 } } }
        : found,
    ),
  },
  'retry-is-the-end': {
    what: 'a vendor that asks to wait is taken to have no such row',
    worker: inSource((found) => (found.kind === 'retry' ? { kind: 'gone' } : found)),
  },
  'delete-ignored': {
    what: 'a row that is gone is taken to be only hidden, and nobody hears of it',
    worker: (ports) => ({
      ...inSource((found) => (found.kind === 'gone' ? { kind: 'hidden' } : found))(ports),
      parked: { ...ports.parked, write: async () => stored },
    }),
  },
  'throw-to-retry': {
    what: 'a passing failure gives the message back instead of sending a later copy',
    defer: async () => false,
  },
  'secret-in-record': {
    what: 'the record of a delivery keeps what the sender proved itself with',
    receiver: (ports) => ({
      ...ports,
      deliveries: {
        ...ports.deliveries,
        write: (partition, writes) => {
          return ports.deliveries.write(
            partition,
            writes.map((one) => ({ ...one, document: { ...one.document, reason: SECRET } })),
          )
        },
      },
    }),
  },
}
