import type { Emulator, EmulatorOptions } from '../emulator.ts'
import { serveHttp } from '../http-server.ts'
import type { Hub } from './hub.ts'
import { RealtimeControl } from './realtime-control.ts'
import { answerRest, findRoute } from './routes.ts'
import { MESSAGE_LIMIT_BYTES } from './sockets.ts'
import { serveClients } from './web-pubsub-clients.ts'
import { webPubSubRoutes } from './web-pubsub-rest.ts'
import type { Session } from './web-pubsub-session.ts'

/** Opens nothing but this emulator. */
const ACCESS_KEY = 'bG9jYWwtd2ViLXB1YnN1Yi1rZXktZm9yLXRlc3RzLW9ubHk='
const ENTRA_RESOURCE = 'https://webpubsub.azure.com'

/**
 * Starts Azure Web PubSub: the data-plane REST API and the client endpoint on one port. `WEB_PUBSUB_CONNECTION_STRING`
 * has an `http` endpoint, so the stock clients need `allowInsecureConnection`.
 */
export async function startWebPubSub(
  options: EmulatorOptions = {},
): Promise<Emulator<RealtimeControl>> {
  const { port = 0, latencyMs = 0 } = options
  const hubs = new Map<string, Hub<Session>>()
  const control = new RealtimeControl({
    inspect: () => inspect(hubs, (session) => clients.isConnected(session)),
    dropClients: () => clients.dropAll(),
  })
  const routes = webPubSubRoutes({
    hubs,
    clock: control.clock,
    accessKey: ACCESS_KEY,
    perform: (effects) => clients.perform(effects),
  })
  const api = {
    routes,
    accessKey: ACCESS_KEY,
    entraResource: ENTRA_RESOURCE,
    nowMs: () => control.clock.now(),
    isVersioned: (pathname: string) => pathname !== '/api/health',
  }
  const http = await serveHttp({
    port,
    latencyMs,
    control,
    bodyLimit: MESSAGE_LIMIT_BYTES,
    operation: ({ method, url }) =>
      findRoute(routes, method, url.pathname)?.name ?? `${method} ${url.pathname}`,
    handle: (request) => answerRest(api, request),
  })
  const clients = serveClients({ http, control, latencyMs, accessKey: ACCESS_KEY, hubs })
  return {
    name: 'web-pubsub',
    settings: {
      WEB_PUBSUB_CONNECTION_STRING: `Endpoint=${http.origin};AccessKey=${ACCESS_KEY};Version=1.0;`,
    },
    control,
    async [Symbol.asyncDispose]() {
      clients[Symbol.dispose]()
      await http[Symbol.asyncDispose]()
      control[Symbol.dispose]()
    },
  }
}

function inspect(
  hubs: ReadonlyMap<string, Hub<Session>>,
  isConnected: (session: Session) => boolean,
): unknown {
  const connections = (hub: Hub<Session>) =>
    [...hub.members.values()].map((session) => ({
      connectionId: session.id,
      userId: session.userId ?? null,
      protocol: session.protocol,
      groups: [...session.groups],
      isConnected: isConnected(session),
      unacknowledged: session.unacknowledged.length,
    }))
  return Object.fromEntries([...hubs].map(([name, hub]) => [name, connections(hub)]))
}
