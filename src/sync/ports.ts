import type { JsonObject } from '../core/canonical-json.ts'
import type { Collection } from '../core/collection.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { Queue } from '../core/queue.ts'
import type { Clock } from '../core/time.ts'
import type { Cursor } from './cursor.ts'
import type { Mapping } from './mapping.ts'
import type { ParkedDocument, PushResult, SyncResult } from './result.ts'
import type { ShardDocument, Version } from './record.ts'
import type { Task } from './task.ts'

/** One row as a vendor gave it. */
export interface SourceRow {
  readonly externalId: string
  /** Its place in the stream. */
  readonly cursor: Cursor
  readonly version: Version
  readonly values: JsonObject
  /** Where fields of `values` name records by our ids: as the vendor gave them. */
  readonly original?: JsonObject
  /** The row was deleted; its values may be gone. */
  readonly deleted?: boolean
  /** What we wrote into it when we created it. */
  readonly marker?: string
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

/** Why a vendor did not do what was asked. */
export type VendorProblem =
  /** Later it may work. `afterMs` is known where somebody named it; `limited` where only quota is lacking. */
  | {
      readonly kind: 'retry'
      readonly reason: string
      readonly afterMs?: number
      readonly limited?: true
    }
  | Refusal

/** What became of asking a vendor. */
export type PageOutcome =
  | { readonly kind: 'page'; readonly rows: readonly SourceRow[]; readonly more: boolean }
  | VendorProblem

export interface VendorWrite {
  readonly operation: 'create' | 'update' | 'delete'
  readonly externalId?: string
  /** Kept with the row, so that a create whose answer was lost is found again. */
  readonly marker: string
  /** In the vendor's names and forms. */
  readonly values: JsonObject
  /** Do it only if the row is still at this version, where the vendor can. */
  readonly expected?: Version
}

export type WriteOutcome =
  | {
      readonly kind: 'done'
      readonly externalId: string
      readonly version?: Version
      /** The row as the vendor keeps it now. */
      readonly values?: JsonObject
    }
  /** The row is not at the expected version any more. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'gone' }
  /** The vendor will not take it however often it is sent. */
  | { readonly kind: 'rejected'; readonly code: string; readonly reason: string }
  /** The answer was lost or says nothing: it may or may not have been done. */
  | { readonly kind: 'unknown'; readonly reason: string }
  /** It was not sent, and is no failure: something else has to be there first. */
  | { readonly kind: 'waits'; readonly reason: string }
  | VendorProblem

export type FoundOne =
  | { readonly kind: 'row'; readonly row: SourceRow }
  | { readonly kind: 'gone' }
  /** Perhaps there, but not for us. */
  | { readonly kind: 'hidden' }
  | VendorProblem

/** Rows by what they were asked for: markers or ids. */
export type FoundByMarker =
  | { readonly kind: 'found'; readonly rows: ReadonlyMap<string, SourceRow> }
  | VendorProblem

/** What a stream offers for writing. */
export interface PushAbilities {
  /** Rows per write call. */
  readonly batchSize: number
  /** How a repeated create is recognised. */
  readonly marker: 'correlation' | 'external_id' | 'none'
  /** Whether `expected` is honoured; else the row is read before it is written. */
  readonly comparesAndSets: boolean
  /** Outcomes in the order of the writes, one for each. */
  write(writes: readonly VendorWrite[], signal: AbortSignal): Promise<readonly WriteOutcome[]>
  fetchOne(externalId: string, signal: AbortSignal): Promise<FoundOne>
  /** Those of the rows that are there for us; of one that is missing only `fetchOne` tells why. */
  readonly fetchMany?: (
    externalIds: readonly string[],
    signal: AbortSignal,
  ) => Promise<FoundByMarker>
  findByMarker(markers: readonly string[], signal: AbortSignal): Promise<FoundByMarker>
}

export interface DeletedRow {
  readonly externalId: string
  /** When, ISO 8601, by the vendor's clock. */
  readonly time: string
}

export type DeletedPage =
  | { readonly kind: 'page'; readonly rows: readonly DeletedRow[]; readonly more: boolean }
  /** The vendor's log of deletions is not ours to read: only its ids tell. */
  | { readonly kind: 'unavailable' }
  | VendorProblem

export type IdPage =
  | { readonly kind: 'page'; readonly ids: readonly string[]; readonly more: boolean }
  | VendorProblem

/** One stream of one connection, ready to be read and, where it can, to be written. */
export interface Source {
  readonly kind: 'source'
  readonly mapping: Mapping
  /** How far behind the newest row a late commit may still appear. */
  readonly overlapMs: number
  readonly fetchPage: (request: PageRequest, signal: AbortSignal) => Promise<PageOutcome>
  readonly push?: PushAbilities
  /** What was deleted behind a place, oldest first. */
  readonly fetchDeleted?: (
    request: { readonly since: Cursor | null; readonly limit: number },
    signal: AbortSignal,
  ) => Promise<DeletedPage>
  /** The ids of everything that is there, in the order of the ids. */
  readonly fetchIds?: (
    request: { readonly after: string | null; readonly limit: number },
    signal: AbortSignal,
  ) => Promise<IdPage>
  /** One row as it is now; absent where the vendor has no way to read one. */
  readonly fetchOne?: (externalId: string, signal: AbortSignal) => Promise<FoundOne>
}

export interface SyncPorts {
  readonly tasks: Collection<Task>
  readonly shards: Collection<ShardDocument>
  readonly results: Collection<SyncResult | PushResult>
  readonly parked: Collection<ParkedDocument>
  readonly inbound: Queue
  readonly outbound: Queue
  openSource(task: Task): Promise<Source | Refusal>
  /** The task's own mapping, or the vendor's; undefined when the vendor has no such stream. */
  mappingOf(task: Task): Promise<Mapping | undefined>
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
}
