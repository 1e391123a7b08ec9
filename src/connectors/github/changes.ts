import type { VendorClient } from '../client.ts'
import type {
  Cursor,
  VendorPage,
  VendorPageRequest,
  VendorProblem,
  VendorRow,
} from '../connector.ts'
import { listIssues, type ListPage, type Listing } from './list.ts'

const SECOND_MS = 1_000
/** How often pages of one list are read anew because it moved under them. */
const TRIES = 3

/**
 * Issues behind a place in the order of (updated_at, number). The list is sorted by time only and says nothing of order
 * within a second, and its pages are counted off a list that moves: whoever edits an issue pulls the others one place
 * forward, over the edge of a page. So a reading starts at the second of the last row (`since` includes it), takes as
 * many pages as that second needs, and leaves the last second of the last page to the next one.
 */
export async function fetchChanges(
  client: VendorClient,
  { repository, after, limit }: Omit<VendorPageRequest, 'skip'> & { readonly repository: string },
  signal: AbortSignal,
): Promise<VendorPage> {
  for (let from = after; ;) {
    const read = await readSecond(client, { repository, from }, signal)
    if (read.kind !== 'read') return read
    const rows = read.issues.filter(({ cursor }) => isBehind(cursor, after)).sort(byPlace)
    if (rows.length > 0 || read.isEnd) {
      const more = !read.isEnd || rows.length > limit
      return { kind: 'page', rows: rows.slice(0, limit), more }
    }
    // Nothing but pull requests and what was seen: on with the first second that was not read to its end.
    from = { time: read.until, id: '' }
  }
}

interface Stretch {
  readonly repository: string
  readonly from: Cursor | null
}

type Read =
  | {
      readonly kind: 'read'
      /** All issues from the first second on, up to `until` without it. */
      readonly issues: readonly VendorRow[]
      readonly until: string
      readonly isEnd: boolean
    }
  | VendorProblem

/** Reads from a second on until that second is complete; anew when the list moved between its pages. */
async function readSecond(
  client: VendorClient,
  { repository, from }: Stretch,
  signal: AbortSignal,
): Promise<Read> {
  const since = from === null ? {} : { since: from.time }
  const listing = { repository, sort: 'updated', direction: 'asc', ...since } as const
  for (let tries = 0; tries < TRIES; tries += 1) {
    const pages = await readPages(client, listing, signal)
    if ('kind' in pages) return pages
    const moved = await hasMoved(client, { listing, pages }, signal)
    if (moved === false) return stretchOf(pages)
    if (moved !== true) return moved
  }
  return { kind: 'retry', reason: 'its list keeps moving while it is read' }
}

async function readPages(
  client: VendorClient,
  listing: Omit<Listing, 'page'>,
  signal: AbortSignal,
): Promise<readonly ListPage[] | VendorProblem> {
  const pages: ListPage[] = []
  for (;;) {
    const next = await listIssues(client, { ...listing, page: pages.length + 1 }, signal)
    if (next.kind === 'unchanged') return { kind: 'retry', reason: 'it answered 304 unasked' }
    if (next.kind !== 'list') return next
    if (!isInOrder(next, listing.since)) {
      const reason = 'it ignored the time or the order that was asked for'
      return { kind: 'refused', code: 'vendor_ignored_filter', reason }
    }
    pages.push(next)
    const [first, last] = [pages[0]?.places[0], next.places.at(-1)]
    const isComplete = first && last && last.time > first.time
    if (!next.hasNext || isComplete) return pages
  }
}

function isInOrder({ places }: ListPage, since: string | undefined): boolean {
  const earliest = since === undefined ? '' : wholeSecond(since)
  return places.every(({ time }, at) => time >= (places[at - 1]?.time ?? earliest))
}

function stretchOf(pages: readonly ListPage[]): Read {
  const places = pages.flatMap(({ places }) => places)
  const last = pages.at(-1)
  const isEnd = last?.hasNext !== true
  const until = places.map(({ time }) => time).reduce((a, b) => (a > b ? a : b), '')
  const issues = pages.flatMap(({ issues }) => issues)
  // By number: a row that moved while the pages were read stands on two of them.
  const latest = new Map(issues.map((row) => [row.externalId, row]))
  const known = [...latest.values()].filter(({ cursor }) => isEnd || cursor.time < until)
  return { kind: 'read', issues: known, until, isEnd }
}

interface Pages {
  readonly listing: Omit<Listing, 'page'>
  readonly pages: readonly ListPage[]
}

/** Several pages are asked for once more, by their tags where they have some: whether they were not of one list. */
async function hasMoved(
  client: VendorClient,
  { listing, pages }: Pages,
  signal: AbortSignal,
): Promise<boolean | VendorProblem> {
  for (const [at, page] of pages.length < 2 ? [] : pages.entries()) {
    const tag = page.etag === undefined ? {} : { tag: page.etag }
    const again = await listIssues(client, { ...listing, page: at + 1, ...tag }, signal)
    if (again.kind === 'unchanged') continue
    if (again.kind !== 'list') return again
    if (!isSame(page, again)) return true
  }
  return false
}

function isSame(a: ListPage, b: ListPage): boolean {
  const text = ({ places }: ListPage) => places.map(({ time, id }) => `${time} ${id}`).join()
  return text(a) === text(b)
}

function wholeSecond(time: string): string {
  return new Date(Math.floor(Date.parse(time) / SECOND_MS) * SECOND_MS).toISOString()
}

function byPlace(a: VendorRow, b: VendorRow): number {
  return isBehind(a.cursor, b.cursor) ? 1 : -1
}

function isBehind(cursor: Cursor, after: Cursor | null): boolean {
  if (after === null) return true
  return cursor.time === after.time ? cursor.id > after.id : cursor.time > after.time
}
