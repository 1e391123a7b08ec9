import { ServiceBusClient } from '@azure/service-bus'
import { describe, expect, test } from 'vitest'
import { startServiceBus } from '../../infra/local/service-bus/service-bus.ts'
import { openServiceBus } from '../../src/adapters/service-bus.ts'
import type { Queue } from '../../src/core/queue.ts'
import topology from '../../src/topology.json' with { type: 'json' }
import { lockingQueue } from '../ports/locking-queue.ts'
import { memoryQueue } from '../ports/memory-queue.ts'

interface Opened extends AsyncDisposable {
  readonly queue: Queue
  /** Takes what is there, as a worker would see it. */
  readonly receive: (atMost: number) => Promise<{ id: string; body: unknown }[]>
  readonly advance: (ms: number) => void
  readonly goAway: () => Promise<void>
}

const implementations: Readonly<Record<string, () => Promise<Opened>>> = {
  'in memory': async () => {
    const queue = memoryQueue()
    let nowMs = Date.now()
    return {
      queue,
      receive: async (atMost) =>
        Array.from({ length: atMost }, () => queue.take(new Date(nowMs))).flatMap((message) =>
          message ? [{ id: message.id, body: message.body }] : [],
        ),
      advance: (ms) => {
        nowMs += ms
      },
      goAway: async () => queue.goAway(),
      [Symbol.asyncDispose]: async () => {},
    }
  },
  'in memory, with locks': async () => {
    let nowMs = Date.now()
    const queue = lockingQueue(topology.queues.inbound, () => nowMs)
    return {
      queue,
      receive: async (atMost) =>
        Array.from({ length: atMost }, () => queue.take()).flatMap((delivery) => {
          if (!delivery) return []
          queue.settle(delivery.token, 'complete')
          return [{ id: delivery.id, body: JSON.parse(delivery.text) as unknown }]
        }),
      advance: (ms) => {
        nowMs += ms
      },
      goAway: async () => queue.goAway(),
      [Symbol.asyncDispose]: async () => {},
    }
  },
  'Service Bus': async () => {
    const emulator = await startServiceBus()
    const connectionString = emulator.settings['SERVICE_BUS_CONNECTION_STRING'] ?? ''
    const bus = openServiceBus({ connectionString })
    const client = new ServiceBusClient(connectionString)
    const receiver = client.createReceiver('sync-outbound', { receiveMode: 'receiveAndDelete' })
    return {
      queue: bus.queue('sync-outbound'),
      receive: async (atMost) => {
        const found = await receiver.receiveMessages(atMost, { maxWaitTimeInMs: 500 })
        return found.map(({ messageId, body }) => ({
          id: String(messageId),
          body: body as unknown,
        }))
      },
      advance: (ms) => emulator.control.clock.advance(ms),
      goAway: async () => {
        emulator.control.fail({ times: 1_000, condition: 'amqp:unauthorized-access' })
      },
      [Symbol.asyncDispose]: async () => {
        await client.close()
        await bus[Symbol.asyncDispose]()
        await emulator[Symbol.asyncDispose]()
      },
    }
  },
}

describe.for(Object.keys(implementations))('a queue %s', (name) => {
  const open = async () => {
    const opened = await implementations[name]?.()
    if (!opened) throw new Error('unknown implementation')
    return opened
  }

  test('delivers what was sent, in order, with its body as it was', async () => {
    await using here = await open()
    const body = { text: 'äöü', digits: '0012345678901234567890', list: [1, 2, { x: null }] }
    await here.queue.send([
      { id: 'm-1', body },
      { id: 'm-2', body: { n: 2 } },
    ])
    await here.queue.send([{ id: 'm-3', body: {} }])
    expect(await here.receive(3)).toEqual([
      { id: 'm-1', body },
      { id: 'm-2', body: { n: 2 } },
      { id: 'm-3', body: {} },
    ])
  })

  test('drops a message whose id it has seen', async () => {
    await using here = await open()
    await here.queue.send([{ id: 'm-1', body: { n: 1 } }])
    await here.queue.send([
      { id: 'm-1', body: { n: 2 } },
      { id: 'm-2', body: {} },
    ])
    expect(await here.receive(3)).toEqual([
      { id: 'm-1', body: { n: 1 } },
      { id: 'm-2', body: {} },
    ])
  })

  test('keeps a scheduled message until its time has come', async () => {
    await using here = await open()
    const notBefore = new Date(Date.now() + 600_000)
    await here.queue.send([{ id: 'm-later', body: {}, notBefore }])
    expect(await here.receive(1)).toEqual([])
    here.advance(600_001)
    expect(await here.receive(1)).toMatchObject([{ id: 'm-later' }])
  })

  test('sends more than fits into one transfer', async () => {
    await using here = await open()
    const filling = 'x'.repeat(10_000)
    const messages = Array.from({ length: 60 }, (_, index) => ({
      id: `m-${index}`,
      body: { filling },
    }))
    await here.queue.send(messages)
    const received: string[] = []
    for (let more = await here.receive(60); more.length > 0; more = await here.receive(60)) {
      received.push(...more.map(({ id }) => id))
    }
    expect(received).toEqual(messages.map(({ id }) => id))
  })

  test('says queue_unavailable when it is away', async () => {
    await using here = await open()
    await here.queue.ping()
    await here.goAway()
    await expect(here.queue.send([{ id: 'm-1', body: {} }])).rejects.toMatchObject({
      code: 'queue_unavailable',
    })
    await expect(here.queue.ping()).rejects.toMatchObject({ code: 'queue_unavailable' })
  })
})
