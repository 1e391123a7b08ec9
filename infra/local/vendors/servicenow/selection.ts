import type { EncodedQuery, Order } from './encoded-query.ts'
import { firstAt, type TableStore } from './table-store.ts'
import type { Column } from './schema.ts'
import type { Row } from './values.ts'
import type { RowTest } from './query-match.ts'

export interface Selection {
  readonly stores: readonly TableStore[]
  readonly query: EncodedQuery
  readonly matches: RowTest
  readonly column: (path: string) => Column | undefined
  readonly read: (row: Row, path: string) => string
  readonly offset: number
  readonly limit: number
  /** Without it the search ends with the page (`sysparm_no_count`). */
  readonly counts: boolean
}

export interface Selected {
  /** At most `limit` rows, before any access rule. */
  readonly rows: readonly Row[]
  /** All that match; absent without `counts`. */
  readonly total?: number
  readonly hasMore: boolean
}

/** Finds one page. */
export function select(selection: Selection): Selected {
  const { offset, limit, counts } = selection
  const end = offset + limit
  const rows: Row[] = []
  let seen = 0
  for (const row of candidates(selection)) {
    if (!selection.matches(row)) continue
    if (seen >= offset && seen < end) rows.push(row)
    seen += 1
    if (!counts && seen > end) break
  }
  return { rows, hasMore: seen > end, ...(counts ? { total: seen } : {}) }
}

function candidates(selection: Selection): Iterable<Row> {
  const { stores, query } = selection
  const [store] = stores
  const direction = store && stores.length === 1 ? byChange(query.orders) : undefined
  if (!store || !direction) return sorted(selection)
  const ordered = store.ordered()
  if (direction === 'descending') return backwards(ordered)
  const from = earliestStamp(query)
  return from === undefined ? ordered : rowsFrom(ordered, firstAt(ordered, from))
}

/** Whether the wanted order is the one in which the table is kept, and which way round. */
function byChange(orders: readonly Order[]): 'ascending' | 'descending' | undefined {
  const [first, second, third] = orders
  if (first?.field !== 'sys_updated_on' || third) return undefined
  if (second && (second.field !== 'sys_id' || second.descending !== first.descending))
    return undefined
  return first.descending ? 'descending' : 'ascending'
}

/** The stamp before which no row can match; nothing when some group does not say. */
function earliestStamp({ groups }: EncodedQuery): string | undefined {
  const bounds = groups.map((clauses) =>
    clauses
      .flatMap((terms) => (terms.length === 1 ? terms : []))
      .find(({ field, operator }) => field === 'sys_updated_on' && /^(>|>=|=)$/.test(operator)),
  )
  const stamps = bounds.flatMap((term) => (term && /^\d/.test(term.value) ? [term.value] : []))
  return stamps.length === groups.length ? stamps.sort()[0] : undefined
}

function* rowsFrom(ordered: readonly Row[], start: number): Generator<Row> {
  for (let at = start; at < ordered.length; at += 1) {
    const row = ordered[at]
    if (row) yield row
  }
}

function* backwards(ordered: readonly Row[]): Generator<Row> {
  for (let at = ordered.length - 1; at >= 0; at -= 1) {
    const row = ordered[at]
    if (row) yield row
  }
}

function sorted({ stores, query, matches, column, read }: Selection): Iterable<Row> {
  const rows = stores.flatMap((store) => [...store.all()])
  if (query.orders.length === 0) return rows
  const keys = query.orders.map(({ field, descending }) => ({
    field,
    sign: descending ? -1 : 1,
    isNumber: column(field)?.kind === 'integer',
  }))
  return rows.filter(matches).sort((a, b) => {
    for (const { field, sign, isNumber } of keys) {
      const [left, right] = [read(a, field), read(b, field)]
      if (left !== right)
        return sign * (isNumber ? Number(left) - Number(right) : left < right ? -1 : 1)
    }
    return 0
  })
}
