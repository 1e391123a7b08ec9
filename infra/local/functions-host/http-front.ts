import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Control, Fault } from '../control.ts'
import { close, listen } from '../http-server.ts'
import type { IncomingHttp, OutgoingHttp } from './http-message.ts'

export type Answer = Partial<OutgoingHttp> & { readonly status: number }

export interface HttpFrontOptions {
  readonly port: number
  readonly control: Control
  readonly handle: (request: IncomingHttp) => Promise<Answer>
}

export interface HttpFront extends AsyncDisposable {
  readonly origin: string
  /** Takes no new requests; those under way go on. */
  readonly drain: () => void
}

/** Largest request body in bytes, as documented for Functions; above it the answer is 413. */
export const MAX_BODY_BYTES = 100 * 1024 * 1024

/** Listens on 127.0.0.1 and hands over whole requests, raw. Faults of the control channel strike here. */
export async function openHttpFront(options: HttpFrontOptions): Promise<HttpFront> {
  let draining = false
  const server: Server = createServer({ keepAliveTimeout: 60_000 }, (incoming, response) => {
    const work = draining ? refuse(response) : serve(options, incoming, response)
    work.catch(() => response.destroy())
  })
  const port = await listen(server, options.port)
  return {
    origin: `http://127.0.0.1:${port}`,
    drain: () => {
      draining = true
      server.close()
      server.closeIdleConnections()
    },
    [Symbol.asyncDispose]: () => close(server),
  }
}

async function refuse(response: ServerResponse): Promise<void> {
  write(response, { status: 503, headers: { connection: 'close' } })
}

async function serve(
  { control, handle }: HttpFrontOptions,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(incoming)
  if (!body) return write(response, { status: 413, headers: { connection: 'close' } })
  const target = incoming.url ?? '/'
  const method = incoming.method ?? 'GET'
  const fault = control.enter(`${method} ${target.split('?', 1)[0]}`)
  if (fault?.delayMs) await delay(fault.delayMs)
  if (fault?.connection === 'drop') return void incoming.socket.destroy()
  const answer =
    plannedAnswer(fault) ??
    (await handle({
      method,
      target,
      host: incoming.headers.host ?? '127.0.0.1',
      rawHeaders: incoming.rawHeaders,
      body,
    }))
  if (fault?.connection === 'lose-answer') return void incoming.socket.destroy()
  write(response, answer)
}

function plannedAnswer(fault: Fault | undefined): Answer | undefined {
  if (fault?.status === undefined) return undefined
  return {
    status: fault.status,
    headers: fault.headers ?? {},
    body: Buffer.from(fault.body ?? ''),
  }
}

async function readBody(incoming: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(incoming.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return undefined
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function write(response: ServerResponse, { status, headers, body }: Answer): void {
  response.statusCode = status
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value)
  const hasNoBody = status === 204 || status === 304
  if (!hasNoBody) response.setHeader('content-length', body?.length ?? 0)
  response.end(hasNoBody ? undefined : body)
}
