import type { Collection, Write } from '../../../src/core/collection.ts'
import type { Delivery, NotificationPorts } from '../../../src/notifications/receive.ts'
import type { Actor } from '../simulation.ts'

/** A behaviour that is wrong, planted between the production code and its ports. */
export interface WebhookBug {
  readonly what: string
  readonly ports?: (ports: NotificationPorts, actor: Actor) => NotificationPorts
  /** The answer goes out before the work is done. */
  readonly answersFirst?: true
}

type Deliveries = Collection<Delivery>

const inDeliveries =
  (
    change: (deliveries: Deliveries, actor: Actor) => Partial<Deliveries>,
  ): NonNullable<WebhookBug['ports']> =>
  (ports, actor) => ({
    ...ports,
    deliveries: { ...ports.deliveries, ...change(ports.deliveries, actor) },
  })

const isFirst = (writes: readonly Write<Delivery>[]) => writes[0]?.kind === 'create'
const withId = (writes: readonly Write<Delivery>[], suffix: string): Write<Delivery>[] =>
  writes.map((one) => ({
    ...one,
    document: { ...one.document, id: `${one.document.id}-${suffix}` },
  }))

/** What was to be told, for a bug that never forgets it. */
const untold = new Map<string, Delivery>()

export const webhookBugs: Readonly<Record<string, WebhookBug>> = {
  'ack-before-store': {
    what: 'the sender is answered before the event is stored',
    answersFirst: true,
  },
  'notify-before-store': {
    what: 'phones are told first, the event is stored afterwards',
    ports: inDeliveries((deliveries) => ({
      write: async (partition, writes) =>
        isFirst(writes) ? { committed: true, etags: [''] } : deliveries.write(partition, writes),
    })),
  },
  'dedupe-by-time': {
    what: 'a delivery is recognised by the minute in which it comes',
    ports: inDeliveries((deliveries, actor) => ({
      write: (partition, writes) =>
        deliveries.write(partition, withId(writes, actor.clock().toISOString().slice(0, 16))),
      get: (partition, id) =>
        deliveries.get(partition, `${id}-${actor.clock().toISOString().slice(0, 16)}`),
    })),
  },
  'random-delivery-ids': {
    what: 'every arrival makes a new delivery',
    ports: inDeliveries((deliveries, actor) => ({
      write: (partition, writes) => deliveries.write(partition, withId(writes, actor.name)),
      get: (partition, id) => deliveries.get(partition, `${id}-${actor.name}`),
    })),
  },
  'stored-is-told': {
    what: 'a delivery that is stored is taken to have been told',
    ports: inDeliveries((deliveries) => ({
      get: async (partition, id) => {
        const found = await deliveries.get(partition, id)
        return found && { ...found, document: { ...found.document, status: 'notified' } }
      },
      query: async function* () {},
    })),
  },
  'told-again': {
    what: 'a delivery that comes again is told again',
    ports: inDeliveries((deliveries) => ({
      write: (partition, writes) => {
        for (const { document } of writes) if (document.untold) untold.set(document.id, document)
        return deliveries.write(partition, writes)
      },
      get: async (partition, id) => {
        const found = await deliveries.get(partition, id)
        const document = untold.get(id)
        return found && document ? { ...found, document: { ...document, claimedUntil: '' } } : found
      },
    })),
  },
  'realtime-swallowed': {
    what: 'a phone that could not be told is forgotten',
    ports: (ports) => ({
      ...ports,
      realtimes: ports.realtimes.map((one) => ({
        ...one,
        sendToGroup: (group, payload) => one.sendToGroup(group, payload).catch(() => {}),
      })),
    }),
  },
  'told-to-all': {
    what: 'everybody is told',
    ports: (ports) => ({
      ...ports,
      realtimes: ports.realtimes.map((one) => ({
        ...one,
        sendToGroup: (_group, payload) => one.sendToGroup('user-u1', payload),
      })),
    }),
  },
}
