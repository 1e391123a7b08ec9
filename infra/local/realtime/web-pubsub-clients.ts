import { randomUUID } from 'node:crypto'
import type { RawData, WebSocket } from 'ws'
import type { Disarm } from '../clock.ts'
import type { Control } from '../control.ts'
import type { HttpServer } from '../http-server.ts'
import { enter, hubNamed, leave, type Hub } from './hub.ts'
import { matchPath } from './routes.ts'
import { serveSockets, textOf, type Admission, type Handshake } from './sockets.ts'
import { textsOf, tokenOf, verifyToken, type Claims } from './tokens.ts'
import { decline } from './web-pubsub-declined.ts'
import { greeting, parseRequest, POLICY_VIOLATION, receive, type Effect } from './web-pubsub-hub.ts'
import {
  createSession,
  JSON_PROTOCOL,
  RECOVERY_WINDOW_MS,
  RELIABLE_PROTOCOL,
  replay,
  type Protocol,
  type Session,
} from './web-pubsub-session.ts'

export interface ClientsOptions {
  readonly http: HttpServer
  readonly control: Control
  readonly latencyMs: number
  readonly accessKey: string
  readonly hubs: Map<string, Hub<Session>>
}

export interface Clients extends Disposable {
  perform(effects: readonly Effect[]): void
  dropAll(): void
  isConnected(session: Session): boolean
}

/** The close code that ws reports when the peer vanished with no close frame (RFC 6455 §7.1.5). */
const ABNORMAL_CLOSURE = 1006
const INVALID_PAYLOAD = 1007
const UNSUPPORTED_DATA = 1003

/** Serves the client endpoint `/client/hubs/{hub}` of Web PubSub: sessions on one side, sockets on the other. */
export function serveClients({
  http,
  control,
  latencyMs,
  accessKey,
  hubs,
}: ClientsOptions): Clients {
  const attached = new Map<string, WebSocket>()
  const expiries = new Map<string, Disarm>()
  const sockets = serveSockets({ http, control, latencyMs, admit })

  function admit({ url, headers, protocols }: Handshake): Admission {
    const name = matchPath(/^\/client\/hubs\/(?<hub>[^/]+)\/?$/, url.pathname)?.['hub']
    if (name === undefined)
      return { status: 404, reason: `there is no client endpoint ${url.pathname}` }
    const protocol = chooseProtocol(protocols)
    if (!protocol) return { status: 400, reason: `none of ${protocols.join(', ')} is supported` }
    if (url.searchParams.has('awps_connection_id')) return readmit(hubNamed(hubs, name), url)
    const audiences = [url.origin, http.origin].map((origin) => `${origin}/client/hubs/${name}`)
    const token = tokenOf(headers, url)
    const verdict = verifyToken(token, { accessKey, audiences, nowMs: control.clock.now() })
    if (!verdict.valid) return { status: 401, reason: verdict.reason }
    return {
      protocol: protocol === 'simple' ? undefined : protocol,
      open(socket) {
        const hub = hubNamed(hubs, name)
        const session = sessionOf(verdict.claims, protocol)
        enter(hub, session, control.clock.now())
        attach(hub, session, socket)
      },
    }
  }

  /** A lost session is refused after the upgrade: only close code 1008 makes clients start anew. */
  function readmit(hub: Hub<Session>, url: URL): Admission {
    const session = hub.members.get(url.searchParams.get('awps_connection_id') ?? '')
    const token = url.searchParams.get('awps_reconnection_token')
    if (session?.protocol !== RELIABLE_PROTOCOL || session.reconnectionToken !== token) {
      const reason = 'the connection cannot be recovered'
      return {
        protocol: RELIABLE_PROTOCOL,
        open: (socket) => sockets.close(socket, POLICY_VIOLATION, reason),
      }
    }
    return {
      protocol: RELIABLE_PROTOCOL,
      open(socket) {
        attach(hub, session, socket)
        for (const frame of replay(session, control.clock.now())) sockets.send(socket, frame)
      },
    }
  }

  function attach(hub: Hub<Session>, session: Session, socket: WebSocket): void {
    expiries.get(session.id)?.()
    expiries.delete(session.id)
    const previous = attached.get(session.id)
    attached.set(session.id, socket)
    previous?.terminate()
    socket.on('message', (data, isBinary) => {
      if (attached.get(session.id) === socket) perform(hear(hub, session, { data, isBinary }))
    })
    socket.on('close', (code) => {
      if (attached.get(session.id) === socket) detach(hub, session, code)
    })
    if (session.protocol !== 'simple') sockets.send(socket, greeting(session))
  }

  function detach(hub: Hub<Session>, session: Session, code: number): void {
    attached.delete(session.id)
    if (session.protocol !== RELIABLE_PROTOCOL || code !== ABNORMAL_CLOSURE)
      return leave(hub, session)
    const disarm = control.clock.at(control.clock.now() + RECOVERY_WINDOW_MS, () => {
      expiries.delete(session.id)
      leave(hub, session)
    })
    expiries.set(session.id, disarm)
  }

  function perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      const socket = attached.get(effect.to.id)
      if (!socket || socket.readyState !== socket.OPEN) continue
      if (effect.does === 'send') {
        sockets.send(socket, effect.frame)
        continue
      }
      attached.delete(effect.to.id)
      sockets.close(socket, effect.code, effect.reason)
    }
  }

  return {
    perform,
    dropAll: () => sockets.dropAll(),
    isConnected: ({ id }) => attached.has(id),
    [Symbol.dispose]: () => sockets[Symbol.dispose](),
  }
}

function hear(
  hub: Hub<Session>,
  session: Session,
  { data, isBinary }: { data: RawData; isBinary: boolean },
): readonly Effect[] {
  if (session.protocol === 'simple') return [] // the event `message`, and nobody upstream to take it
  const declined = decline(textOf(data))
  if (declined !== undefined) return [{ does: 'send', to: session, frame: declined }]
  const request = isBinary ? undefined : parseRequest(textOf(data))
  if (request) return receive(hub, session, request)
  leave(hub, session)
  const code = isBinary ? UNSUPPORTED_DATA : INVALID_PAYLOAD
  const reason = `the frame is not one of ${session.protocol}`
  return [{ does: 'close', to: session, code, reason }]
}

function sessionOf(claims: Claims, protocol: Protocol): Session {
  const [userId] = textsOf(claims['sub'] ?? claims['nameid'])
  return createSession({
    id: randomUUID().replaceAll('-', ''),
    reconnectionToken: randomUUID(),
    userId,
    protocol,
    groups: textsOf(claims['webpubsub.group']),
    roles: textsOf(claims['role']),
  })
}

function chooseProtocol(offered: readonly string[]): Protocol | undefined {
  if (offered.length === 0) return 'simple'
  return ([JSON_PROTOCOL, RELIABLE_PROTOCOL] as const).find((name) => offered.includes(name))
}
