import { z } from 'zod'
import type { VirtualClock } from '../clock.ts'
import type { LocalResponse } from '../http-server.ts'
import {
  addUser,
  audience,
  hubNamed,
  isUserInGroup,
  removeUser,
  type Hub,
  type Member,
  type Target,
} from './hub.ts'
import { parseJson } from './json.ts'
import { failure, route, type Call, type CallTo, type Route } from './routes.ts'
import type { SignalRClients } from './signalr-clients.ts'
import { invocation } from './signalr-protocol.ts'
import { signToken } from './tokens.ts'

export interface SignalRApi {
  readonly hubs: Map<string, Hub<Member>>
  readonly clock: VirtualClock
  readonly accessKey: string
  readonly clients: () => Pick<SignalRClients, 'send' | 'close'>
}

/** How long a user stays in a group that was joined without `ttl`. */
const DEFAULT_MEMBERSHIP_SECONDS = 365 * 24 * 60 * 60
const DEFAULT_TOKEN_MINUTES = 60

const messageShape = z.object({
  target: z.string().min(1),
  arguments: z.array(z.unknown()).default([]),
})

type HubPath = Target & { readonly hub: string }
type UserInGroup = CallTo<'hub' | 'user' | 'group'>
type ConnectionInGroup = CallTo<'hub' | 'connection' | 'group'>

const ok: LocalResponse = { status: 200 }
const accepted: LocalResponse = { status: 202 }
const noContent: LocalResponse = { status: 204 }

/**
 * The data-plane REST API of Azure SignalR, version 2022-06-01 with 2024-12-01's client tokens, and the older v1 paths
 * (learn.microsoft.com/azure/azure-signalr, "data plane REST API").
 */
export function signalRRoutes({ hubs, clock, accessKey, clients }: SignalRApi): readonly Route[] {
  const hubOf = ({ hub }: { readonly hub: string }) => hubNamed(hubs, hub)
  const present = (path: HubPath) => audience(hubOf(path), path)

  function send({ request, path, query }: Call<HubPath>): LocalResponse {
    const message = messageShape.safeParse(parseJson(request.body))
    if (!message.success) return failure(400, 'BadRequest', z.prettifyError(message.error))
    const excluded = query.getAll('excluded')
    const members = present(path).filter(({ id }) => !excluded.includes(id))
    clients().send(members, invocation(message.data.target, message.data.arguments))
    return accepted
  }

  function close(done: LocalResponse) {
    return ({ path, query }: Call<HubPath>): LocalResponse => {
      const excluded = query.getAll('excluded')
      const members = present(path).filter(({ id }) => !excluded.includes(id))
      clients().close(hubOf(path), members, query.get('reason') ?? undefined)
      return done
    }
  }

  function exists({ path }: Call<HubPath>): LocalResponse {
    return present(path).length > 0 ? ok : { status: 404 }
  }

  /** `ttl` decides how long *new* connections of the user join; 0 means the present ones only. */
  function join(done: LocalResponse) {
    return ({ path, query }: UserInGroup): LocalResponse => {
      const seconds = Number(query.get('ttl') ?? DEFAULT_MEMBERSHIP_SECONDS)
      if (!Number.isInteger(seconds) || seconds < 0)
        return failure(400, 'BadRequest', 'ttl is a whole number of seconds, at least 0')
      addUser(hubOf(path), { ...path, untilMs: clock.now() + seconds * 1_000 })
      return done
    }
  }

  function part(done: LocalResponse) {
    return ({
      path,
    }: Call<{ readonly hub: string; readonly user: string; readonly group?: string }>) => {
      removeUser(hubOf(path), path.user, path.group)
      return done
    }
  }

  function isMember({ path }: UserInGroup): LocalResponse {
    return isUserInGroup(hubOf(path), { ...path, nowMs: clock.now() }) ? ok : { status: 404 }
  }

  function withConnection(act: (groups: Set<string>, group: string) => void) {
    return ({ path }: ConnectionInGroup): LocalResponse => {
      const member = hubOf(path).members.get(path.connection)
      if (!member) return failure(404, 'NotFound', `there is no connection ${path.connection}`)
      act(member.groups, path.group)
      return ok
    }
  }

  function generateToken({ request, path, query }: CallTo<'hub'>): LocalResponse {
    const minutes = Number(query.get('minutesToExpire') ?? DEFAULT_TOKEN_MINUTES)
    if (!Number.isInteger(minutes) || minutes < 1)
      return failure(400, 'BadRequest', 'minutesToExpire is at least 1')
    const claims = {
      aud: `${request.url.origin}/client/?hub=${path.hub}`,
      exp: Math.floor(clock.now() / 1_000) + minutes * 60,
      nameid: query.get('userId') ?? undefined,
    }
    return { status: 200, body: { token: signToken(claims, accessKey) } }
  }

  const addConnection = withConnection((groups, group) => groups.add(group))
  const removeConnection = withConnection((groups, group) => groups.delete(group))
  const leaveAllGroups = ({ path }: CallTo<'hub' | 'connection'>): LocalResponse => {
    hubOf(path).members.get(path.connection)?.groups.clear()
    return ok
  }

  const versioned = [
    route('health', 'HEAD|GET /api/health', () => ok),
    route('broadcast', 'POST /api/hubs/{hub}/:send', send),
    route('sendToUser', 'POST /api/hubs/{hub}/users/{user}/:send', send),
    route('sendToGroup', 'POST /api/hubs/{hub}/groups/{group}/:send', send),
    route('sendToConnection', 'POST /api/hubs/{hub}/connections/{connection}/:send', send),
    route('closeAll', 'POST /api/hubs/{hub}/:closeConnections', close(noContent)),
    route('closeUser', 'POST /api/hubs/{hub}/users/{user}/:closeConnections', close(noContent)),
    route('closeGroup', 'POST /api/hubs/{hub}/groups/{group}/:closeConnections', close(noContent)),
    route('closeConnection', 'DELETE /api/hubs/{hub}/connections/{connection}', close(ok)),
    route('userExists', 'HEAD /api/hubs/{hub}/users/{user}', exists),
    route('groupExists', 'HEAD /api/hubs/{hub}/groups/{group}', exists),
    route('connectionExists', 'HEAD /api/hubs/{hub}/connections/{connection}', exists),
    route('addUserToGroup', 'PUT /api/hubs/{hub}/users/{user}/groups/{group}', join(ok)),
    route(
      'removeUserFromGroup',
      'DELETE /api/hubs/{hub}/users/{user}/groups/{group}',
      part(noContent),
    ),
    route('isUserInGroup', 'HEAD /api/hubs/{hub}/users/{user}/groups/{group}', isMember),
    route('removeUserFromAllGroups', 'DELETE /api/hubs/{hub}/users/{user}/groups', part(noContent)),
    route('addConnectionToGroup', `PUT /api/hubs${GROUP_CONNECTION}`, addConnection),
    route('removeConnectionFromGroup', `DELETE /api/hubs${GROUP_CONNECTION}`, removeConnection),
    route('removeConnectionFromAllGroups', `DELETE ${CONNECTION_GROUPS}`, leaveAllGroups),
    route('generateToken', 'POST /api/hubs/{hub}/:generateToken', generateToken),
  ]
  const v1 = [
    route('health', 'HEAD|GET /api/v1/health', () => ok),
    route('broadcast', 'POST /api/v1/hubs/{hub}', send),
    route('sendToUser', 'POST /api/v1/hubs/{hub}/users/{user}', send),
    route('sendToGroup', 'POST /api/v1/hubs/{hub}/groups/{group}', send),
    route('sendToConnection', 'POST /api/v1/hubs/{hub}/connections/{connection}', send),
    route('closeConnection', 'DELETE /api/v1/hubs/{hub}/connections/{connection}', close(accepted)),
    route('userExists', 'HEAD|GET /api/v1/hubs/{hub}/users/{user}', exists),
    route('groupExists', 'HEAD|GET /api/v1/hubs/{hub}/groups/{group}', exists),
    route('connectionExists', 'HEAD|GET /api/v1/hubs/{hub}/connections/{connection}', exists),
    ...['groups/{group}/users/{user}' as const, 'users/{user}/groups/{group}' as const].flatMap(
      (path) => [
        route('addUserToGroup', `PUT /api/v1/hubs/{hub}/${path}`, join(accepted)),
        route('removeUserFromGroup', `DELETE /api/v1/hubs/{hub}/${path}`, part(accepted)),
        route('isUserInGroup', `HEAD|GET /api/v1/hubs/{hub}/${path}`, isMember),
      ],
    ),
    route('removeUserFromAllGroups', 'DELETE /api/v1/hubs/{hub}/users/{user}/groups', part(ok)),
    route('addConnectionToGroup', `PUT /api/v1/hubs${GROUP_CONNECTION}`, addConnection),
    route('removeConnectionFromGroup', `DELETE /api/v1/hubs${GROUP_CONNECTION}`, removeConnection),
  ]
  return [...versioned, ...v1]
}

const GROUP_CONNECTION = '/{hub}/groups/{group}/connections/{connection}'
const CONNECTION_GROUPS = '/api/hubs/{hub}/connections/{connection}/groups'
