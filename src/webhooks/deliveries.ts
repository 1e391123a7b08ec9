import { z } from 'zod'
import type { Condition, Stored } from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import { latestPage } from '../core/latest-page.ts'
import { contentOf } from './content.ts'
import type { Delivery, HandOver } from './delivery.ts'
import { sendAll } from './dispatch.ts'
import { interpret } from './interpret.ts'
import type { WebhookPorts } from './ports.ts'
import { ownRegistration } from './registration-view.ts'

const name = z.string().min(1).max(200)

export const deliveryFilterShape = z.object({
  registrationId: name.optional(),
  status: z
    .enum(['queued', 'pending', 'noted', 'quarantined', 'refused', 'handshake', 'duplicate'])
    .optional(),
  eventType: name.optional(),
  /** Only what came at or before then. */
  before: z.iso.datetime().optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: name.optional(),
})
export type DeliveryFilter = z.infer<typeof deliveryFilterShape>

type DeliveryPorts = Pick<
  WebhookPorts,
  'deliveries' | 'registrations' | 'targetsOf' | 'blobs' | 'inbound' | 'outbound' | 'clock'
>

/** A delivery in a list: what it was, not what it said. */
export type DeliveryLine = Omit<Delivery, 'body' | 'headers' | 'outbox' | 'ttl'>

export interface DeliveryPage {
  readonly deliveries: readonly DeliveryLine[]
  readonly nextCursor?: string
}

/** The latest first. */
export async function listDeliveries(
  ports: DeliveryPorts,
  tenantId: string,
  filter: DeliveryFilter,
): Promise<DeliveryPage> {
  const { page, next } = await findDeliveries(ports, tenantId, filter)
  const deliveries = page.map(({ document }) => lineOf(document))
  return next ? { deliveries, nextCursor: next() } : { deliveries }
}

function findDeliveries({ deliveries }: DeliveryPorts, tenantId: string, filter: DeliveryFilter) {
  const { registrationId, status, eventType, before, limit, cursor } = filter
  const equal = (field: string, value: string | undefined): readonly Condition[] =>
    value === undefined ? [] : [{ field, is: '=', value }]
  return latestPage(deliveries, {
    by: 'receivedAt',
    partition: registrationId === undefined ? undefined : [registrationId],
    conditions: [
      ...equal('tenantId', tenantId),
      ...equal('status', status),
      ...equal('eventType', eventType),
      ...(before === undefined ? [] : [{ field: 'receivedAt', is: '<=', value: before } as const]),
    ],
    limit,
    cursor,
  })
}

function lineOf(delivery: Delivery): DeliveryLine {
  const { body: _body, headers: _headers, outbox: _outbox, ttl: _ttl, ...line } = delivery
  return line
}

export interface DeliveryView extends DeliveryLine {
  readonly headers: Readonly<Record<string, string>>
  /** What the body says, with everything that looks like a secret blanked; null when it is not kept or not readable. */
  readonly content: unknown
}

/** Throws `delivery_not_found`, also for another tenant's. */
export async function showDelivery(
  ports: DeliveryPorts,
  tenantId: string,
  id: string,
): Promise<DeliveryView> {
  const { document } = await ownDelivery(ports, tenantId, id)
  const { headers = {} } = document
  const bytes = await bodyOf(ports, document)
  const read = bytes && contentOf(headers, bytes, MAX_SHOWN_BYTES)
  const content = read?.kind === 'content' ? redacted(read.body, 0) : null
  return { ...lineOf(document), headers, content }
}

const MAX_SHOWN_BYTES = 25 * 1024 * 1024
const MAX_DEPTH = 50
const secretive =
  /token|secret|passw|authori[sz]ation|signature|session|api_?key|credential|cookie/i

function redacted(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (depth > MAX_DEPTH) return '[nested too deeply to show]'
  if (Array.isArray(value)) return value.map((one: unknown) => redacted(one, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      secretive.test(key) ? '[removed]' : redacted(inner, depth + 1),
    ]),
  )
}

async function ownDelivery(
  { deliveries }: Pick<DeliveryPorts, 'deliveries'>,
  tenantId: string,
  id: string,
): Promise<Stored<Delivery>> {
  const conditions = [
    { field: 'id', is: '=', value: id } as const,
    { field: 'tenantId', is: '=', value: tenantId } as const,
  ]
  for await (const stored of deliveries.query({ anyOf: [conditions], limit: 1 })) return stored
  throw new AppError('delivery_not_found', `there is no delivery ${id}`)
}

async function bodyOf(
  { blobs }: Pick<DeliveryPorts, 'blobs'>,
  { body }: Delivery,
): Promise<Uint8Array | undefined> {
  if (body === undefined) return undefined
  return body.at === 'document' ? Buffer.from(body.base64, 'base64') : blobs.get(body.name)
}

export interface Replayed {
  readonly id: string
  readonly eventType: string | null
  readonly entityId: string | null
  /** Messages that were sent, or would be. */
  readonly messages: number
  /** Elements that still nobody can use. */
  readonly quarantined: number
  /** Why there was nothing to replay. */
  readonly problem?: string
}

/** Has one delivery read and handed over again, by what its events mean today. `isDry` only says what would happen. */
export async function replayDelivery(
  ports: DeliveryPorts,
  tenantId: string,
  { id, isDry }: { readonly id: string; readonly isDry: boolean },
): Promise<Replayed> {
  return replay(ports, await ownDelivery(ports, tenantId, id), isDry)
}

/** The same for all that a filter finds, the latest first; `nextCursor` where there are more. */
export async function replayDeliveries(
  ports: DeliveryPorts,
  tenantId: string,
  { filter, isDry }: { readonly filter: DeliveryFilter; readonly isDry: boolean },
): Promise<{ readonly replayed: readonly Replayed[]; readonly nextCursor?: string }> {
  const { page, next } = await findDeliveries(ports, tenantId, filter)
  const replayed: Replayed[] = []
  for (const stored of page) replayed.push(await replay(ports, stored, isDry))
  if (!next) return { replayed }
  // What a replay gave another status is not found by the next page's filter.
  const isStillFound = (index: number) =>
    isDry || filter.status === undefined || replayed[index]?.messages === 0
  return { replayed, nextCursor: next(isStillFound) }
}

async function replay(
  ports: DeliveryPorts,
  { document, etag }: Stored<Delivery>,
  isDry: boolean,
): Promise<Replayed> {
  const { id, registrationId, tenantId, headers = {}, eventType, entityId, replays = 0 } = document
  const nothing = { id, eventType, entityId, messages: 0, quarantined: 0 }
  if (!document.verified) return { ...nothing, problem: 'it was not verified' }
  const rawBody = await bodyOf(ports, document)
  if (rawBody === undefined) return { ...nothing, problem: 'its body is not kept' }
  const { document: registration } = await ownRegistration(ports, tenantId, registrationId)
  const meaning = interpret({
    registration,
    targets: await ports.targetsOf(tenantId, registration.connectionId),
    headers,
    rawBody,
    digest: id,
    deliveryId: id,
    isIdentified: true,
    now: ports.clock(),
  })
  const messages = meaning.handOvers.map((handOver) => again(handOver, replays + 1))
  const { quarantine } = meaning
  const result = {
    id,
    eventType: meaning.eventType,
    entityId: meaning.entityId,
    messages: messages.length,
    quarantined: quarantine.length,
  }
  if (isDry) return result
  await sendAll(ports, messages)
  const { quarantine: _before, outbox: _outbox, ttl: _ttl, ...rest } = document
  const after: Delivery = {
    ...(messages.length === 0 ? { ...document, ...rest } : rest),
    ...(quarantine.length === 0 ? {} : { quarantine }),
    ...(messages.length === 0 ? {} : { status: 'queued', queued: true, synced: true }),
    eventType: meaning.eventType,
    entityId: meaning.entityId,
    replays: replays + 1,
  }
  // When it fails, the next replay has the same ids and the bus drops what went out now.
  await ports.deliveries.write([registrationId], [{ kind: 'replace', document: after, etag }])
  return result
}

/** Under another id: the bus knows the first one. */
function again({ message, ...rest }: HandOver, times: number): HandOver {
  return { ...rest, message: { ...message, id: idOf('replay', message.id, String(times)) } }
}
