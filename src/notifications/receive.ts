import { createOrGet, type Collection } from '../core/collection.ts'
import { idOf } from '../core/ids.ts'
import type { Clock } from '../core/time.ts'
import type { ServiceNowEvent } from './event.ts'
import type { Realtime } from './ports.ts'
import { groupOf, notificationFor } from './rules.ts'

/** An event that came in, kept for thirty days. Its id follows from what was sent: a repeated delivery is the same. */
export interface Delivery {
  readonly id: string
  readonly registrationId: string
  readonly verified: true
  readonly eventType: string
  readonly table: string
  readonly operation: string
  readonly recordId: string
  readonly receivedAt: string
  readonly sourceIp: string | null
  readonly status: 'received' | 'notified' | 'ignored'
  readonly duration: number
}

export interface NotificationPorts {
  readonly deliveries: Collection<Delivery>
  readonly realtimes: readonly Realtime[]
  readonly clock: Clock
}

export interface Incoming {
  readonly event: ServiceNowEvent
  /** Hash of the raw bytes. */
  readonly digest: string
  readonly sourceIp: string | null
}

/** The registration under which the deliveries of this function are kept. */
const REGISTRATION = 'servicenow-webhook'

/**
 * Stores the event, then tells the phones of whoever it concerns. What was stored but not told is told when the sender
 * tries again; what was told is not told twice. Throws `store_unavailable`, `realtime_unavailable`: the sender shall retry.
 */
export async function receiveEvent(
  ports: NotificationPorts,
  incoming: Incoming,
): Promise<Delivery> {
  const { event, digest, sourceIp } = incoming
  const startedAt = ports.clock()
  const fresh: Delivery = {
    id: idOf('delivery', REGISTRATION, digest),
    registrationId: REGISTRATION,
    verified: true,
    eventType: event.event_type,
    table: event.table,
    operation: event.operation,
    recordId: event.record.sys_id,
    receivedAt: startedAt.toISOString(),
    sourceIp,
    status: 'received',
    duration: 0,
  }
  const known = await createOrGet(ports.deliveries, [REGISTRATION], fresh)
  if (known && known.status !== 'received') return known
  const addressed = notificationFor(event)
  if (addressed) await notify(ports, groupOf(addressed.userId), addressed.notification)
  const done: Delivery = {
    ...(known ?? fresh),
    status: addressed ? 'notified' : 'ignored',
    duration: ports.clock().getTime() - startedAt.getTime(),
  }
  await ports.deliveries.write([REGISTRATION], [{ kind: 'upsert', document: done }])
  return done
}

/** Through every service that is configured: a phone is connected to one of them. */
async function notify(
  { realtimes }: NotificationPorts,
  group: string,
  payload: object,
): Promise<void> {
  await Promise.all(realtimes.map((realtime) => realtime.sendToGroup(group, payload)))
}
