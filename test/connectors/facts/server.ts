import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { close, listen } from '../../../infra/local/http-server.ts'
import { vendorClient, type VendorClient } from '../../../src/connectors/client.ts'
import type { Connector } from '../../../src/connectors/connector.ts'
import { boundless } from '../rig.ts'

export interface Asked {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface Told {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** An object goes out as JSON. */
  readonly body?: string | object
}

/** The instant of all these tests. */
export const now = new Date('2026-03-01T10:00:00Z')

export interface FactServer extends AsyncDisposable {
  readonly client: VendorClient
  readonly asked: readonly Asked[]
  readonly origin: string
}

/**
 * A vendor as small as a test needs it, written from the vendor's documents alone. It knows nothing of the twins, and the
 * connectors nothing of either.
 */
export async function serve(
  connector: Connector,
  answer: (asked: Asked) => Told,
): Promise<FactServer> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    void buffer(request).then((bytes) => {
      const one: Asked = {
        method: request.method ?? '',
        url: new URL(request.url ?? '', 'http://vendor'),
        headers: request.headers,
        body: bytes.toString(),
      }
      asked.push(one)
      const { status = 200, headers = {}, body = '' } = answer(one)
      const isText = typeof body === 'string'
      response.writeHead(status, {
        'content-type': isText ? 'text/html' : 'application/json;charset=UTF-8',
        ...headers,
      })
      response.end(isText ? body : JSON.stringify(body))
    })
  })
  const origin = `http://127.0.0.1:${await listen(server, 0)}`
  const client = vendorClient({
    origin,
    instanceDomains: connector.instanceDomains,
    finalRefusal: connector.finalRefusal,
    fetch,
    quota: boundless,
    now: () => now,
    authorize: async () => ({ kind: 'authorized', headers: { authorization: 'Bearer t' } }),
  })
  return { client, asked, origin, [Symbol.asyncDispose]: () => close(server) }
}
