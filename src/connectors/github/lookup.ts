import type { VendorClient } from '../client.ts'
import type { Found, FoundByMarker, IdPage, VendorRow } from '../connector.ts'
import { isObject } from '../json.ts'
import { interpret, problemOf } from '../outcome.ts'
import { isPullRequest, rowOf } from './issue.ts'
import { HEADERS, issuesPath, listIssues, PER_PAGE } from './list.ts'
import { outcomes } from './outcomes.ts'

interface Wanted {
  readonly repository: string
  readonly externalId: string
}

/** One issue. 404 and 410 are believed when the repository itself is ours to see, and has its issues switched on. */
export async function fetchOne(
  client: VendorClient,
  { repository, externalId }: Wanted,
  signal: AbortSignal,
): Promise<Found> {
  if (!/^\d+$/.test(externalId)) return { kind: 'gone' }
  const path = `${issuesPath(repository)}/${externalId}`
  const answer = await client.call({ method: 'GET', path, headers: HEADERS }, signal)
  const meaning =
    answer.kind === 'answer' ? interpret(answer, outcomes, client.now()).meaning : undefined
  if (meaning === 'gone' || meaning === 'hidden') {
    return { kind: (await isGone(client, repository, signal)) ? 'gone' : 'hidden' }
  }
  const problem = problemOf(answer, outcomes, client.now())
  if (problem) return problem
  const body = answer.kind === 'answer' ? answer.body : undefined
  const row = rowOf(body)
  if (!row) return { kind: 'retry', reason: 'it answered without the issue' }
  const isAnother = isPullRequest(body ?? null) || row.deleted === true
  return isAnother ? { kind: 'gone' } : { kind: 'row', row }
}

/** Whether an issue that is not found can only be gone. */
export async function isGone(
  client: VendorClient,
  repository: string,
  signal: AbortSignal,
): Promise<boolean> {
  const path = `/repos/${repository}`
  const answer = await client.call({ method: 'GET', path, headers: HEADERS }, signal)
  if (answer.kind !== 'answer' || problemOf(answer, outcomes, client.now())) return false
  return isObject(answer.body) && answer.body['has_issues'] !== false
}

/** What one client has seen of the markers of a repository: they are there from the first moment of an issue, or never. */
interface Seen {
  /** Number of the newest issue that was read with all that are older. */
  upTo: number
  /** Number by marker. */
  readonly numbers: Map<string, string>
}

const seen = new WeakMap<VendorClient, Map<string, Seen>>()

function seenBy(client: VendorClient, repository: string): Seen {
  const ofClient = seen.get(client) ?? new Map<string, Seen>()
  const known = ofClient.get(repository) ?? { upTo: 0, numbers: new Map<string, string>() }
  seen.set(client, ofClient.set(repository, known))
  return known
}

/**
 * Issues by the comment at the end of their text, the newest first: a lost answer is never long ago. What was read for an
 * earlier question is not read again, but for the last page of it: somebody's issue may appear a moment late.
 */
export async function findByMarker(
  client: VendorClient,
  { repository, markers }: { readonly repository: string; readonly markers: readonly string[] },
  signal: AbortSignal,
): Promise<FoundByMarker> {
  const wanted = new Set(markers)
  const known = seenBy(client, repository)
  const rows = new Map<string, VendorRow>()
  const listing = { repository, sort: 'created', direction: 'desc' } as const
  let newest = known.upTo
  for (let page = 1; wanted.size > rows.size; page += 1) {
    const read = await listIssues(client, { ...listing, page }, signal)
    if (read.kind === 'unchanged') return { kind: 'retry', reason: 'it answered 304 unasked' }
    if (read.kind !== 'list') return read
    for (const row of read.issues.filter(({ marker }) => marker !== undefined)) {
      const marker = row.marker ?? ''
      known.numbers.set(marker, row.externalId)
      if (wanted.has(marker)) rows.set(marker, row)
    }
    const numbers = read.places.map(({ id }) => Number(id))
    newest = Math.max(newest, ...numbers)
    const isKnown = Math.min(...numbers) <= known.upTo - PER_PAGE
    if (!read.hasNext || isKnown) {
      known.upTo = newest
      break
    }
  }
  return withKnown(client, { repository, rows, wanted, numbers: known.numbers }, signal)
}

interface Earlier {
  readonly repository: string
  readonly rows: Map<string, VendorRow>
  readonly wanted: ReadonlySet<string>
  readonly numbers: ReadonlyMap<string, string>
}

/** Those that were seen earlier, as they are now. */
async function withKnown(
  client: VendorClient,
  { repository, rows, wanted, numbers }: Earlier,
  signal: AbortSignal,
): Promise<FoundByMarker> {
  for (const marker of wanted) {
    const externalId = rows.has(marker) ? undefined : numbers.get(marker)
    if (externalId === undefined) continue
    const found = await fetchOne(client, { repository, externalId }, signal)
    if (found.kind === 'retry' || found.kind === 'refused') return found
    if (found.kind === 'row' && found.row.marker === marker) rows.set(marker, found.row)
  }
  return { kind: 'found', rows }
}

/**
 * The numbers of all issues in their order. A list has no place "behind a number", but the nth issue that was made stands
 * on a page not behind the one that its number names: deletions only pull it forward.
 */
export async function fetchIds(
  client: VendorClient,
  { repository, after }: { readonly repository: string; readonly after: string | null },
  signal: AbortSignal,
): Promise<IdPage> {
  const last = Number(after ?? 0)
  const listing = { repository, sort: 'created', direction: 'asc' } as const
  let page = Math.floor(last / PER_PAGE) + 1
  for (let isForward = false; ;) {
    const read = await listIssues(client, { ...listing, page }, signal)
    if (read.kind === 'unchanged') return { kind: 'retry', reason: 'it answered 304 unasked' }
    if (read.kind !== 'list') return read
    const first = read.places[0]
    const startsBehind = first === undefined || Number(first.id) > last + 1
    if (!isForward && startsBehind && page > 1) {
      page -= 1
      continue
    }
    const alive = read.issues.filter(({ deleted }) => deleted !== true)
    const ids = alive.map(({ externalId }) => externalId).filter((id) => Number(id) > last)
    if (ids.length > 0 || !read.hasNext) return { kind: 'page', ids, more: read.hasNext }
    isForward = true
    page += 1
  }
}
