import type { JsonObject } from '../core/canonical-json.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { VendorClient } from './client.ts'

/** One row of a vendor with its place in the stream. */
export interface VendorRow {
  readonly externalId: string
  readonly cursor: { readonly time: string; readonly id: string }
  readonly version: { readonly time: string; readonly count: number }
  readonly values: JsonObject
}

export interface VendorPageRequest {
  /** Rows behind this place; from the beginning when null. */
  readonly after: { readonly time: string; readonly id: string } | null
  /** Rows to leave out behind `after`. */
  readonly skip: number
  readonly limit: number
}

export type VendorPage =
  | { readonly kind: 'page'; readonly rows: readonly VendorRow[]; readonly more: boolean }
  | VendorProblem

export type VendorRowOutcome =
  | { readonly kind: 'row'; readonly row: VendorRow }
  /** There is no such record, or none that we may see. */
  | { readonly kind: 'gone' }
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

/** How a field of ours is named and typed on the vendor's side. */
export interface FieldRule {
  readonly local: string
  readonly external: string
  readonly type: 'text' | 'integer' | 'number' | 'boolean' | 'instant'
  readonly required?: boolean
}

/** One kind of record that a vendor lets us read in the order of its changes. */
export interface Stream {
  readonly entityType: string
  readonly mapping: { readonly entityType: string; readonly fields: FieldRule[] }
  /** How long after its stamp a change may become visible. */
  readonly overlapMs: number
  readonly fetchPage: (
    client: VendorClient,
    request: VendorPageRequest,
    signal: AbortSignal,
  ) => Promise<VendorPage>
  /** Absent where the vendor has no way to read one record. */
  readonly fetchOne?: (
    client: VendorClient,
    externalId: string,
    signal: AbortSignal,
  ) => Promise<VendorRowOutcome>
}

/** A vendor, as a value. */
export interface Connector {
  readonly integrationId: string
  readonly streams: Readonly<Record<string, Stream>>
}
