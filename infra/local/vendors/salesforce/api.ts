import type { LocalRequest, LocalResponse } from '../../http-server.ts'
import { expired, notFound, ok, writeFailure } from './answers.ts'
import { callCollection } from './collections-api.ts'
import type { Usage } from './usage.ts'
import { answerIntrospection, answerRevocation, answerToken, type OAuth } from './oauth.ts'
import type { Org, WriteError } from './org.ts'
import type { Queries } from './query-api.ts'
import { callChanges, callRecord, describe, upsertRecord } from './records-api.ts'

export interface ApiParts {
  readonly org: Org
  readonly oauth: OAuth
  readonly queries: Queries
  readonly usage: Usage
  readonly plannedError: () => WriteError | undefined
}

const DATA_PATH = /^(\/services\/data\/v\d{2}\.0)\/(.+)$/

/** `PATCH /services/data/vNN.0/sobjects/Case/{id}`: names a call for counts and faults. */
export function operationOf({ method, url }: LocalRequest): string {
  const path = url.pathname
    .replace(/\/v\d{2}\.0\//, '/vNN.0/')
    .replace(/(\/query)\/.+$/, '$1/{locator}')
    .replace(/(?<!composite)(\/sobjects\/\w+)\/[A-Za-z0-9]{15,18}$/, '$1/{id}')
  return `${method} ${path}`
}

/** Answers one request. The sign-in host goes on answering for tokens after the organisation has moved. */
export function answerRequest(request: LocalRequest, parts: ApiParts): LocalResponse {
  switch (`${request.method} ${request.url.pathname}`) {
    case 'POST /services/oauth2/token':
      return answerToken(request, parts.oauth)
    case 'POST /services/oauth2/introspect':
      return answerIntrospection(request, parts.oauth)
    case 'POST /services/oauth2/revoke':
      return answerRevocation(request, parts.oauth)
    case 'GET /services/data':
      return ok(
        ['58.0', '59.0', '60.0', '62.0'].map((version) => ({
          version,
          url: `/services/data/v${version}`,
        })),
      )
    default:
      return answerData(request, parts)
  }
}

function answerData(request: LocalRequest, parts: ApiParts): LocalResponse {
  const [, token = ''] = /^Bearer (.+)$/i.exec(request.headers['authorization'] ?? '') ?? []
  const user = parts.oauth.sessions.use(token, request.url.origin)
  if (user === undefined) return expired()
  const response = parts.usage.count() ? route(request, parts, user) : parts.usage.refusal()
  return { ...response, headers: { ...response.headers, ...parts.usage.headers() } }
}

function route(request: LocalRequest, parts: ApiParts, by: string): LocalResponse {
  const [, root = '', rest = ''] = DATA_PATH.exec(request.url.pathname) ?? []
  const [area = '', ...names] = rest.split('/').map(decodeURIComponent)
  const origin = /client=(\w+)/.exec(request.headers['sforce-call-options'] ?? '')?.[1]
  const writer = origin === undefined ? { by } : { by, origin }
  const { org, queries, plannedError } = parts
  if (area === 'query' || area === 'queryAll') {
    const [locator] = names
    return locator === undefined
      ? queries.answer(request, root, area === 'queryAll')
      : queries.more(locator, root)
  }
  if (area === 'composite' && names[0] === 'sobjects') {
    const [, object, field] = names
    const upsert = object !== undefined && field !== undefined ? { object, field } : undefined
    return callCollection({ org, request, writer, plannedError }, upsert)
  }
  const [object = '', id, value] = names
  if (area !== 'sobjects' || !org.objects.has(object)) return notFound()
  const call = { org, request, root, object, writer }
  const planned = request.method === 'GET' ? undefined : plannedError()
  if (planned) return writeFailure(planned)
  if (id === 'describe') return describe(call)
  if (id === 'deleted' || id === 'updated') return callChanges(call, id)
  return id !== undefined && value !== undefined && request.method === 'PATCH'
    ? upsertRecord(call, id, value)
    : callRecord(call, id)
}
