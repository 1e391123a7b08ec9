import { fail, failures, succeed, type Outcome } from './failure.ts'
import { LIMITS } from './limits.ts'

export interface Page<T> {
  readonly items: readonly T[]
  /** Query of the link to the next page; absent on the last one. */
  readonly nextQuery?: URLSearchParams
}

/**
 * Cuts a page out of rows in the order of their keys. The token in the link is the last key seen, so that what is
 * added or removed between two pages neither repeats nor hides another row.
 */
export function cutPage<T>(
  rows: readonly (readonly [key: string, item: T])[],
  query: URLSearchParams,
): Outcome<Page<T>> {
  const asked = query.get('maxresults')
  const size = asked === null ? LIMITS.pageSize : Number(asked)
  if (!Number.isInteger(size) || size < 1 || size > LIMITS.pageSize) {
    return fail(failures.badParameter(`maxresults must be an integer from 1 to ${LIMITS.pageSize}`))
  }
  const after = Buffer.from(query.get('$skiptoken') ?? '', 'base64url').toString()
  const left = rows.filter(([key]) => key > after).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const page = left.slice(0, size)
  const last = page.at(-1)
  const items = page.map(([, item]) => item)
  if (!last || left.length <= size) return succeed({ items })
  const nextQuery = new URLSearchParams(query)
  nextQuery.set('$skiptoken', Buffer.from(last[0]).toString('base64url'))
  return succeed({ items, nextQuery })
}
