import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { graphSubscriber } from '../../src/webhooks/graph-subscriber.ts'
import type { Wanted } from '../../src/webhooks/subscriptions.ts'
import { registration } from './receiver-world.ts'

const wanted: Wanted = {
  registration,
  url: 'https://hooks.example.com/webhooks/reg-1/events',
  secret: 'clientState',
  expiresAt: new Date('2026-03-02T10:00:00Z'),
  subscription: {
    id: 'subscription',
    registrationId: registration.id,
    subscriptionId: null,
    resource: 'users/1/messages',
    changeType: 'created',
    lifetimeMinutes: 60,
    confirmedAt: null,
    expiresAt: null,
    renewAt: '2026-03-01T10:00:00.000Z',
    attempts: 0,
    alertedAt: null,
    gapFrom: null,
    gaps: [],
  },
}

/** A Graph over real HTTP that does with each call what it is told; keeps what was made there. */
async function graph(meet: (made: () => string, response: ServerResponse) => void) {
  const made: string[] = []
  const server = createServer((request: IncomingMessage, response) => {
    request.resume()
    request.on('end', () => {
      meet(() => {
        made.push(`sub-${made.length + 1}`)
        return JSON.stringify({ id: made.at(-1), expirationDateTime: '2026-03-02T10:00:00Z' })
      }, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on TCP
  const subscriber = graphSubscriber({
    fetch,
    accessOf: async () => ({ origin: `http://127.0.0.1:${port}`, headers: {} }),
    timeoutMs: 300,
  })
  return {
    made,
    subscriber,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('a subscription whose answer is lost is made there, and counts as failed', async () => {
  await using here = await graph((make, response) => {
    make()
    response.destroy()
  })
  expect(await here.subscriber.create(wanted)).toMatchObject({ kind: 'failed' })
  expect(here.made).toEqual(['sub-1'])
})

test('a subscription that Graph refuses is not made, and says what it answered', async () => {
  await using here = await graph((_make, response) => void response.writeHead(503).end('{}'))
  const renewal = await here.subscriber.create(wanted)
  expect(renewal).toEqual({ kind: 'failed', reason: 'Graph answered 503' })
  expect(here.made).toEqual([])
})

test('a subscription that is answered too late counts as failed in bounded time', async () => {
  await using here = await graph((make) => void make())
  expect(await here.subscriber.renew('sub-1', wanted)).toMatchObject({ kind: 'failed' })
  expect(here.made).toEqual(['sub-1'])
})
