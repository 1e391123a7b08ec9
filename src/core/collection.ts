import { AppError } from './errors.ts'

/** Where documents live together: the values of the container's partition key, in order. */
export type Partition = readonly string[]

export interface Document {
  readonly id: string
}

/** A document with the tag that changes on every write of it. */
export interface Stored<T> {
  readonly document: T
  readonly etag: string
}

export type Write<T> =
  /** Conflicts when the id is taken. */
  | { readonly kind: 'create'; readonly document: T }
  /** Conflicts when the document is gone or has another tag. */
  | { readonly kind: 'replace'; readonly document: T; readonly etag: string }
  | { readonly kind: 'upsert'; readonly document: T }
  /** Conflicts when the document is gone or has another tag. */
  | { readonly kind: 'remove'; readonly document: T; readonly etag: string }

export type WriteOutcome =
  /** The new tags, in the order of the writes; empty for what was removed. */
  | { readonly committed: true; readonly etags: readonly string[] }
  /** Nothing was written; `conflict` is the index of the write whose condition did not hold. */
  | { readonly committed: false; readonly conflict: number }

export interface Condition {
  readonly field: string
  /** `contains`: the field is a list that has the value. */
  readonly is: '=' | '<' | '<=' | '!=' | 'contains'
  readonly value: string | number | boolean
}

/** Documents that fulfil every condition of at least one group. A comparison with a missing field does not hold. */
export interface Query {
  readonly anyOf: readonly (readonly Condition[])[]
  /** In the order of their ids, so many behind this one. In any order and all of them when absent. */
  readonly page?: { readonly after: string; readonly limit: number }
  /** The greatest first; documents without the field are left out. In no order where nothing is told. */
  readonly latestBy?: string
  readonly limit?: number
  /** About so many are fetched in one round trip: as many as the caller is likely to use. */
  readonly pageSize?: number
}

/** Atomic writes go up to this many documents and bytes (Cosmos DB, transactional batch limits). */
export const MAX_WRITES = 100
export const MAX_WRITE_BYTES = 2 * 1024 * 1024

/**
 * Documents of one container. Throws `store_unavailable` when the store cannot be reached or is throttled beyond patience;
 * a condition that does not hold is an outcome, not an error.
 */
export interface Collection<T extends Document> {
  get(partition: Partition, id: string): Promise<Stored<T> | undefined>
  /** Those of the ids that exist, in any order, in one round trip per hundred ids. */
  getMany(partition: Partition, ids: readonly string[]): Promise<readonly Stored<T>[]>
  /** In all partitions when none is given. */
  query(query: Query, partition?: Partition): AsyncIterable<Stored<T>>
  /** All or nothing, within one partition. At most MAX_WRITES. */
  write(partition: Partition, writes: readonly Write<T>[]): Promise<WriteOutcome>
  /** Asks the store whether it is there; throws `store_unavailable` when it is not. */
  ping(): Promise<void>
}

/** Stores a document unless its id is taken, and says what stood there before. Throws `store_unavailable`. */
export async function createOrGet<T extends Document>(
  collection: Collection<T>,
  partition: Partition,
  document: T,
): Promise<T | undefined> {
  const written = await collection.write(partition, [{ kind: 'create', document }])
  if (written.committed) return undefined
  const known = await collection.get(partition, document.id)
  if (!known) throw new AppError('store_unavailable', 'a document that exists could not be read')
  return known.document
}

/** What a document weighs on the wire, in bytes. */
export function weigh(document: object): number {
  return Buffer.byteLength(JSON.stringify(document))
}
