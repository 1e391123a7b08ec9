import type { Collection, Condition, Document, Partition, Stored } from './collection.ts'
import { AppError } from './errors.ts'

export interface LatestQuery<F extends string> {
  /** ISO 8601: by which time. Indexed, and in every document that is to be found. */
  readonly by: F
  /** In all of them when absent. */
  readonly partition: Partition | undefined
  readonly conditions: readonly Condition[]
  readonly limit: number
  /** Of the page before; undefined or empty for the first. */
  readonly cursor: string | undefined
}

export interface LatestPage<T> {
  readonly page: readonly Stored<T>[]
  /** Where there are more. Given which of this page the query will not find any more, those are not counted. */
  readonly next?: (isStillFound?: (index: number) => boolean) => string
}

/**
 * One page of documents, the latest first. The cursor says up to when, and how many of that very moment were shown. Throws
 * `bad_request` for a cursor that is none of ours.
 */
export async function latestPage<
  F extends string,
  T extends Document & Readonly<Record<F, string>>,
>(
  collection: Collection<T>,
  { by, partition, conditions, limit, cursor }: LatestQuery<F>,
): Promise<LatestPage<T>> {
  const place = cursor ? readPlace(cursor) : undefined
  const skip = place?.skip ?? 0
  const until: readonly Condition[] = place ? [{ field: by, is: '<=', value: place.at }] : []
  const query = {
    anyOf: [[...conditions, ...until]],
    latestBy: by,
    limit: skip + limit + 1,
  }
  const found: Stored<T>[] = []
  for await (const stored of collection.query(query, partition)) found.push(stored)
  const page = found.slice(skip, skip + limit)
  const at = page.at(-1)?.document[by]
  if (at === undefined || found.length <= skip + limit) return { page }
  const isThen = ({ document }: Stored<T>) => document[by] === at
  const before = found.slice(0, skip).filter(isThen).length
  return {
    page,
    next: (isStillFound = () => true) => {
      const here = page.filter((stored, index) => isThen(stored) && isStillFound(index)).length
      return writePlace({ at, skip: before + here })
    },
  }
}

interface Place {
  readonly at: string
  /** Those of the same instant that were shown. */
  readonly skip: number
}

const MOST_SKIPPED = 100_000

function writePlace({ at, skip }: Place): string {
  return Buffer.from(JSON.stringify([at, skip])).toString('base64url')
}

function readPlace(text: string): Place {
  const [at, skip] = listOf(Buffer.from(text, 'base64url').toString('utf8'))
  const isPlace = typeof at === 'string' && !Number.isNaN(Date.parse(at))
  const isCount = typeof skip === 'number' && Number.isInteger(skip)
  if (isPlace && isCount && skip >= 0 && skip <= MOST_SKIPPED) return { at, skip }
  throw new AppError('bad_request', 'cursor: it is none of ours')
}

function listOf(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}
