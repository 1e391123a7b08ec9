import type { JsonObject } from '../core/canonical-json.ts'
import type { Collection } from '../core/collection.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { Queue } from '../core/queue.ts'
import type { Clock } from '../core/time.ts'
import type { Cursor } from './cursor.ts'
import type { Mapping } from './mapping.ts'
import type { ParkedMessage, ParkedRow, SyncResult } from './result.ts'
import type { ShardDocument, Version } from './record.ts'
import type { Task } from './task.ts'

/** One row as a vendor gave it. */
export interface SourceRow {
  readonly externalId: string
  /** Its place in the stream. */
  readonly cursor: Cursor
  readonly version: Version
  readonly values: JsonObject
}

export interface PageRequest {
  /** Rows behind this place; from the beginning when null. */
  readonly after: Cursor | null
  /** Rows to leave out behind `after`: for pages on which every row was hidden from us. */
  readonly skip: number
  readonly limit: number
}

/** Not before a person has done something. */
export interface Refusal {
  readonly kind: 'refused'
  readonly code: ErrorCode
  readonly reason: string
}

/** What became of asking a vendor. */
export type PageOutcome =
  | { readonly kind: 'page'; readonly rows: readonly SourceRow[]; readonly more: boolean }
  /** Later it may work. `afterMs` is known where somebody named it; `limited` where only quota is lacking. */
  | {
      readonly kind: 'retry'
      readonly reason: string
      readonly afterMs?: number
      readonly limited?: true
    }
  | Refusal

/** What became of asking a vendor for one record. */
export type RowOutcome =
  | { readonly kind: 'row'; readonly row: SourceRow }
  | { readonly kind: 'gone' }
  | Exclude<PageOutcome, { kind: 'page' }>

/** One stream of one connection, ready to be read. */
export interface Source {
  readonly kind: 'source'
  readonly mapping: Mapping
  /** How far behind the newest row a late commit may still appear. */
  readonly overlapMs: number
  readonly fetchPage: (request: PageRequest, signal: AbortSignal) => Promise<PageOutcome>
  /** Absent where the vendor has no way to read one record. */
  readonly fetchOne?: (externalId: string, signal: AbortSignal) => Promise<RowOutcome>
}

export interface SyncPorts {
  readonly tasks: Collection<Task>
  readonly shards: Collection<ShardDocument>
  readonly results: Collection<SyncResult>
  readonly parked: Collection<ParkedRow | ParkedMessage>
  readonly inbound: Queue
  openSource(task: Task): Promise<Source | Refusal>
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
}
