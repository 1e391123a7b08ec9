import type { Collection, Condition, Document, Partition } from '../../core/collection.ts'

export interface PageQuery {
  /** In all of them when absent. */
  readonly partition: Partition | undefined
  readonly conditions: readonly Condition[]
  readonly limit: number
  /** The id that the page before ended with. */
  readonly cursor: string
}

/** One page of documents in the order of their ids. */
export async function pageOf<T extends Document>(
  collection: Collection<T>,
  { partition, conditions, limit, cursor }: PageQuery,
): Promise<{ readonly data: readonly T[]; readonly limit: number; readonly nextCursor?: string }> {
  const query = { anyOf: [conditions], page: { after: cursor, limit: limit + 1 } }
  const found: T[] = []
  for await (const { document } of collection.query(query, partition)) found.push(document)
  const data = found.slice(0, limit)
  const last = data.at(-1)
  return found.length > limit && last ? { data, limit, nextCursor: last.id } : { data, limit }
}
