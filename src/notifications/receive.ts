import type { Collection, Stored } from '../core/collection.ts'
import { AppError, explain } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import type { Log } from '../core/log.ts'
import { addMs, type Clock } from '../core/time.ts'
import type { ServiceNowEvent } from './event.ts'
import type { Realtime } from './ports.ts'
import { groupOf, notificationFor, type Addressed } from './rules.ts'

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
  /** What is to be told and to whom, until it was. */
  readonly untold?: Addressed
  /** Until then one instance tells it and no other does. */
  readonly claimedUntil?: string
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
/** Longer than any send takes. */
const CLAIM_MS = 60_000

/**
 * Stores the event, then tells the phones of whoever it concerns. One instance at a time has the claim to tell; the others
 * have what they came for, for the event is stored and `relayUntold` tells what nobody told. What was told and marked is
 * never told again; who dies between telling and marking has it told once more. Throws `store_unavailable`,
 * `realtime_unavailable`: the sender shall retry.
 */
export async function receiveEvent(
  ports: NotificationPorts,
  incoming: Incoming,
): Promise<Delivery> {
  const fresh = freshDelivery(ports, incoming)
  const created = await ports.deliveries.write(
    [REGISTRATION],
    [{ kind: 'create', document: fresh }],
  )
  if (created.committed) return tell(ports, { document: fresh, etag: created.etags[0] ?? '' })
  const known = await ports.deliveries.get([REGISTRATION], fresh.id)
  if (!known) throw new AppError('store_unavailable', 'a delivery that exists could not be read')
  return claimAndTell(ports, known)
}

function freshDelivery(
  { clock }: NotificationPorts,
  { event, digest, sourceIp }: Incoming,
): Delivery {
  const now = clock()
  const untold = notificationFor(event)
  // All attempts of one event have its id, though each writes the time of its own into the body.
  const identity = event.event_id === undefined ? [digest] : ['event', event.event_id]
  return {
    id: idOf('delivery', REGISTRATION, ...identity),
    registrationId: REGISTRATION,
    verified: true,
    eventType: event.event_type,
    table: event.table,
    operation: event.operation,
    recordId: event.record.sys_id,
    receivedAt: now.toISOString(),
    sourceIp,
    duration: 0,
    ...(untold === undefined
      ? { status: 'ignored' }
      : { status: 'received', untold, claimedUntil: claimFrom(now) }),
  }
}

function claimFrom(now: Date): string {
  return addMs(now, CLAIM_MS).toISOString()
}

async function claimAndTell(
  ports: NotificationPorts,
  { document, etag }: Stored<Delivery>,
): Promise<Delivery> {
  const { status, claimedUntil = '' } = document
  const now = ports.clock()
  if (status !== 'received' || claimedUntil > now.toISOString()) return document
  const claimed = { ...document, claimedUntil: claimFrom(now) }
  const written = await replace(ports, { document: claimed, etag })
  // Another was faster.
  if (written === undefined) return document
  return tell(ports, { document: claimed, etag: written })
}

/** Tells what the holder of the claim has to tell, and marks it. */
async function tell(ports: NotificationPorts, claimed: Stored<Delivery>): Promise<Delivery> {
  const { untold, claimedUntil: _claim, ...rest } = claimed.document
  if (untold === undefined) return claimed.document
  try {
    await notify(ports, groupOf(untold.userId), untold.notification)
  } catch (error) {
    await release(ports, claimed)
    throw error
  }
  const duration = ports.clock().getTime() - Date.parse(rest.receivedAt)
  const told: Delivery = { ...rest, status: 'notified', duration }
  // When the claim ran out meanwhile, whoever has it now marks it.
  await replace(ports, { document: told, etag: claimed.etag })
  return told
}

/** The next try need not wait for the end of the claim; when this fails, it does. */
async function release(
  ports: NotificationPorts,
  { document, etag }: Stored<Delivery>,
): Promise<void> {
  const claimedUntil = ports.clock().toISOString()
  await replace(ports, { document: { ...document, claimedUntil }, etag }).catch(() => undefined)
}

/** The new tag; undefined when the document has changed. */
async function replace(
  { deliveries }: NotificationPorts,
  { document, etag }: Stored<Delivery>,
): Promise<string | undefined> {
  const written = await deliveries.write([REGISTRATION], [{ kind: 'replace', document, etag }])
  return written.committed ? (written.etags[0] ?? '') : undefined
}

/** Through every service that is configured: a phone is connected to one of them. */
async function notify(
  { realtimes }: NotificationPorts,
  group: string,
  payload: object,
): Promise<void> {
  await Promise.all(realtimes.map((realtime) => realtime.sendToGroup(group, payload)))
}

/** Deliveries that a sweep tells at most, all at the same time. */
const SWEEP = 50

/** Tells what was stored and not told: its instance died, or the phones' service was away. Returns how many it told. */
export async function relayUntold(
  ports: NotificationPorts & { readonly log: Log },
): Promise<number> {
  const untold = [
    { field: 'status', is: '=', value: 'received' },
    { field: 'claimedUntil', is: '<=', value: ports.clock().toISOString() },
  ] as const
  const waiting: Stored<Delivery>[] = []
  const query = { anyOf: [untold], limit: SWEEP }
  for await (const stored of ports.deliveries.query(query, [REGISTRATION])) waiting.push(stored)
  const told = await Promise.all(
    waiting.map(async (stored) => {
      try {
        return (await claimAndTell(ports, stored)).status === 'notified'
      } catch (error) {
        const { id: deliveryId } = stored.document
        ports.log.warn(`a notification waits on: ${explain(error)}`, { deliveryId })
        return false
      }
    }),
  )
  return told.filter(Boolean).length
}
