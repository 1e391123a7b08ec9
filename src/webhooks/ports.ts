import type { Blobs } from '../core/blobs.ts'
import type { Collection } from '../core/collection.ts'
import type { Log } from '../core/log.ts'
import type { Queue } from '../core/queue.ts'
import type { Clock } from '../core/time.ts'
import type { Vault } from '../core/vault.ts'
import type { Delivery } from './delivery.ts'
import type { SyncTarget } from './hand-over.ts'
import type { Registration, SecretUsage } from './registration.ts'
import type { Standing } from './standing.ts'
import type { Subscription } from './subscription.ts'

export interface WebhookPorts {
  readonly registrations: Collection<Registration>
  readonly usage: Collection<SecretUsage>
  readonly subscriptions: Collection<Subscription>
  readonly deliveries: Collection<Delivery>
  readonly standings: Collection<Standing>
  /** The tasks that keep records of a connection in step. */
  readonly targetsOf: (tenantId: string, connectionId: string) => Promise<readonly SyncTarget[]>
  /** Milliseconds until a sender may call again; 0 when it may now. Asked before anything of a call is read. */
  readonly admit: (
    registration: Pick<Registration, 'id' | 'tenantId' | 'requestsPerMinute'>,
  ) => Promise<number>
  readonly vault: Vault
  readonly inbound: Queue
  readonly outbound: Queue
  readonly blobs: Blobs
  readonly fetch: typeof globalThis.fetch
  /** Origin under which senders reach us, without a slash at the end. */
  readonly publicUrl: string
  readonly clock: Clock
  readonly log: Log
}
