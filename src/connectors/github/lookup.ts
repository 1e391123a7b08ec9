import type { VendorClient } from '../client.ts'
import type { Found, FoundByMarker, IdPage, VendorRow } from '../connector.ts'
import { isObject } from '../json.ts'
import { interpret, problemOf } from '../outcome.ts'
import { isPullRequest, rowOf } from './issue.ts'
import { HEADERS, issuesPath, listIssues } from './list.ts'
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

/** Issues by the comment at the end of their text, the newest first: a lost answer is never long ago. */
export async function findByMarker(
  client: VendorClient,
  { repository, markers }: { readonly repository: string; readonly markers: readonly string[] },
  signal: AbortSignal,
): Promise<FoundByMarker> {
  const wanted = new Set(markers)
  const rows = new Map<string, VendorRow>()
  const listing = { repository, sort: 'created', direction: 'desc' } as const
  for (let page = 1; wanted.size > rows.size; page += 1) {
    const read = await listIssues(client, { ...listing, page }, signal)
    if (read.kind === 'unchanged') return { kind: 'retry', reason: 'it answered 304 unasked' }
    if (read.kind !== 'list') return read
    for (const [marker, row] of read.marked) if (wanted.has(marker)) rows.set(marker, row)
    if (!read.hasNext) break
  }
  return { kind: 'found', rows }
}

/** The numbers of all issues, oldest first. A number missed because the list moved is confirmed by a look at it. */
export async function fetchIds(
  client: VendorClient,
  { repository, after }: { readonly repository: string; readonly after: string | null },
  signal: AbortSignal,
): Promise<IdPage> {
  const page = after === null ? 1 : Number(after)
  const listing = { repository, sort: 'created', direction: 'asc' } as const
  const read = await listIssues(client, { ...listing, page }, signal)
  if (read.kind === 'unchanged') return { kind: 'retry', reason: 'it answered 304 unasked' }
  if (read.kind !== 'list') return read
  const ids = read.issues.filter(({ deleted }) => deleted !== true)
  return {
    kind: 'page',
    ids: ids.map(({ externalId }) => externalId),
    next: read.hasNext ? String(page + 1) : null,
  }
}
