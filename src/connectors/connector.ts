import type { JsonObject } from '../core/canonical-json.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { VendorClient } from './client.ts'

/** A place in a stream: the vendor's own stamp (ISO 8601 UTC) and the row's id, which decides among equal stamps. */
export interface Cursor {
  readonly time: string
  readonly id: string
}

/** What the vendor says of how often or when a row changed: later stamps win, then higher counts. */
export interface Version {
  readonly time: string
  readonly count: number
}

/** One row of a vendor with its place in the stream. */
export interface VendorRow {
  readonly externalId: string
  readonly cursor: Cursor
  readonly version: Version
  readonly values: JsonObject
  /** The vendor tells in this row that the record was deleted. */
  readonly deleted?: boolean
  /** Ours, where the row carries one: what we wrote into it when we created it. */
  readonly marker?: string
}

export interface VendorPageRequest {
  /** Rows behind this place; from the beginning when null. */
  readonly after: Cursor | null
  /** Rows to leave out behind `after`. */
  readonly skip: number
  readonly limit: number
}

export type VendorPage =
  | { readonly kind: 'page'; readonly rows: readonly VendorRow[]; readonly more: boolean }
  | VendorProblem

/** Why a vendor did not do what was asked. */
export type VendorProblem =
  /** `limited` where nothing went wrong, there is only no quota for it now: no try was lost. */
  | {
      readonly kind: 'retry'
      readonly reason: string
      readonly afterMs?: number
      readonly limited?: true
    }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly reason: string }

/** One change of one record that is to be made at the vendor. */
export interface VendorWrite {
  readonly operation: 'create' | 'update' | 'delete'
  readonly externalId?: string
  /** Ours; the same for every try of one create. Letters, digits, `-`, `_`, `.` and `:`, 100 at most. */
  readonly marker: string
  /** The vendor's field names. */
  readonly values: JsonObject
  /** The version that the change was made for: a newer one is a conflict. */
  readonly expected?: Version
}

export type WriteOutcome =
  | {
      readonly kind: 'done'
      readonly externalId: string
      readonly version?: Version
      /** The whole row as the vendor keeps it now, where its answer to the write tells. */
      readonly values?: JsonObject
    }
  /** It changed since `expected`; nothing was written. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'gone' }
  /** The same write would be refused again. `code` is the vendor's own word. */
  | { readonly kind: 'rejected'; readonly code: string; readonly reason: string }
  /** The answer was lost or unclear: only a look at the vendor tells whether it was done. */
  | { readonly kind: 'unknown'; readonly reason: string }
  | VendorProblem

export type Found =
  | { readonly kind: 'row'; readonly row: VendorRow }
  /** The vendor has no such record, and we would see it if it had. */
  | { readonly kind: 'gone' }
  /** It may be there and not for us to see. */
  | { readonly kind: 'hidden' }
  | VendorProblem

export type FoundByMarker =
  | { readonly kind: 'found'; readonly rows: ReadonlyMap<string, VendorRow> }
  | VendorProblem

export interface PushAbilities {
  /** Rows per write call. */
  readonly batchSize: number
  /** `expected` is honoured: nobody need read the record before. */
  readonly comparesAndSets: boolean
  /** How a repeated create is recognised: a field of the record, the vendor's own upsert, or not at all. */
  readonly marker: 'correlation' | 'external_id' | 'none'
  /** One outcome for each write, in their order. */
  write(
    client: VendorClient,
    writes: readonly VendorWrite[],
    signal: AbortSignal,
  ): Promise<readonly WriteOutcome[]>
  fetchOne(client: VendorClient, externalId: string, signal: AbortSignal): Promise<Found>
  /** Those of the records that are there for us, by their ids; of one that is missing only `fetchOne` tells why. */
  readonly fetchMany?: (
    client: VendorClient,
    externalIds: readonly string[],
    signal: AbortSignal,
  ) => Promise<FoundByMarker>
  /** Those of the markers that a record carries. */
  findByMarker(
    client: VendorClient,
    markers: readonly string[],
    signal: AbortSignal,
  ): Promise<FoundByMarker>
}

export interface DeletedRow {
  readonly externalId: string
  /** When it was deleted, ISO 8601. */
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

/** How deletions become known where no row of the stream tells them. */
export interface DeletedRows {
  /** Deletions behind a place, whose id is the external id of the one seen last, oldest first. */
  readonly fetchDeleted?: (
    client: VendorClient,
    request: { readonly since: Cursor | null; readonly limit: number },
    signal: AbortSignal,
  ) => Promise<DeletedPage>
  /** The ids that exist, in their order; `after` is the last one of the former page. No page is empty but the last. */
  readonly fetchIds?: (
    client: VendorClient,
    request: { readonly after: string | null; readonly limit: number },
    signal: AbortSignal,
  ) => Promise<IdPage>
}

/** How a field of ours is named and typed on the vendor's side. */
export interface FieldRule {
  readonly local: string
  readonly external: string
  readonly type: 'text' | 'integer' | 'number' | 'boolean' | 'instant'
  readonly required?: boolean | undefined
  /** The vendor's own: read, never written. */
  readonly readOnly?: boolean | undefined
}

/** A field of the vendor's, as somebody who writes a mapping has to know it. */
export interface ExternalField {
  /** As a mapping names it. */
  readonly name: string
  readonly label: string
  readonly type: FieldRule['type']
  /** The vendor's word for the type. */
  readonly vendorType: string
  /** It cannot be written, or never by us. */
  readonly readOnly: boolean
  /** A new record needs it. */
  readonly required: boolean
  /** The most characters that it takes. */
  readonly length?: number
  /** The kinds of record that it may point to, in the vendor's words. */
  readonly references?: readonly string[]
  readonly choices?: readonly { readonly value: string; readonly label: string }[]
  /** It takes an id of ours, and records are found by it. */
  readonly isExternalId?: true
}

export type Discovered =
  | {
      readonly kind: 'fields'
      /** The vendor's word for the kind of record. */
      readonly object: string
      /** Whether the vendor describes its fields, or they were read off a record. */
      readonly from: 'description' | 'sample'
      readonly fields: readonly ExternalField[]
    }
  | VendorProblem

/** One kind of record that a vendor lets us read in the order of its changes. */
export interface Stream extends DeletedRows {
  readonly entityType: string
  readonly mapping: { readonly entityType: string; readonly fields: FieldRule[] }
  /** How long after its stamp a change may become visible. */
  readonly overlapMs: number
  readonly fetchPage: (
    client: VendorClient,
    request: VendorPageRequest,
    signal: AbortSignal,
  ) => Promise<VendorPage>
  readonly push?: PushAbilities
}

/** What a connection may say of one kind of record; what it leaves out, the vendor's presets say. */
export interface StreamConfig {
  /** The kind of record in our words. */
  readonly entityType: string
  /** The vendor's word for it: a table, an object, a repository. */
  readonly object?: string | undefined
  readonly fields?: readonly FieldRule[] | undefined
  /** The vendor's field that takes the marker of a create. */
  readonly markerField?: string | undefined
  /** How deletions are found where the vendor has two ways: its log of them, which needs rights, or its ids. */
  readonly deletions?: 'log' | 'ids' | undefined
}

/** A vendor, as a value. */
export interface Connector {
  readonly integrationId: string
  /** Those that need no configuration. */
  readonly streams: Readonly<Record<string, Stream>>
  /** A stream as configured; undefined when the configuration does not suffice. */
  readonly configure: (config: StreamConfig) => Stream | undefined
  /** The fields that are there, whether configured or not; undefined when the configuration names no kind of record. */
  readonly discover: (
    client: VendorClient,
    config: Pick<StreamConfig, 'entityType' | 'object'>,
    signal: AbortSignal,
  ) => Promise<Discovered> | undefined
  /** Domains of the vendor's own to whose hosts a token may move the calls; none when absent. */
  readonly instanceDomains?: readonly string[]
  /** What a 401 says when no new token would change it. */
  readonly finalRefusal?: RegExp
  /** Names of the webhook schemes with which the vendor's events come. */
  readonly webhookSchemes: readonly string[]
}
