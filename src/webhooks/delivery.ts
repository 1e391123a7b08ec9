import type { OutgoingMessage } from '../core/queue.ts'
import type { Rung } from './standing.ts'

/** A message that waits for its queue to come back. */
export interface Waiting {
  readonly queue: QueueName
  readonly id: string
  readonly body: object
  readonly notBefore?: string
}

export type QueueName = 'inbound' | 'outbound'

export interface HandOver {
  readonly queue: QueueName
  readonly message: OutgoingMessage
  /** What it tells is worth telling only while nothing higher was told. */
  readonly rungs?: readonly Rung[]
  /** The bus could not hold the whole of it: the rest stands in the delivery, whose id is the correlation id. */
  readonly isCut?: true
}

/** The body as kept for a replay. What the sender proved itself with is blanked in it. */
export type KeptBody =
  | { readonly at: 'document'; readonly base64: string }
  | { readonly at: 'blob'; readonly name: string; readonly bytes: number }

/** An element that nobody could do anything with yet. */
export interface Quarantined {
  readonly index: number
  readonly eventType: string | null
  readonly reason: string
}

/** The audit record of one call. Kept for thirty days; one that still waits is kept until it does not. */
export interface Delivery {
  readonly id: string
  readonly registrationId: string
  readonly tenantId: string
  readonly connectionId: string
  readonly receivedAt: string
  readonly sourceIp: string | null
  readonly method: string
  readonly path: string
  /** Milliseconds until everything was decided. */
  readonly duration: number
  readonly verified: boolean
  readonly queued: boolean
  readonly status:
    | 'queued'
    | 'pending'
    | 'noted'
    | 'quarantined'
    | 'refused'
    | 'handshake'
    | 'duplicate'
  /** Why it was refused, or of which delivery it is a duplicate. */
  readonly reason?: string
  readonly secretId?: string
  /** Another way of writing the message matched than the one received. */
  readonly form?: string
  /** Let in again by an operator although it is old. */
  readonly replay?: true
  /** The vendor's own id of the delivery. */
  readonly senderId?: string
  readonly eventType: string | null
  readonly entityId: string | null
  readonly synced: boolean
  readonly elements: number
  /** Statuses that came after a higher one: noted, and no more. */
  readonly outdated?: number
  readonly quarantine?: readonly Quarantined[]
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: KeptBody
  readonly outbox?: readonly Waiting[]
  /** How often an operator had it worked on again. */
  readonly replays?: number
  /** Seconds; -1 for ever. */
  readonly ttl?: number
}
