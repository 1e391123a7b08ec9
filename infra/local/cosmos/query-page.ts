import type { QueryWork } from './charge.ts'
import type { Container, Item } from './container.ts'
import { decodePosition, encodePosition, queryMark, type Position } from './continuation.ts'
import type { JsonObject } from './json.ts'
import { keyText, valueAt, type PartitionKey } from './partition-key.ts'
import { scopeOf, type QueryScope } from './query-scope.ts'
import type { QueryShape } from './query-shape.ts'
import type { CompiledQuery } from './sql/query.ts'
import { compare } from './sql/value.ts'

/** Bytes of rows in one page (vendor's service limits). */
const PAGE_BYTES_LIMIT = 4 * 1024 * 1024
/** Documents that are tried together before each of them is asked for its rows. */
const CHUNK = 256

export interface PageRequest {
  readonly container: Container
  /** A full key, a prefix of a hierarchical one, or undefined for all partitions. */
  readonly key: PartitionKey | undefined
  readonly text: string
  readonly query: CompiledQuery
  readonly shape: QueryShape
  readonly parameters: ReadonlyMap<string, unknown>
  readonly maxRows: number
  readonly continuation: string | undefined
  readonly nowMs: number
}

export interface Page {
  /** The rows as JSON texts. */
  readonly rows: readonly string[]
  readonly continuation: string | undefined
  readonly work: QueryWork
}

/**
 * One page of a query. A continuation names the last document by its sort values and its sequence number (the order of
 * creation, which a replace keeps), and the next page takes what comes behind it. So whatever is written between two
 * pages, a document that stands still is neither repeated nor lost. Only queries whose rows depend on all documents
 * (DISTINCT, GROUP BY, OFFSET) count rows instead.
 */
export function readPage(request: PageRequest): Page {
  const { key, text, parameters, shape } = request
  const mark = queryMark(text, [...parameters], key && keyText(key))
  const position = decodePosition(request.continuation, mark)
  const scope = scopeOf(request)
  return shape.rowsAreIndependent
    ? positionedPage(request, position, scope)
    : countedPage(request, position, scope)
}

function countedPage(request: PageRequest, position: Position, scope: QueryScope): Page {
  const rows = rowsOf(request, scope.items)
  const skip = position.skip ?? 0
  const page = collector(request.maxRows)
  for (let index = skip; index < rows.length && !page.isFull(); index += 1) page.add(rows[index])
  const taken = skip + page.rows.length
  return {
    rows: page.rows,
    continuation:
      taken < rows.length ? encodePosition({ of: position.of, skip: taken }) : undefined,
    work: work(request, { page, matched: 0, examined: scope.count, entries: scope.count }),
  }
}

interface Cut {
  readonly item: Item
  /** How many of the item's rows went out; 0 for all. */
  readonly rows: number
}

function positionedPage(request: PageRequest, position: Position, scope: QueryScope): Page {
  const left = position.left ?? topOf(request)
  const maxRows = Math.min(request.maxRows, left)
  const page = collector(maxRows)
  const behind = behindPosition(request, position)
  const scan: Scan = { ...request, maxRows, behind, scope, examined: 0 }
  let [cut, matched]: [Cut | undefined, number] = [undefined, 0]
  const finish = (continuation?: string): Page => ({
    rows: page.rows,
    continuation,
    work: work(request, { page, matched, examined: scan.examined, entries: 0 }),
  })
  for (const item of candidates(scan)) {
    const rows = rowsOf(request, [item])
    const from = item.sequence === position.after?.sequence ? (position.rows ?? 0) : 0
    for (let index = from; index < rows.length; index += 1) {
      if (page.isFull()) {
        const rest = left - page.rows.length
        return finish(rest > 0 && cut ? nextPosition(request, position, { cut, rest }) : undefined)
      }
      page.add(rows[index])
      cut = { item, rows: index + 1 < rows.length ? index + 1 : 0 }
    }
    if (rows.length > from) matched += 1
  }
  return finish()
}

/** One walk over the scope: from where, and how many documents it has judged. */
interface Scan extends PageRequest {
  readonly behind: (item: Item) => boolean
  readonly scope: QueryScope
  examined: number
}

function nextPosition(
  { query }: PageRequest,
  { of }: Position,
  { cut, rest }: { readonly cut: Cut; readonly rest: number },
): string {
  const keys = query.orderBy.map(({ path }) => {
    const value = valueAt(cut.item.document, path)
    return value === undefined ? [] : [value]
  })
  return encodePosition({
    of,
    after: { keys, sequence: cut.item.sequence },
    ...(cut.rows > 0 ? { rows: cut.rows } : {}),
    ...(Number.isFinite(rest) ? { left: rest } : {}),
  })
}

/** The documents from the position on that have rows, in the order of the query; enough of them for a page. */
function* candidates(scan: Scan): Generator<Item, void> {
  if (scan.query.orderBy.length > 0) {
    yield* smallest(scan)
    return
  }
  for (const chunk of chunks(scan, scan.behind)) {
    if (hasRows(scan, chunk)) yield* chunk
  }
}

/** The first documents in the query's order, found without sorting all of them. */
function smallest(scan: Scan): readonly Item[] {
  const order = comparison(scan)
  // Each document has a row at least; one more tells whether the page is the last, one may have gone out in part.
  const wanted = scan.maxRows + 2
  let found: Item[] = []
  let bound: Item | undefined
  const mayCount = (item: Item) => scan.behind(item) && (!bound || order(item, bound) < 0)
  for (const chunk of chunks(scan, mayCount)) {
    if (hasRows(scan, chunk)) found.push(...chunk.filter((item) => hasRows(scan, [item])))
    if (found.length >= 4 * wanted) {
      found = found.sort(order).slice(0, wanted)
      bound = found.at(-1)
    }
  }
  return found.sort(order)
}

function comparison({ query }: PageRequest): (a: Item, b: Item) => number {
  const paths = query.orderBy
  return (a, b) => {
    for (const { path, descending } of paths) {
      const difference = compare(valueAt(a.document, path), valueAt(b.document, path))
      if (difference !== 0) return descending ? -difference : difference
    }
    return a.sequence - b.sequence
  }
}

function behindPosition(
  { query }: PageRequest,
  { after, rows }: Position,
): (item: Item) => boolean {
  if (!after) return () => true
  const { keys, sequence } = after
  return (item) => {
    for (const [level, { path, descending }] of query.orderBy.entries()) {
      const difference = compare(valueAt(item.document, path), keys[level]?.[0])
      if (difference !== 0) return descending ? difference < 0 : difference > 0
    }
    return item.sequence > sequence || (item.sequence === sequence && rows !== undefined)
  }
}

function* chunks(scan: Scan, accepts: (item: Item) => boolean): Generator<Item[], void> {
  let chunk: Item[] = []
  for (const item of scan.scope.items) {
    if (!accepts(item)) continue
    chunk.push(item)
    if (chunk.length < CHUNK) continue
    scan.examined += chunk.length
    yield chunk
    chunk = []
  }
  scan.examined += chunk.length
  if (chunk.length > 0) yield chunk
}

function hasRows(request: PageRequest, items: readonly Item[]): boolean {
  return rowsOf(request, items).length > 0
}

function rowsOf({ query, parameters, nowMs }: PageRequest, items: Iterable<Item>): unknown[] {
  return query.execute(documents(items), parameters, { nowMs })
}

function* documents(items: Iterable<Item>): Generator<JsonObject, void> {
  for (const { document } of items) yield document
}

function topOf({ shape, parameters }: PageRequest): number {
  if (shape.top === undefined) return Number.POSITIVE_INFINITY
  return Number(typeof shape.top === 'string' ? parameters.get(shape.top) : shape.top)
}

interface Collector {
  readonly rows: readonly string[]
  readonly bytes: () => number
  readonly isFull: () => boolean
  readonly add: (row: unknown) => void
}

function collector(maxRows: number): Collector {
  const rows: string[] = []
  let bytes = 0
  return {
    rows,
    bytes: () => bytes,
    isFull: () => rows.length >= maxRows || bytes >= PAGE_BYTES_LIMIT,
    add: (row) => {
      const text = JSON.stringify(row)
      rows.push(text)
      bytes += Buffer.byteLength(text)
    },
  }
}

interface Effort {
  readonly page: Collector
  readonly matched: number
  readonly examined: number
  /** Index entries read for an aggregate. */
  readonly entries: number
}

/** A filter whose paths are all indexed finds its documents; any other one loads what it has to judge. */
function work({ container, shape }: PageRequest, effort: Effort): QueryWork {
  const keyPaths = new Set(container.keyPaths.map((path) => path.join('/')))
  const indexed = shape.filterPaths.every(
    (path) => keyPaths.has(path.join('/')) || container.indexing.covers(path),
  )
  return {
    returnedBytes: effort.page.bytes(),
    lookedUp: effort.matched,
    scanned: indexed ? 0 : effort.examined,
    indexEntries: indexed ? effort.entries : 0,
  }
}
