import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { LocalRequest, LocalResponse } from '../../http-server.ts'
import type { Limits } from './limits.ts'
import { answerToken, type Client, type Tokens } from './oauth.ts'
import { shownIssue, shownRepository } from './render.ts'
import type { Issue, Repository } from './repository.ts'

export interface ApiParts {
  readonly repositories: ReadonlyMap<string, Repository>
  readonly tokens: Tokens
  readonly limits: Limits
  readonly client: Client
  /** Who the tokens speak for. */
  readonly login: string
}

const PATH = /^\/repos\/([\w.-]+\/[\w.-]+)(?:\/issues(?:\/(\d+))?)?$/
const MOST_PER_PAGE = 100
const DEFAULT_PER_PAGE = 30

/** `PATCH /repos/{owner}/{name}/issues/{number}`: names a call for counts and faults. */
export function operationOf({ method, url }: LocalRequest): string {
  return `${method} ${url.pathname.replace(/^\/repos\/[^/]+\/[^/]+/, '/repos/{repository}').replace(/\/\d+$/, '/{number}')}`
}

export function failure(status: number, message: string, errors?: readonly object[]) {
  const body = {
    message,
    ...(errors ? { errors } : {}),
    documentation_url: 'https://docs.github.com/rest',
    status: String(status),
  }
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(body),
  }
}

export function answerRequest(request: LocalRequest, parts: ApiParts): LocalResponse {
  const { tokens, limits, client } = parts
  if (request.url.pathname === '/login/oauth/access_token')
    return answerToken(request, tokens, client)
  const [, token = ''] =
    /^(?:Bearer|token) (.+)$/i.exec(request.headers['authorization'] ?? '') ?? []
  if (!tokens.isAccess(token)) return failure(401, 'Bad credentials')
  const isCounted = limits.count()
  const response = isCounted
    ? tagged(request, route(request, parts))
    : failure(403, 'API rate limit exceeded for user ID 1.')
  if (response.status === 304) limits.giveBack()
  return { ...response, headers: { ...response.headers, ...limits.headers() } }
}

/** A page that is still the same costs nothing (facts E, Conditional GET). */
function tagged(request: LocalRequest, response: LocalResponse): LocalResponse {
  if (request.method !== 'GET' || response.status !== 200) return response
  const etag = `W/"${createHash('sha256').update(JSON.stringify(response.body)).digest('hex')}"`
  if (request.headers['if-none-match'] === etag) return { status: 304, headers: { etag } }
  return { ...response, headers: { ...response.headers, etag } }
}

function route(request: LocalRequest, parts: ApiParts): LocalResponse {
  const [matched, name = '', number] = PATH.exec(request.url.pathname) ?? []
  const repository = parts.repositories.get(name)
  if (matched === undefined || !repository || repository.isHidden) return failure(404, 'Not Found')
  const { origin, pathname } = request.url
  if (!pathname.includes('/issues')) return json(shownRepository(repository, origin))
  if (!repository.hasIssues) return failure(410, 'Issues has been disabled in this repository.')
  const call = { request, repository, login: parts.login }
  switch (`${request.method} ${number === undefined ? 'list' : 'issue'}`) {
    case 'GET list':
      return list(call)
    case 'POST list':
      return open(call)
    case 'GET issue':
      return found(call, repository.find(Number(number)), Number(number))
    case 'PATCH issue':
      return edit(call, Number(number))
    default:
      return failure(404, 'Not Found')
  }
}

interface Call {
  readonly request: LocalRequest
  readonly repository: Repository
  readonly login: string
}

function json(body: object, status = 200): LocalResponse {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(body),
  }
}

function found(
  { request, repository }: Call,
  issue: Issue | undefined,
  number: number,
): LocalResponse {
  if (issue) return json(shownIssue(issue, repository, request.url.origin))
  return repository.wasDeleted(number)
    ? failure(410, 'This issue was deleted')
    : failure(404, 'Not Found')
}

/** Within one second of updates the order is the database's own, which is not the numbers'. */
const scrambled = (number: number) => (number * 7_919) % 10_007
const ranks = { updatedMs: scrambled, createdMs: (number: number) => number } as const

function list({ request, repository }: Call): LocalResponse {
  const query = request.url.searchParams
  const perPage = Math.min(
    MOST_PER_PAGE,
    Number(query.get('per_page') ?? DEFAULT_PER_PAGE) || DEFAULT_PER_PAGE,
  )
  const page = Math.max(1, Number(query.get('page') ?? 1) || 1)
  const since = Date.parse(query.get('since') ?? '1970-01-01T00:00:00Z')
  const state = query.get('state') ?? 'open'
  const stamp = query.get('sort') === 'updated' ? 'updatedMs' : 'createdMs'
  const rank = ranks[stamp]
  const sign = query.get('direction') === 'asc' ? 1 : -1
  const rows = repository
    .issues()
    .filter((issue) => issue.updatedMs >= since && (state === 'all' || issue.state === state))
    .sort((a, b) => sign * (a[stamp] - b[stamp] || rank(a.number) - rank(b.number)))
  const start = (page - 1) * perPage
  const shown = rows
    .slice(start, start + perPage)
    .map((issue) => shownIssue(issue, repository, request.url.origin))
  const response = json(shown)
  const link = linkOf(request.url, page, Math.max(1, Math.ceil(rows.length / perPage)))
  return { ...response, headers: { ...response.headers, ...(link ? { link } : {}) } }
}

function linkOf(url: URL, page: number, last: number): string {
  const to = (target: number, rel: string) => {
    const next = new URL(url)
    next.searchParams.set('page', String(target))
    return `<${next.href}>; rel="${rel}"`
  }
  const before = page > 1 ? [to(page - 1, 'prev'), to(1, 'first')] : []
  const behind = page < last ? [to(page + 1, 'next'), to(last, 'last')] : []
  return [...before, ...behind].join(', ')
}

const changesShape = z.object({
  title: z.string().optional(),
  body: z.string().nullable().optional(),
  state: z.enum(['open', 'closed']).optional(),
  state_reason: z.string().nullable().optional(),
  labels: z.array(z.string()).optional(),
  assignees: z.array(z.string()).optional(),
})

function read({ request }: Call) {
  try {
    return changesShape.safeParse(JSON.parse(request.body.toString()))
  } catch {
    return undefined
  }
}

const invalid = (field: string) =>
  failure(422, 'Validation Failed', [{ resource: 'Issue', field, code: 'missing_field' }])

function open(call: Call): LocalResponse {
  const parsed = read(call)
  if (!parsed) return failure(400, 'Problems parsing JSON')
  if (!parsed.success) return invalid(String(parsed.error.issues[0]?.path[0] ?? 'title'))
  const { title = '', ...rest } = parsed.data
  if (title.trim() === '') return invalid('title')
  const issue = call.repository.open({ ...rest, title: title.trim() }, call.login)
  return json(shownIssue(issue, call.repository, call.request.url.origin), 201)
}

function edit(call: Call, number: number): LocalResponse {
  const parsed = read(call)
  if (!parsed) return failure(400, 'Problems parsing JSON')
  if (!parsed.success) return invalid(String(parsed.error.issues[0]?.path[0] ?? 'title'))
  if (parsed.data.title?.trim() === '') return invalid('title')
  const title = parsed.data.title?.trim()
  return found(call, call.repository.edit(number, { ...parsed.data, title }, call.login), number)
}
