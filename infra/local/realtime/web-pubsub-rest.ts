import { z } from 'zod'
import type { VirtualClock } from '../clock.ts'
import type { LocalRequest, LocalResponse } from '../http-server.ts'
import { audience, hubNamed, removeUser, type Hub, type Target } from './hub.ts'
import { parseJson } from './json.ts'
import { parseFilter, type Filter } from './odata-filter.ts'
import { failure, route, type Call, type CallTo, type Route } from './routes.ts'
import { signToken } from './tokens.ts'
import { expel, publish, type Effect, type Payload } from './web-pubsub-hub.ts'
import { roleFor, type Ability, type Session } from './web-pubsub-session.ts'

export interface WebPubSubApi {
  readonly hubs: Map<string, Hub<Session>>
  readonly clock: VirtualClock
  readonly accessKey: string
  readonly perform: (effects: readonly Effect[]) => void
}

/** Limits of the service. */
export const MAX_MESSAGE_TTL_SECONDS = 300
export const MAX_PAGE_SIZE = 200
const DEFAULT_TOKEN_MINUTES = 60
const MINUTE_MS = 60_000

type HubPath = Target & { readonly hub: string }

const ok: LocalResponse = { status: 200 }
const accepted: LocalResponse = { status: 202 }
const noContent: LocalResponse = { status: 204 }

/** The data-plane REST API, version 2024-12-01 (learn.microsoft.com/rest/api/webpubsub/dataplane). */
export function webPubSubRoutes(api: WebPubSubApi): readonly Route[] {
  const hubOf = ({ hub }: { readonly hub: string }) => hubNamed(api.hubs, hub)
  const present = (path: HubPath) => audience(hubOf(path), path)

  function send({ request, path, query }: Call<HubPath>): LocalResponse {
    const payload = payloadOf(request)
    if (!payload)
      return failure(415, 'UnsupportedMediaType', 'send JSON, text or octets, well formed')
    const ttl = Number(query.get('messageTtlSeconds') ?? 0)
    if (!Number.isInteger(ttl) || ttl < 0 || ttl > MAX_MESSAGE_TTL_SECONDS)
      return failure(400, 'BadRequest', `messageTtlSeconds is 0 to ${MAX_MESSAGE_TTL_SECONDS}`)
    return withFilter(query.get('filter'), (matches) => {
      const excluded = query.getAll('excluded')
      const to = present(path).filter((each) => !excluded.includes(each.id) && matches(each))
      const expiresAtMs = ttl === 0 ? undefined : api.clock.now() + ttl * 1_000
      api.perform(publish(hubOf(path), { to, payload, group: path.group, expiresAtMs }))
      return accepted
    })
  }

  function close({ path, query }: Call<HubPath>): LocalResponse {
    const excluded = query.getAll('excluded')
    const sessions = present(path).filter(({ id }) => !excluded.includes(id))
    api.perform(expel(hubOf(path), sessions, query.get('reason') ?? ''))
    return noContent
  }

  function exists({ path }: Call<HubPath>): LocalResponse {
    return present(path).length > 0 ? ok : { status: 404 }
  }

  function changeGroups(change: (groups: Set<string>, names: readonly string[]) => void) {
    return ({ request, path }: CallTo<'hub'>): LocalResponse => {
      const body = bulkShape.safeParse(parseJson(request.body))
      if (!body.success) return failure(400, 'BadRequest', z.prettifyError(body.error))
      return withFilter(body.data.filter, (matches) => {
        for (const each of present({ hub: path.hub }).filter(matches))
          change(each.groups, body.data.groups)
        return ok
      })
    }
  }

  /** Acts on one connection; a missing one is 404. */
  function withConnection(
    path: { readonly hub: string; readonly connection: string },
    act: (session: Session) => LocalResponse,
  ): LocalResponse {
    const session = hubOf(path).members.get(path.connection)
    return session
      ? act(session)
      : failure(404, 'NotFound', `there is no connection ${path.connection}`)
  }

  function roleOf({ path, query }: CallTo<'permission'>): string | undefined {
    const ability = (['joinLeaveGroup', 'sendToGroup'] satisfies Ability[]).find(
      (name) => name === path.permission,
    )
    return ability && roleFor(ability, query.get('targetName'))
  }

  function permission(act: (session: Session, role: string) => LocalResponse) {
    return (call: CallTo<'hub' | 'permission' | 'connection'>): LocalResponse => {
      const role = roleOf(call)
      if (!role) return failure(400, 'BadRequest', `there is no permission ${call.path.permission}`)
      return withConnection(call.path, (session) => act(session, role))
    }
  }

  function list({ request, path, query }: CallTo<'hub' | 'group'>): LocalResponse {
    const size = Number(query.get('maxpagesize') ?? MAX_PAGE_SIZE)
    const top = Number(query.get('top') ?? Number.MAX_SAFE_INTEGER)
    if (!isCount(size) || size > MAX_PAGE_SIZE || !isCount(top))
      return failure(400, 'BadRequest', `maxpagesize is 1 to ${MAX_PAGE_SIZE}, top at least 1`)
    const after = query.get('continuationToken') ?? ''
    const members = [...present(path)].sort((a, b) => (a.id < b.id ? -1 : 1))
    const left = members.filter(({ id }) => id > after).slice(0, top)
    const page = left.slice(0, size)
    const value = page.map(({ id, userId }) => ({ connectionId: id, userId }))
    const last = page.at(-1)
    if (!last || left.length === page.length) return { status: 200, body: { value } }
    const next = new URL(request.url)
    next.searchParams.set('continuationToken', last.id)
    if (query.has('top')) next.searchParams.set('top', String(top - page.length))
    return { status: 200, body: { value, nextLink: next.href } }
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

  const add = changeGroups((groups, names) => names.forEach((name) => groups.add(name)))
  const remove = changeGroups((groups, names) => names.forEach((name) => groups.delete(name)))

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
    route('addToGroups', 'POST /api/hubs/{hub}/:addToGroups', add),
    route('removeFromGroups', 'POST /api/hubs/{hub}/:removeFromGroups', remove),
    route('addUserToGroup', 'PUT /api/hubs/{hub}/users/{user}/groups/{group}', ({ path }) => {
      // unlike SignalR, a membership belongs to the present connections and is not kept for later ones
      const sessions = present({ hub: path.hub, user: path.user })
      for (const { groups } of sessions) groups.add(path.group)
      return sessions.length > 0
        ? ok
        : failure(404, 'NotFound', `the user ${path.user} is not connected`)
    }),
    route(
      'removeUserFromGroup',
      'DELETE /api/hubs/{hub}/users/{user}/groups/{group}',
      ({ path }) => {
        removeUser(hubOf(path), path.user, path.group)
        return noContent
      },
    ),
    route('removeUserFromAllGroups', 'DELETE /api/hubs/{hub}/users/{user}/groups', ({ path }) => {
      removeUser(hubOf(path), path.user)
      return noContent
    }),
    route('listConnectionsInGroup', 'GET /api/hubs/{hub}/groups/{group}/connections', list),
    route('addConnectionToGroup', `PUT ${GROUP_CONNECTION}`, ({ path }) =>
      withConnection(path, ({ groups }) => {
        groups.add(path.group)
        return ok
      }),
    ),
    route('removeConnectionFromGroup', `DELETE ${GROUP_CONNECTION}`, ({ path }) =>
      withConnection(path, ({ groups }) => {
        groups.delete(path.group)
        return noContent
      }),
    ),
    route('removeConnectionFromAllGroups', `DELETE ${CONNECTION_GROUPS}`, ({ path }) => {
      hubOf(path).members.get(path.connection)?.groups.clear()
      return noContent
    }),
    route(
      'grantPermission',
      `PUT ${PERMISSION}`,
      permission(({ roles }, role) => {
        roles.add(role)
        return ok
      }),
    ),
    route('revokePermission', `DELETE ${PERMISSION}`, (call) => {
      const role = roleOf(call)
      if (role) hubOf(call.path).members.get(call.path.connection)?.roles.delete(role)
      return noContent
    }),
    route(
      'checkPermission',
      `HEAD ${PERMISSION}`,
      permission(({ roles }, role) => (roles.has(role) ? ok : { status: 404 })),
    ),
    route('generateToken', 'POST /api/hubs/{hub}/:generateToken', generateToken),
  ]
}

const GROUP_CONNECTION = '/api/hubs/{hub}/groups/{group}/connections/{connection}'
const CONNECTION_GROUPS = '/api/hubs/{hub}/connections/{connection}/groups'
const PERMISSION = '/api/hubs/{hub}/permissions/{permission}/connections/{connection}'

const bulkShape = z.object({
  groups: z.array(z.string().min(1).max(1024)).min(1),
  filter: z.string().nullish(),
})

function withFilter(
  text: string | null | undefined,
  act: (matches: Filter) => LocalResponse,
): LocalResponse {
  const filter = parseFilter(text)
  return filter.valid ? act(filter.matches) : failure(400, 'BadRequest', filter.message)
}

function payloadOf({ headers, body }: LocalRequest): Payload | undefined {
  const [type = ''] = (headers['content-type'] ?? '').split(';')
  switch (type.trim().toLowerCase()) {
    case 'application/json': {
      const data = parseJson(body)
      return data === undefined ? undefined : { dataType: 'json', data }
    }
    case 'text/plain':
      return { dataType: 'text', data: body.toString() }
    case 'application/octet-stream':
      return { dataType: 'binary', data: body.toString('base64') }
    default:
      return undefined
  }
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 1
}
