import { STATUS_CODES, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocketServer, type RawData, type WebSocket } from 'ws'
import type { Control } from '../control.ts'
import type { HttpServer } from '../http-server.ts'

export interface Handshake {
  readonly url: URL
  readonly headers: Readonly<Record<string, string | undefined>>
  /** Subprotocols that the client offers. */
  readonly protocols: readonly string[]
}

/** Whether a client may connect: with which subprotocol, or why not. */
export type Admission =
  | { readonly status: number; readonly reason: string }
  | { readonly protocol: string | undefined; readonly open: (socket: WebSocket) => void }

export interface SocketServerOptions {
  readonly http: HttpServer
  readonly control: Control
  readonly latencyMs: number
  readonly admit: (handshake: Handshake) => Admission
}

export interface SocketServer extends Disposable {
  /** Cuts every client off with no close frame, as a broken network would. */
  dropAll(): void
  /** Sends one frame; a Buffer goes out binary. Sends and closes keep their order. */
  send(socket: WebSocket, frame: string | Buffer): void
  close(socket: WebSocket, code: number, reason: string): void
}

/** Both services take messages up to 1 MB. */
export const MESSAGE_LIMIT_BYTES = 1024 * 1024

/** A close frame's reason has 123 bytes (RFC 6455 §5.5); three quarters of that leave room for non-ASCII. */
const MAX_CLOSE_REASON = 90

/** Serves WebSockets beside the REST API, with the control channel's faults on the operation `connect`. */
export function serveSockets(options: SocketServerOptions): SocketServer {
  const { http, control, latencyMs, admit } = options
  const chosen = new WeakMap<IncomingMessage, string>()
  /** Connections whose upgrade is not answered yet. */
  const pending = new Set<Duplex>()
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_LIMIT_BYTES,
    handleProtocols: (_, request) => chosen.get(request) ?? false,
  })

  async function upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    const fault = control.enter('connect')
    const waitMs = latencyMs + (fault?.delayMs ?? 0)
    if (waitMs > 0) await delay(waitMs)
    if (fault?.connection === 'drop') return void stream.destroy()
    if (fault?.status !== undefined)
      return refuse(stream, fault.status, fault.body ?? 'planned fault')
    const admission = admit(handshakeOf(request, http.origin))
    if ('status' in admission) return refuse(stream, admission.status, admission.reason)
    if (admission.protocol !== undefined) chosen.set(request, admission.protocol)
    server.handleUpgrade(request, stream, head, (socket) => {
      socket.on('error', () => {}) // ws closes the socket itself; the close event settles the rest
      admission.open(socket)
      if (fault?.connection === 'lose-answer') socket.terminate()
    })
  }

  function later(socket: WebSocket, effect: () => void): void {
    if (latencyMs === 0) return effect()
    setTimeout(() => socket.readyState === socket.OPEN && effect(), latencyMs).unref()
  }

  http.server.on('upgrade', (request, stream, head) => {
    pending.add(stream)
    stream.on('error', () => stream.destroy())
    upgrade(request, stream, head)
      .catch(() => stream.destroy())
      .finally(() => pending.delete(stream))
  })
  return {
    dropAll: () => server.clients.forEach((socket) => socket.terminate()),
    send: (socket, frame) => later(socket, () => socket.send(frame)),
    close: (socket, code, reason) =>
      later(socket, () => socket.close(code, reason.slice(0, MAX_CLOSE_REASON))),
    [Symbol.dispose]() {
      for (const stream of pending) stream.destroy()
      for (const socket of server.clients) {
        socket.removeAllListeners('close')
        socket.terminate()
      }
    },
  }
}

function handshakeOf(request: IncomingMessage, origin: string): Handshake {
  const { authorization, host } = request.headers
  const offered = request.headers['sec-websocket-protocol'] ?? ''
  return {
    url: new URL(request.url ?? '/', host === undefined ? origin : `http://${host}`),
    headers: { authorization },
    protocols: offered
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  }
}

function refuse(stream: Duplex, status: number, reason: string): void {
  const headers = `content-type: text/plain\r\ncontent-length: ${Buffer.byteLength(reason)}`
  stream.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nconnection: close\r\n${headers}\r\n\r\n${reason}`,
  )
}

/** The text of a WebSocket message, however ws has collected it. */
export function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString()
  return Buffer.isBuffer(data) ? data.toString() : Buffer.from(data).toString()
}
