import { request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { Control } from '../../infra/local/control.ts'
import { serveHttp, type LocalRequest, type LocalResponse } from '../../infra/local/http-server.ts'

/** A hop on the way to somebody else's HTTP server, where calls are refused, dropped, or lose their answers. */
export interface HttpHop extends AsyncDisposable {
  readonly origin: string
  readonly control: Control
}

export async function startHttpHop(target: string): Promise<HttpHop> {
  const control = new Control(() => ({ target }))
  const server = await serveHttp({
    control,
    operation: ({ method }) => method,
    handle: (asked) => passOn(target, asked),
  })
  return {
    origin: server.origin,
    control,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      control[Symbol.dispose]()
    },
  }
}

/** As it came, byte for byte: requests may be signed. */
function passOn(target: string, { method, url, headers, body }: LocalRequest) {
  return new Promise<LocalResponse>((resolve, reject) => {
    const asked = request(new URL(url.pathname + url.search, target), { method, headers })
    asked.on('error', reject)
    asked.on('response', (answer) => {
      buffer(answer).then((bytes) => {
        const isOurs = (name: string) =>
          ofThisHop.has(name) || (name === 'content-length' && method !== 'HEAD')
        const given = Object.entries(answer.headers).filter(([name]) => !isOurs(name))
        resolve({
          status: answer.statusCode ?? 502,
          headers: Object.fromEntries(given.map(([name, value]) => [name, String(value)])),
          ...(method === 'HEAD' ? {} : { body: bytes }),
        })
      }, reject)
    })
    asked.end(body)
  })
}

/** RFC 9110 §7.6.1. The length of a body is counted anew; that which a HEAD tells is the server's word. */
const ofThisHop = new Set(['connection', 'keep-alive', 'transfer-encoding'])
