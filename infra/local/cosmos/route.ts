import type { LocalRequest } from '../http-server.ts'
import { badRequest } from './errors.ts'

/** Where a request goes: `/dbs/{database}/colls/{container}/docs/{id}` and the shorter paths. */
export interface Route {
  /** The last resource type in the path, `account` for `/`. */
  readonly type: string
  readonly database: string | undefined
  readonly container: string | undefined
  /** The last segment when the path names one resource, not a list. */
  readonly id: string | undefined
  readonly segments: readonly string[]
  /** What the client signs: the type and the link of the resource, or of the list's owner. */
  readonly signed: { readonly type: string; readonly link: string }
}

const PARTITION_KEY_DELETE = 'partitionkeydelete'

export function routeOf(request: LocalRequest): Route {
  // Nothing in this protocol is a query string: a question mark belongs to an item's id.
  const path = request.url.pathname + request.url.search
  const segments = path.split('/').filter(Boolean).map(decodeSegment)
  const isList = segments.length % 2 === 1
  const type = (isList ? segments.at(-1) : segments.at(-2)) ?? 'account'
  return {
    type: type === 'operations' ? PARTITION_KEY_DELETE : type,
    database: segments[0] === 'dbs' ? segments[1] : undefined,
    container: segments[2] === 'colls' ? segments[3] : undefined,
    id: isList ? undefined : segments.at(-1),
    segments,
    signed: signedParts(segments, type),
  }
}

/** The name under which a call is counted and struck by faults, like `POST docs query`. */
export function operationOf(request: LocalRequest): string {
  const { type, id } = routeOf(request)
  const suffix = type === 'docs' && id === undefined ? documentSuffix(request) : ''
  return `${request.method} ${type}${suffix}`
}

function documentSuffix({ method, headers }: LocalRequest): string {
  if (method === 'GET') return headers['a-im'] === undefined ? ' feed' : ' change-feed'
  if (isTrue(headers['x-ms-cosmos-is-query-plan-request'])) return ' query-plan'
  if (isQuery(headers)) return ' query'
  if (isTrue(headers['x-ms-cosmos-is-batch-request'])) {
    return isTrue(headers['x-ms-cosmos-batch-atomic']) ? ' batch' : ' bulk'
  }
  return isTrue(headers['x-ms-documentdb-is-upsert']) ? ' upsert' : ''
}

export function isQuery(headers: LocalRequest['headers']): boolean {
  return (
    isTrue(headers['x-ms-documentdb-isquery']) ||
    (headers['content-type'] ?? '').startsWith('application/query+json')
  )
}

/** Clients write `true`, `True` and `TRUE`. */
export function isTrue(header: string | undefined): boolean {
  return header?.toLowerCase() === 'true'
}

function signedParts(segments: readonly string[], type: string): Route['signed'] {
  if (segments.length === 0) return { type: '', link: '' }
  if (type === 'operations') return { type: 'colls', link: segments.slice(0, -2).join('/') }
  if (type === 'offers') return { type, link: (segments[1] ?? '').toLowerCase() }
  const isList = segments.length % 2 === 1
  return { type, link: (isList ? segments.slice(0, -1) : segments).join('/') }
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw badRequest(`The path segment ${segment} is not percent-encoded.`)
  }
}
