/**
 * The request charge: one small model for every operation. The service publishes only some of its prices; where a number
 * was remembered from its documentation or from measured accounts it says so, the rest is interpolation that keeps the
 * charge growing with size. Good for comparing designs, not for a bill.
 */

/** Remembered: a point read of an item up to 1 KB costs 1 RU. */
const READ_PER_KB = 1
/** Remembered: creating a 1 KB item costs about 5 RU without an index and 5.5–6.5 RU with the default one. */
const WRITE_BASE = 4.5
/** Remembered: creating a 100 KB item costs about 50 RU, so half a unit per KB. */
const WRITE_PER_KB = 0.5
/** Interpolated from the two figures above: about ten indexed values make the difference of one RU. */
const WRITE_PER_TERM = 0.1
/** Remembered: replacing a 1 KB item costs about 10 RU; the old entries leave the index as well. */
const REPLACE_BASE = 3.5
const REMOVE_PER_TERM = 0.05
/** Remembered: the smallest single-partition query costs between 2.3 and 2.9 RU. */
const QUERY_BASE = 2.3
/** Interpolated: a page of 100 items of 1 KB costs about 8 RU with the index. */
const QUERY_PER_RETURNED_KB = 0.02
const QUERY_PER_LOOKED_UP = 0.03
/** Interpolated: a document that has to be loaded to be judged costs several times one found by the index. */
const QUERY_PER_SCANNED = 0.15
/** Interpolated: a count over 10,000 matching documents costs some tens of RU. */
const QUERY_PER_INDEX_ENTRY = 0.002
/** Remembered: reading definitions, ranges and plans is not charged to the container's items. */
export const METADATA_CHARGE = 1

const BYTES_PER_KB = 1024

export interface StoredSize {
  readonly bytes: number
  /** Index entries. */
  readonly terms: number
}

export interface QueryWork {
  readonly returnedBytes: number
  /** Documents found through the index. */
  readonly lookedUp: number
  /** Documents loaded only to be judged, because the filter's paths are not indexed. */
  readonly scanned: number
  /** Entries of the index read for an aggregate. */
  readonly indexEntries: number
}

export function readCharge(bytes: number): number {
  return round(READ_PER_KB * wholeKilobytes(bytes))
}

export function createCharge({ bytes, terms }: StoredSize): number {
  return round(WRITE_BASE + WRITE_PER_KB * wholeKilobytes(bytes) + WRITE_PER_TERM * terms)
}

export function replaceCharge(previous: StoredSize, next: StoredSize): number {
  return round(createCharge(next) + REPLACE_BASE + REMOVE_PER_TERM * previous.terms)
}

export function deleteCharge(previous: StoredSize): number {
  return createCharge(previous)
}

export function queryCharge(work: QueryWork): number {
  const { returnedBytes, lookedUp, scanned, indexEntries } = work
  return round(
    QUERY_BASE +
      (QUERY_PER_RETURNED_KB * returnedBytes) / BYTES_PER_KB +
      QUERY_PER_LOOKED_UP * lookedUp +
      QUERY_PER_SCANNED * scanned +
      QUERY_PER_INDEX_ENTRY * indexEntries,
  )
}

/** Cents are what the service answers with; sums stay exact enough. */
export function round(charge: number): number {
  return Math.round(charge * 100) / 100
}

function wholeKilobytes(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / BYTES_PER_KB))
}
