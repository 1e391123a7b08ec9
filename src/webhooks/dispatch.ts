import { AppError, explain } from '../core/errors.ts'
import type { OutgoingMessage } from '../core/queue.ts'
import type { Audit, Audited } from './audit.ts'
import type { Delivery, HandOver, KeptBody, QueueName } from './delivery.ts'
import type { WebhookPorts } from './ports.ts'

/** Larger bodies are kept as blobs: a document's price grows with its size. */
const MAX_INLINE_BYTES = 64 * 1024

/** The body as it is kept; undefined when the blob storage is away. */
export async function keepBody(
  { blobs, log }: Pick<WebhookPorts, 'blobs' | 'log'>,
  { tenantId, registrationId, id }: Pick<Delivery, 'tenantId' | 'registrationId' | 'id'>,
  bytes: Uint8Array,
): Promise<KeptBody | undefined> {
  if (bytes.length <= MAX_INLINE_BYTES) {
    return { at: 'document', base64: Buffer.from(bytes).toString('base64') }
  }
  const name = `${tenantId}/${registrationId}/${id}`
  try {
    await blobs.put(name, bytes)
    return { at: 'blob', name, bytes: bytes.length }
  } catch (error) {
    log.error(`a large webhook could not be kept: ${explain(error)}`, { deliveryId: id })
    return undefined
  }
}

export async function sendAll(
  ports: Pick<WebhookPorts, QueueName>,
  handOvers: readonly HandOver[],
): Promise<void> {
  for (const queue of ['inbound', 'outbound'] as const) {
    const messages = handOvers.flatMap((one) => (one.queue === queue ? [one.message] : []))
    if (messages.length > 0) await ports[queue].send(messages)
  }
}

type DispatchPorts = Pick<WebhookPorts, 'inbound' | 'outbound' | 'deliveries' | 'log'>

export interface Dispatch {
  readonly delivery: Delivery
  readonly handOvers: readonly HandOver[]
  /** Whether the record is the only place of something that may not be lost. */
  readonly mustBeStored: boolean
}

/**
 * Makes a delivery durable: its messages in the queue and, beside them, its record. With the queue away the record takes
 * the messages, for the relay to send. Returns only when everything that matters is stored; throws `queue_unavailable` or
 * `store_unavailable` when it is not, and then the sender shall try again.
 */
export async function dispatch(
  ports: DispatchPorts,
  audit: Audit,
  { delivery, handOvers, mustBeStored }: Dispatch,
): Promise<Audited> {
  const [sent, audited] = await Promise.all([
    sendAll(ports, handOvers).then(
      () => undefined,
      (error: unknown) => ({ error }),
    ),
    // Without its body it would pass for what the sender tells when it tries again.
    mustBeStored ? audit.recordWhole(delivery) : audit.record(delivery),
  ])
  if (sent === undefined) {
    if (audited === 'late' && mustBeStored) {
      throw new AppError('store_unavailable', 'the delivery could not be stored')
    }
    return audited
  }
  ports.log.warn(`a webhook waits for its queue: ${explain(sent.error)}`, {
    deliveryId: delivery.id,
  })
  // A record that was there before may be of a try whose messages went out; they go out again under the same ids.
  await ports.deliveries.write(
    [delivery.registrationId],
    [{ kind: 'upsert', document: waiting(delivery, handOvers) }],
  )
  return audited
}

function waiting(delivery: Delivery, handOvers: readonly HandOver[]): Delivery {
  const outbox = handOvers.map(({ queue, message: { id, body, notBefore } }) => ({
    queue,
    id,
    body,
    ...(notBefore === undefined ? {} : { notBefore: notBefore.toISOString() }),
  }))
  return { ...delivery, status: 'pending', queued: false, outbox, ttl: -1 }
}

/** Deliveries that a sweep sends at most. */
const SWEEP = 1_000

/** Sends what waited for a queue; what cannot be sent yet waits on. Returns how many deliveries went out. */
export async function relayPending(ports: DispatchPorts): Promise<number> {
  const pending = { field: 'status', is: '=', value: 'pending' } as const
  let relayed = 0
  for await (const { document, etag } of ports.deliveries.query({
    anyOf: [[pending]],
    limit: SWEEP,
  })) {
    const { outbox = [], ttl: _ttl, ...delivery } = document
    await sendAll(
      ports,
      outbox.map(({ queue, notBefore, ...rest }) => ({
        queue,
        message: {
          ...rest,
          correlationId: delivery.id,
          ...(notBefore === undefined ? {} : { notBefore: new Date(notBefore) }),
        } satisfies OutgoingMessage,
      })),
    )
    // Another sweep may have been faster; the bus dropped one of the two.
    await ports.deliveries.write(
      [delivery.registrationId],
      [{ kind: 'replace', document: { ...delivery, status: 'queued', queued: true }, etag }],
    )
    relayed += 1
  }
  return relayed
}
