import { randomUUID } from 'node:crypto'
import type { RawData, WebSocket } from 'ws'
import type { Disarm } from '../clock.ts'
import type { Control } from '../control.ts'
import type { HttpServer, LocalRequest, LocalResponse } from '../http-server.ts'
import { enter, hubNamed, leave, type Hub, type Member } from './hub.ts'
import { failure, unauthorized } from './routes.ts'
import { closing, objectionTo, PING, shakeHands, splitFrames } from './signalr-protocol.ts'
import { serveSockets, textOf, type Admission, type Handshake } from './sockets.ts'
import { textsOf, tokenOf, verifyToken, type Claims, type Verdict } from './tokens.ts'

/** Time between the service's pings. */
const KEEP_ALIVE_MS = 10_000
/** A client that says nothing for this long is taken for gone. */
const CLIENT_TIMEOUT_MS = 30_000
/** Time from the WebSocket to the handshake request. */
const HANDSHAKE_TIMEOUT_MS = 15_000
/** Time from the negotiation to the WebSocket. */
const NEGOTIATION_LIFETIME_MS = 15_000

export interface SignalRClientsOptions {
  readonly http: HttpServer
  readonly control: Control
  readonly latencyMs: number
  readonly accessKey: string
  readonly hubs: Map<string, Hub<Member>>
}

export interface SignalRClients extends Disposable {
  /** Answers `POST /client/negotiate`. */
  negotiate(request: LocalRequest): LocalResponse
  send(members: readonly Member[], frame: string): void
  close(hub: Hub<Member>, members: readonly Member[], reason: string | undefined): void
  dropAll(): void
}

/** Serves the client endpoint `/client/?hub={hub}` of Azure SignalR. */
export function serveSignalRClients(options: SignalRClientsOptions): SignalRClients {
  const { http, control, latencyMs, accessKey, hubs } = options
  const { clock } = control
  const sockets = serveSockets({ http, control, latencyMs, admit })
  const attached = new Map<string, WebSocket>()
  /** connectionToken → connectionId of clients that have negotiated and not connected yet. */
  const negotiated = new Map<string, string>()

  function verify(url: URL, headers: Handshake['headers'], hub: string): Verdict {
    const audiences = [url.origin, http.origin].map((origin) => `${origin}/client/?hub=${hub}`)
    const token = tokenOf(headers, url)
    return verifyToken(token, { accessKey, audiences, nowMs: clock.now() })
  }

  function negotiate({ url, headers }: LocalRequest): LocalResponse {
    const hub = url.searchParams.get('hub')
    if (!hub) return failure(400, 'BadRequest', 'the query parameter hub is required')
    const verdict = verify(url, headers, hub)
    if (!verdict.valid) return unauthorized(verdict.reason)
    const negotiateVersion = Math.min(Number(url.searchParams.get('negotiateVersion') ?? 0), 1)
    const connectionId = randomUUID().replaceAll('-', '')
    // before version 1 the id was the token too
    const connectionToken = negotiateVersion === 1 ? randomUUID() : connectionId
    negotiated.set(connectionToken, connectionId)
    clock.at(clock.now() + NEGOTIATION_LIFETIME_MS, () => negotiated.delete(connectionToken))
    const availableTransports = [{ transport: 'WebSockets', transferFormats: ['Text', 'Binary'] }]
    const body = { negotiateVersion, connectionId, availableTransports }
    return {
      status: 200,
      body: negotiateVersion === 1 ? { ...body, connectionToken } : body,
    }
  }

  function admit({ url, headers }: Handshake): Admission {
    const name = url.searchParams.get('hub')
    if (!/^\/client\/?$/.test(url.pathname) || !name)
      return { status: 404, reason: `there is no client endpoint ${url.pathname}${url.search}` }
    const verdict = verify(url, headers, name)
    if (!verdict.valid) return { status: 401, reason: verdict.reason }
    const token = url.searchParams.get('id')
    const id = token === null ? randomUUID().replaceAll('-', '') : negotiated.get(token)
    if (id === undefined) return { status: 404, reason: 'the connection was not negotiated' }
    negotiated.delete(token ?? '')
    const member = { id, userId: userOf(verdict.claims), groups: new Set<string>() }
    return {
      protocol: undefined,
      open: (socket) => converse(hubNamed(hubs, name), member, socket),
    }
  }

  function converse(hub: Hub<Member>, member: Member, socket: WebSocket): void {
    let isWelcome = false
    let stopPinging: Disarm = () => {}
    let stopWaiting = expect(HANDSHAKE_TIMEOUT_MS, 'the handshake took too long')

    function expect(withinMs: number, reason: string): Disarm {
      return clock.at(clock.now() + withinMs, () => end(reason, true))
    }

    function end(reason: string, allowReconnect: boolean): void {
      if (isWelcome) sockets.send(socket, closing(reason, allowReconnect))
      leaveNow()
      sockets.close(socket, NORMAL_CLOSURE, '')
    }

    function leaveNow(): void {
      stopWaiting()
      stopPinging()
      attached.delete(member.id)
      leave(hub, member)
    }

    function ping(): void {
      sockets.send(socket, PING)
      stopPinging = clock.at(clock.now() + KEEP_ALIVE_MS, ping)
    }

    function hear(frame: string): void {
      if (!isWelcome) return greet(frame)
      const objection = objectionTo(frame)
      if (objection !== undefined) end(objection, false)
    }

    function greet(frame: string): void {
      const { accepted, answer } = shakeHands(frame)
      sockets.send(socket, answer)
      if (!accepted) return end('', false)
      isWelcome = true
      attached.set(member.id, socket)
      enter(hub, member, clock.now())
      stopPinging = clock.at(clock.now() + KEEP_ALIVE_MS, ping)
    }

    socket.on('close', leaveNow)
    socket.on('message', (data: RawData) => {
      stopWaiting()
      stopWaiting = expect(CLIENT_TIMEOUT_MS, 'the client has not sent anything for too long')
      for (const frame of splitFrames(textOf(data))) {
        if (socket.readyState === socket.OPEN) hear(frame)
      }
    })
  }

  function send(members: readonly Member[], frame: string): void {
    for (const { id } of members) {
      const socket = attached.get(id)
      if (socket && socket.readyState === socket.OPEN) sockets.send(socket, frame)
    }
  }

  return {
    negotiate,
    send,
    close(hub, members, reason) {
      send(members, closing(reason, false))
      for (const member of members) {
        const socket = attached.get(member.id)
        leave(hub, member)
        if (socket) sockets.close(socket, NORMAL_CLOSURE, reason ?? '')
      }
    },
    dropAll: () => sockets.dropAll(),
    [Symbol.dispose]: () => sockets[Symbol.dispose](),
  }
}

const NORMAL_CLOSURE = 1000

/** The claims that name the user: of the Functions and .NET tooling, of the REST documents, of plain JWT. */
function userOf(claims: Claims): string | undefined {
  return textsOf(claims['asrs.s.uid'] ?? claims['nameid'] ?? claims['sub'])[0]
}
