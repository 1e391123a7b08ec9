import type { LocalRequest, LocalResponse } from '../http-server.ts'
import { parseJson } from './json.ts'
import { failure, route, type Call, type CallTo, type Route } from './routes.ts'
import { signToken } from './tokens.ts'
import {
  accepted,
  hubOf,
  isCount,
  noContent,
  ok,
  present,
  withFilter,
  type HubPath,
  type WebPubSubApi,
} from './web-pubsub-api.ts'
import { expel, publish, type Payload } from './web-pubsub-hub.ts'
import { memberRoutes } from './web-pubsub-members.ts'

const MAX_MESSAGE_TTL_SECONDS = 300
const DEFAULT_TOKEN_MINUTES = 60
const MINUTE_MS = 60_000

/** The data-plane REST API, version 2024-12-01 (learn.microsoft.com/rest/api/webpubsub/dataplane). */
export function webPubSubRoutes(api: WebPubSubApi): readonly Route[] {
  function send({ request, path, query }: Call<HubPath>): LocalResponse {
    const payload = payloadOf(request)
    if (!payload) return failure(415, 'UnsupportedMediaType', 'send JSON, text or octets')
    if (payload.data === undefined) return failure(400, 'BadRequest', 'the body is not JSON')
    const ttl = Number(query.get('messageTtlSeconds') ?? 0)
    if (!Number.isInteger(ttl) || ttl < 0 || ttl > MAX_MESSAGE_TTL_SECONDS)
      return failure(400, 'BadRequest', `messageTtlSeconds is 0 to ${MAX_MESSAGE_TTL_SECONDS}`)
    return withFilter(query.get('filter'), (matches) => {
      const excluded = query.getAll('excluded')
      const to = present(api, path).filter((each) => !excluded.includes(each.id) && matches(each))
      const expiresAtMs = ttl === 0 ? undefined : api.clock.now() + ttl * 1_000
      api.perform(publish(hubOf(api, path), { to, payload, group: path.group, expiresAtMs }))
      return accepted
    })
  }

  function close({ path, query }: Call<HubPath>): LocalResponse {
    const excluded = query.getAll('excluded')
    const sessions = present(api, path).filter(({ id }) => !excluded.includes(id))
    api.perform(expel(hubOf(api, path), sessions, query.get('reason') ?? ''))
    return noContent
  }

  function exists({ path }: Call<HubPath>): LocalResponse {
    return present(api, path).length > 0 ? ok : { status: 404 }
  }

  function generateToken({ request, path, query }: CallTo<'hub'>): LocalResponse {
    const minutes = Number(query.get('minutesToExpire') ?? DEFAULT_TOKEN_MINUTES)
    const kind = query.get('clientType') ?? 'default'
    if (!isCount(minutes) || kind.toLowerCase() !== 'default')
      return failure(400, 'BadRequest', 'minutesToExpire is at least 1, clientType is Default')
    const nowMs = api.clock.now()
    const claims = {
      aud: `${request.url.origin}/client/hubs/${path.hub}`,
      iat: Math.floor(nowMs / 1_000),
      exp: Math.floor((nowMs + minutes * MINUTE_MS) / 1_000),
      sub: query.get('userId') ?? undefined,
      role: query.getAll('role'),
      'webpubsub.group': query.getAll('group'),
    }
    return { status: 200, body: { token: signToken(claims, api.accessKey) } }
  }

  return [
    route('health', 'HEAD|GET /api/health', () => ok),
    route('sendToAll', 'POST /api/hubs/{hub}/:send', send),
    route('sendToUser', 'POST /api/hubs/{hub}/users/{user}/:send', send),
    route('sendToGroup', 'POST /api/hubs/{hub}/groups/{group}/:send', send),
    route('sendToConnection', 'POST /api/hubs/{hub}/connections/{connection}/:send', send),
    route('closeAll', 'POST /api/hubs/{hub}/:closeConnections', close),
    route('closeUser', 'POST /api/hubs/{hub}/users/{user}/:closeConnections', close),
    route('closeGroup', 'POST /api/hubs/{hub}/groups/{group}/:closeConnections', close),
    route('closeConnection', 'DELETE /api/hubs/{hub}/connections/{connection}', close),
    route('userExists', 'HEAD /api/hubs/{hub}/users/{user}', exists),
    route('groupExists', 'HEAD /api/hubs/{hub}/groups/{group}', exists),
    route('connectionExists', 'HEAD /api/hubs/{hub}/connections/{connection}', exists),
    ...memberRoutes(api),
    route('generateToken', 'POST /api/hubs/{hub}/:generateToken', generateToken),
  ]
}

function payloadOf({ headers, body }: LocalRequest): Payload | undefined {
  const [type = ''] = (headers['content-type'] ?? '').split(';')
  switch (type.trim().toLowerCase()) {
    case 'application/json':
      return { dataType: 'json', data: parseJson(body) }
    case 'text/plain':
      return { dataType: 'text', data: body.toString() }
    case 'application/octet-stream':
      return { dataType: 'binary', data: body.toString('base64') }
    default:
      return undefined
  }
}
