import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

/** What came to a server of this process. */
export interface Heard {
  readonly port: number
  /** Of HTTP; a stream of bytes has none of these. */
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  body: string
}

/**
 * Hears everything that is sent to the servers of this process: each HTTP request, and the bytes of every connection to one
 * of `streams`, which speak something else. So nothing is missed that was consumed or deleted before anybody looked.
 */
export function wiretap(streams: readonly number[]) {
  const heard: Heard[] = []
  const onRequest = (message: unknown) => {
    const { request } = message as { request: IncomingMessage } // as Node documents the channel
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    )
    const one = {
      port: request.socket.localPort ?? 0,
      method: request.method ?? '',
      url: request.url ?? '',
      headers,
      body: '',
    }
    heard.push(one)
    // A listener would start the flow before the server is ready for it.
    const push = request.push.bind(request)
    request.push = (chunk: Buffer | null, encoding) => {
      if (chunk) one.body += chunk.toString('utf8')
      return push(chunk, encoding)
    }
  }
  const onSocket = (message: unknown) => {
    const { socket } = message as { socket: Socket } // as Node documents the channel
    const port = socket.localPort ?? 0
    if (!streams.includes(port)) return
    const one = { port, method: '', url: '', headers: {}, body: '' }
    heard.push(one)
    socket.on('data', (chunk: Buffer) => {
      one.body += chunk.toString('utf8')
    })
  }
  subscribe('http.server.request.start', onRequest)
  subscribe('net.server.socket', onSocket)
  return {
    heard,
    [Symbol.dispose]: () => {
      unsubscribe('http.server.request.start', onRequest)
      unsubscribe('net.server.socket', onSocket)
    },
  }
}

export const portOf = (url: string | undefined) => Number(/:(\d+)/.exec(url ?? '')?.[1])
