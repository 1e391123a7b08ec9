import type { Emulator, EmulatorOptions } from '../emulator.ts'
import { serveHttp } from '../http-server.ts'
import type { Hub, Member } from './hub.ts'
import { RealtimeControl } from './realtime-control.ts'
import { answerRest, findRoute } from './routes.ts'
import { serveSignalRClients } from './signalr-clients.ts'
import { signalRRoutes } from './signalr-rest.ts'
import { MESSAGE_LIMIT_BYTES } from './sockets.ts'

/** Opens nothing but this emulator. */
const ACCESS_KEY = 'bG9jYWwtc2lnbmFsci1rZXktZm9yLXRlc3RzLW9ubHkhISE='
const ENTRA_RESOURCE = 'https://signalr.azure.com'
const NEGOTIATE_PATH = '/client/negotiate'

/** Starts Azure SignalR in serverless mode: the data-plane REST API and the client endpoint on one port. */
export async function startSignalR(
  options: EmulatorOptions = {},
): Promise<Emulator<RealtimeControl>> {
  const { port = 0, latencyMs = 0 } = options
  const hubs = new Map<string, Hub<Member>>()
  const control = new RealtimeControl({
    inspect: () => inspect(hubs),
    dropClients: () => clients.dropAll(),
  })
  const routes = signalRRoutes({
    hubs,
    clock: control.clock,
    accessKey: ACCESS_KEY,
    clients: () => clients,
  })
  const api = {
    routes,
    accessKey: ACCESS_KEY,
    entraResource: ENTRA_RESOURCE,
    nowMs: () => control.clock.now(),
    isVersioned: (pathname: string) => pathname.startsWith('/api/hubs/'),
  }
  const http = await serveHttp({
    port,
    latencyMs,
    control,
    bodyLimit: MESSAGE_LIMIT_BYTES,
    operation: ({ method, url }) =>
      url.pathname === NEGOTIATE_PATH
        ? 'negotiate'
        : (findRoute(routes, method, url.pathname)?.name ?? `${method} ${url.pathname}`),
    handle: (request) =>
      request.url.pathname === NEGOTIATE_PATH && request.method === 'POST'
        ? clients.negotiate(request)
        : answerRest(api, request),
  })
  const clients = serveSignalRClients({ http, control, latencyMs, accessKey: ACCESS_KEY, hubs })
  return {
    name: 'signalr',
    settings: {
      SIGNALR_CONNECTION_STRING: `Endpoint=${http.origin};AccessKey=${ACCESS_KEY};Version=1.0;`,
    },
    control,
    async [Symbol.asyncDispose]() {
      clients[Symbol.dispose]()
      await http[Symbol.asyncDispose]()
      control[Symbol.dispose]()
    },
  }
}

function inspect(hubs: ReadonlyMap<string, Hub<Member>>): unknown {
  const connections = (hub: Hub<Member>) =>
    [...hub.members.values()].map(({ id, userId, groups }) => ({
      connectionId: id,
      userId: userId ?? null,
      groups: [...groups],
    }))
  return Object.fromEntries([...hubs].map(([name, hub]) => [name, connections(hub)]))
}
