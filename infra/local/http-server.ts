import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Control, Fault } from './control.ts'

export interface LocalRequest {
  readonly method: string
  /** Absolute, as the client sees it. */
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface LocalResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** An object goes out as JSON. */
  readonly body?: string | Buffer | object
}

export interface HttpServerOptions {
  readonly port?: number
  readonly latencyMs?: number
  readonly control: Control
  /** Names the call for counting and fault matching, like `PUT /secrets`. */
  readonly operation: (request: LocalRequest) => string
  readonly handle: (request: LocalRequest) => LocalResponse | Promise<LocalResponse>
  /** Bytes; a larger body is answered 413. Default 16 MiB. */
  readonly bodyLimit?: number
}

export interface HttpServer extends AsyncDisposable {
  readonly server: Server
  /** `http://127.0.0.1:<port>`, no slash at the end. */
  readonly origin: string
  readonly port: number
}

const DEFAULT_BODY_LIMIT = 16 * 1024 * 1024
/** Clients of some vendors put long queries into the URL; Node stops at 16 KiB by itself. */
const MAX_HEADER_BYTES = 128 * 1024

/** Serves HTTP on 127.0.0.1 with the control channel's faults and counts applied to every request. */
export async function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const server = createServer(
    { keepAliveTimeout: 60_000, maxHeaderSize: MAX_HEADER_BYTES },
    (request, response) => {
      answer(options, request, response).catch((error: unknown) => {
        if (response.headersSent) return response.destroy()
        return write(response, { status: 500, body: { error: String(error) } })
      })
    },
  )
  const port = await listen(server, options.port ?? 0)
  return {
    server,
    port,
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => close(server),
  }
}

/** Listens on 127.0.0.1 and tells the port that was taken. */
export async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
  return (server.address() as AddressInfo).port // a TCP server's address is never a path
}

/** Closes the server and every connection it holds. */
export async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

async function answer(
  options: HttpServerOptions,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(incoming, options.bodyLimit ?? DEFAULT_BODY_LIMIT)
  if (!body)
    return write(response, { status: 413, body: { error: 'the request body is too large' } })
  const request = toRequest(incoming, body)
  const fault = options.control.enter(options.operation(request))
  const waitMs = (options.latencyMs ?? 0) + (fault?.delayMs ?? 0)
  if (waitMs > 0) await delay(waitMs)
  if (fault?.connection === 'drop') return void incoming.socket.destroy()
  const planned = fault && faultResponse(fault)
  if (planned) return write(response, planned)
  const result = await options.handle(request)
  if (fault?.connection === 'lose-answer') return void incoming.socket.destroy()
  return write(response, result)
}

function faultResponse(fault: Fault): LocalResponse | undefined {
  if (fault.status === undefined) return undefined
  const body =
    fault.body ?? JSON.stringify({ code: String(fault.status), message: 'planned fault' })
  return {
    status: fault.status,
    headers: { 'content-type': 'application/json', ...fault.headers },
    body,
  }
}

function toRequest(incoming: IncomingMessage, body: Buffer): LocalRequest {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value
  }
  const url = new URL(incoming.url ?? '/', `http://${incoming.headers.host ?? '127.0.0.1'}`)
  return { method: incoming.method ?? 'GET', url, headers, body }
}

async function readBody(incoming: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limit) return undefined
    chunks.push(chunk)
  }
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)
}

function write(response: ServerResponse, { status, headers, body }: LocalResponse): void {
  const json = typeof body === 'object' && !Buffer.isBuffer(body)
  const bytes = json ? JSON.stringify(body) : body
  response.writeHead(status, {
    ...(json ? { 'content-type': 'application/json' } : {}),
    ...headers,
    ...(bytes === undefined ? {} : { 'content-length': String(Buffer.byteLength(bytes)) }),
  })
  response.end(bytes)
}
