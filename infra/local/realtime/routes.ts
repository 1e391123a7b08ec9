import type { LocalRequest, LocalResponse } from '../http-server.ts'
import { restAudiences, tokenOf, verifyToken } from './tokens.ts'

export interface Call<Path = Readonly<Record<string, string>>> {
  readonly request: LocalRequest
  /** Path parameters, unescaped. */
  readonly path: Path
  readonly query: URLSearchParams
}

/** A call to a route that names these parameters. */
export type CallTo<P extends string> = Call<Readonly<Record<P, string>>>

/** One operation of a data-plane REST API. */
export interface Route {
  /** For counting and fault matching. */
  readonly name: string
  readonly method: string
  readonly pattern: RegExp
  readonly handle: (call: Call) => LocalResponse
}

/** The parameter names in a path template. */
export type Parameters<T extends string> = T extends `${string}{${infer P}}${infer Rest}`
  ? P | Parameters<Rest>
  : never

/** An operation at `template`, such as `POST /api/hubs/{hub}/:send`. `HEAD|GET` takes both methods. */
export function route<T extends string>(
  name: string,
  template: T,
  handle: (call: CallTo<Parameters<T>>) => LocalResponse,
): Route {
  const [method = '', path = ''] = template.split(' ')
  const pattern = new RegExp(`^${path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}/?$`)
  return { name, method, pattern, handle }
}

export function findRoute(
  routes: readonly Route[],
  method: string,
  pathname: string,
): Route | undefined {
  return routes.find(
    (route) => route.method.split('|').includes(method) && route.pattern.test(pathname),
  )
}

export interface RestApi {
  readonly routes: readonly Route[]
  readonly accessKey: string
  readonly entraResource: string
  readonly nowMs: () => number
  /** Whether this path needs `api-version` in the query. */
  readonly isVersioned: (pathname: string) => boolean
}

/** Answers one REST call: 404 unknown, 401 bad token, 400 no version or malformed, else what the operation says. */
export function answerRest(api: RestApi, request: LocalRequest): LocalResponse {
  const { method, url, headers } = request
  const found = findRoute(api.routes, method, url.pathname)
  if (!found) return failure(404, 'NotFound', `there is no operation ${method} ${url.pathname}`)
  if (!url.pathname.endsWith('/health')) {
    const audiences = restAudiences(url, api.entraResource)
    const token = tokenOf(headers, url)
    const verdict = verifyToken(token, { accessKey: api.accessKey, audiences, nowMs: api.nowMs() })
    if (!verdict.valid) return unauthorized(verdict.reason)
  }
  if (api.isVersioned(url.pathname) && !url.searchParams.has('api-version'))
    return failure(400, 'BadRequest', 'the query parameter api-version is required')
  const path = matchPath(found.pattern, url.pathname)
  if (!path) return failure(400, 'BadRequest', `the path ${url.pathname} is not well escaped`)
  return found.handle({ request, path, query: url.searchParams })
}

/** The error shape of both services. */
export function failure(status: number, code: string, message: string): LocalResponse {
  return { status, headers: { 'x-ms-error-code': code }, body: { code, message } }
}

export function unauthorized(reason: string): LocalResponse {
  const answer = failure(401, 'Unauthorized', reason)
  return { ...answer, headers: { ...answer.headers, 'www-authenticate': 'Bearer' } }
}

/** The named parts of a path, unescaped; `undefined` when it does not match or is not well escaped. */
export function matchPath(
  pattern: RegExp,
  pathname: string,
): Readonly<Record<string, string>> | undefined {
  const match = pattern.exec(pathname)
  try {
    if (!match) return undefined
    return Object.fromEntries(
      Object.entries(match.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]),
    )
  } catch {
    return undefined
  }
}
