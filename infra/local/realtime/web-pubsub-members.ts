import { z } from 'zod'
import type { LocalResponse } from '../http-server.ts'
import { removeUser } from './hub.ts'
import { parseJson } from './json.ts'
import { failure, route, type CallTo, type Route } from './routes.ts'
import {
  hubOf,
  isCount,
  noContent,
  ok,
  present,
  withFilter,
  type WebPubSubApi,
} from './web-pubsub-api.ts'
import { roleFor, type Ability, type Session } from './web-pubsub-session.ts'

const MAX_PAGE_SIZE = 200

/** The operations on groups and permissions. */
export function memberRoutes(api: WebPubSubApi): readonly Route[] {
  function changeGroups(change: (groups: Set<string>, names: readonly string[]) => void) {
    return ({ request, path }: CallTo<'hub'>): LocalResponse => {
      const body = bulkShape.safeParse(parseJson(request.body))
      if (!body.success) return failure(400, 'BadRequest', z.prettifyError(body.error))
      return withFilter(body.data.filter, (matches) => {
        for (const each of present(api, { hub: path.hub }).filter(matches))
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
    const session = hubOf(api, path).members.get(path.connection)
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
    const members = [...present(api, path)].sort((a, b) => (a.id < b.id ? -1 : 1))
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

  const add = changeGroups((groups, names) => names.forEach((name) => groups.add(name)))
  const remove = changeGroups((groups, names) => names.forEach((name) => groups.delete(name)))

  return [
    route('addToGroups', 'POST /api/hubs/{hub}/:addToGroups', add),
    route('removeFromGroups', 'POST /api/hubs/{hub}/:removeFromGroups', remove),
    route('addUserToGroup', 'PUT /api/hubs/{hub}/users/{user}/groups/{group}', ({ path }) => {
      // unlike SignalR, a membership belongs to the present connections and is not kept for later ones
      const sessions = present(api, { hub: path.hub, user: path.user })
      for (const { groups } of sessions) groups.add(path.group)
      return sessions.length > 0
        ? ok
        : failure(404, 'NotFound', `the user ${path.user} is not connected`)
    }),
    route(
      'removeUserFromGroup',
      'DELETE /api/hubs/{hub}/users/{user}/groups/{group}',
      ({ path }) => {
        removeUser(hubOf(api, path), path.user, path.group)
        return noContent
      },
    ),
    route('removeUserFromAllGroups', 'DELETE /api/hubs/{hub}/users/{user}/groups', ({ path }) => {
      removeUser(hubOf(api, path), path.user)
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
      hubOf(api, path).members.get(path.connection)?.groups.clear()
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
      if (role) hubOf(api, call.path).members.get(call.path.connection)?.roles.delete(role)
      return noContent
    }),
    route(
      'checkPermission',
      `HEAD ${PERMISSION}`,
      permission(({ roles }, role) => (roles.has(role) ? ok : { status: 404 })),
    ),
  ]
}

const GROUP_CONNECTION = '/api/hubs/{hub}/groups/{group}/connections/{connection}'
const CONNECTION_GROUPS = '/api/hubs/{hub}/connections/{connection}/groups'
const PERMISSION = '/api/hubs/{hub}/permissions/{permission}/connections/{connection}'

const bulkShape = z.object({
  groups: z.array(z.string().min(1).max(1024)).min(1),
  filter: z.string().nullish(),
})
