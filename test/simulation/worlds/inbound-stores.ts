import type { ShardDocument } from '../../../src/sync/record.ts'
import type { ParkedMessage, ParkedRow, SyncResult } from '../../../src/sync/result.ts'
import type { Task } from '../../../src/sync/task.ts'
import type { SharedCollection } from '../simulated-ports.ts'

export const tenants = ['tenant-a', 'tenant-b'] as const
/** Two tenants with connections of one name to instances whose rows have the same ids. */
export const CONNECTION = 'conn-1'
export const ENTITY = 'incident'

export interface InboundStores {
  readonly tasks: SharedCollection<Task>
  readonly shards: SharedCollection<ShardDocument>
  readonly results: SharedCollection<SyncResult>
  readonly parked: SharedCollection<ParkedRow | ParkedMessage>
}
