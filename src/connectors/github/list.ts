import type { Json } from '../../core/canonical-json.ts'
import type { VendorClient } from '../client.ts'
import type { VendorProblem, VendorRow } from '../connector.ts'
import { listOf } from '../json.ts'
import { problemOf } from '../outcome.ts'
import { isPullRequest, rowOf } from './issue.ts'
import { outcomes } from './outcomes.ts'

export const PER_PAGE = 100
const NOT_MODIFIED = 304

export const HEADERS = {
  accept: 'application/vnd.github+json',
  'x-github-api-version': '2022-11-28',
} as const

export interface Listing {
  /** `owner/name`. */
  readonly repository: string
  readonly sort: 'updated' | 'created'
  readonly direction: 'asc' | 'desc'
  readonly since?: string
  readonly page: number
}

export interface ListPage {
  readonly kind: 'list'
  readonly issues: readonly VendorRow[]
  /** Rows and pull requests alike, in the order of the list. */
  readonly places: readonly VendorRow['cursor'][]
  readonly etag: string | undefined
  readonly hasNext: boolean
}

export function issuesPath(repository: string): string {
  return `/repos/${repository}/issues`
}

/** One page of the list of issues; `unchanged` when it still has that tag, which costs nothing of the quota. */
export async function listIssues(
  client: VendorClient,
  { repository, sort, direction, since, page, tag }: Listing & { readonly tag?: string },
  signal: AbortSignal,
): Promise<ListPage | { readonly kind: 'unchanged' } | VendorProblem> {
  const query = {
    state: 'all',
    sort,
    direction,
    per_page: String(PER_PAGE),
    page: String(page),
    ...(since === undefined ? {} : { since: `${since.slice(0, 19)}Z` }),
  }
  const headers = tag === undefined ? HEADERS : { ...HEADERS, 'if-none-match': tag }
  const path = issuesPath(repository)
  const answer = await client.call({ method: 'GET', path, query, headers }, signal)
  if (answer.kind === 'answer' && answer.status === NOT_MODIFIED) return { kind: 'unchanged' }
  const problem = problemOf(answer, outcomes, client.now())
  if (problem) return problem
  if (answer.kind !== 'answer') return { kind: 'retry', reason: 'no answer came' }
  const items = listOf(answer.body)
  if (!items) return { kind: 'retry', reason: 'it answered without a list' }
  return pageOf(items, answer.headers)
}

function pageOf(items: readonly Json[], headers: Headers): ListPage | VendorProblem {
  const rows = items.map(rowOf)
  if (rows.includes(undefined)) {
    const reason = 'a row of the page has no usable number and updated_at'
    return { kind: 'refused', code: 'vendor_unexpected_answer', reason }
  }
  const all = rows.filter((row) => row !== undefined)
  return {
    kind: 'list',
    issues: all.filter((_, at) => !isPullRequest(items[at] ?? null)),
    places: all.map(({ cursor }) => cursor),
    etag: headers.get('etag') ?? undefined,
    hasNext: /<[^>]*>;\s*rel="?next"?/.test(headers.get('link') ?? ''),
  }
}
