import { ServiceBusClient } from '@azure/service-bus'
import { expect, test } from 'vitest'
import { startServiceBus } from '../../../infra/local/service-bus/service-bus.ts'
import { startFixture } from './start.ts'

const queue = (name: string, requiresSession = false) => ({
  name,
  requiresSession,
  lockDurationSeconds: 30,
  maxDeliveryCount: 3,
  defaultTimeToLiveSeconds: 3600,
  deadLetterOnExpiration: true,
  duplicateDetectionWindowSeconds: 0,
})
const queues = [
  ...['one', 'many', 'binary', 'kept', 'forward', 'out'].map((name) => queue(name)),
  queue('sessions', true),
]

/** The emulator, a client of its own for the test, and the host on the fixture's functions. */
async function startAll(only: readonly string[], latencyMs = 0) {
  const stack = new AsyncDisposableStack()
  const bus = await startServiceBus({ queues, latencyMs })
  const connectionString = bus.settings['SERVICE_BUS_CONNECTION_STRING'] ?? ''
  stack.use(bus)
  const client = new ServiceBusClient(connectionString, { retryOptions: { timeoutInMs: 3_000 } })
  stack.defer(() => client.close())
  const all = ['one', 'many', 'inSession', 'binary', 'kept', 'forward', 'send']
  const disabled = all.filter((name) => !only.includes(name))
  const host = stack.use(
    await startFixture('messages', {
      settings: {
        BUS: connectionString,
        ONE_QUEUE: 'one',
        ...Object.fromEntries(disabled.map((name) => [`AzureWebJobs.${name}.Disabled`, 'true'])),
      },
      shutdownTimeoutMs: 2_000,
    }),
  )
  const peek = async (name: string, subQueueType?: 'deadLetter') => {
    const receiver = client.createReceiver(name, subQueueType ? { subQueueType } : {})
    const messages = await receiver.peekMessages(10)
    await receiver.close()
    return messages
  }
  const send = async (name: string, messages: Parameters<Sender['sendMessages']>[0]) => {
    const sender = client.createSender(name)
    await sender.sendMessages(messages)
    await sender.close()
  }
  return { bus, client, host, peek, send, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}
type Sender = ReturnType<ServiceBusClient['createSender']>

test('a message is completed when its function returns, also when the host stops then', async () => {
  await using all = await startAll(['one'], 50)
  await all.send('one', {
    body: { n: 1 },
    messageId: 'm-1',
    applicationProperties: { TenantId: 'T' },
  })
  await all.host.control.finished('one')
  expect(all.host.told('one')[0]).toMatchObject({
    body: { n: 1 },
    metadata: { messageId: 'm-1', deliveryCount: 1, applicationProperties: { tenantId: 'T' } },
  })
  await all.host[Symbol.asyncDispose]()
  expect(await all.peek('one')).toEqual([])
})

test('a throw abandons: delivered again at once, and dead-lettered after the last time', async () => {
  await using all = await startAll(['one'])
  await all.send('one', [{ body: { fail: 1 } }, { body: { fail: 9 }, messageId: 'hopeless' }])
  await all.host.control.finished('one', 3, 'failed')
  await all.host.control.finished('one', 1, 'succeeded')
  await all.host.control.finished('one', 4, 'failed')
  const counts = all.host.told('one').map(({ metadata }) => Object(metadata).deliveryCount)
  expect(counts.sort((a, b) => a - b)).toEqual([1, 1, 2, 2, 3])
  await all.host[Symbol.asyncDispose]()
  const dead = await all.peek('one', 'deadLetter')
  expect(dead.map(({ messageId, deadLetterReason }) => [messageId, deadLetterReason])).toEqual([
    ['hopeless', 'MaxDeliveryCountExceeded'],
  ])
})

test('no more than maxConcurrentCalls run at once, and all messages get done', async () => {
  await using all = await startAll(['one'])
  const messages = Array.from({ length: 20 }, (_, n) => ({ body: { crowd: `c${n}` } }))
  await all.send('one', messages)
  await all.host.control.finished('one', 20)
  const running = all.host.told('one').flatMap((told) => Number(told['running'] ?? 0))
  expect(Math.max(...running)).toBeLessThanOrEqual(4)
  expect(all.host.control.invocations()).toMatchObject({ one: { succeeded: 20, failed: 0 } })
})

test('a batch is one invocation, and all of it is completed', async () => {
  await using all = await startAll(['many'])
  await all.send('many', [{ body: 'a' }, { body: { n: 2 } }, { body: 'c' }])
  await all.host.control.finished('many')
  const bodies = all.host.told('many').flatMap(({ body }) => body)
  expect(bodies).toEqual(['a', { n: 2 }, 'c'])
  await all.host[Symbol.asyncDispose]()
  expect(await all.peek('many')).toEqual([])
})

test('a stop gives up a batch that does not end, after its limit', async () => {
  await using all = await startAll(['many'])
  await all.send('many', { body: { hang: true } })
  while (all.host.told('many').length === 0) await all.peek('out')
  await all.host[Symbol.asyncDispose]()
  expect(all.host.lines.at(-1)?.message).toMatch(/stopped with 1 invocation/)
})

test('messages of a session come in their order, and other sessions get their turn', async () => {
  await using all = await startAll(['inSession'])
  const message = (sessionId: string, n: number) => ({ sessionId, body: { sessionId, n } })
  const sessions = ['a', 'b', 'c']
  await all.send(
    'sessions',
    sessions.flatMap((id) => [1, 2, 3].map((n) => message(id, n))),
  )
  await all.host.control.finished('inSession', 9)
  for (const id of sessions) {
    const own = all.host
      .told('inSession')
      .filter(({ metadata }) => Object(metadata).sessionId === id)
    expect(own.map(({ body }) => Object(body).n)).toEqual([1, 2, 3])
  }
})

test('without autoCompleteMessages a message stays locked after its function', async () => {
  await using all = await startAll(['kept'])
  await all.send('kept', { body: 'still here' })
  await all.host.control.finished('kept')
  await all.host[Symbol.asyncDispose]()
  expect((await all.peek('kept')).map(({ body }) => body)).toEqual(['still here'])
})

test('outputs and return values reach their queue', async () => {
  await using all = await startAll(['send', 'forward'])
  expect((await all.host.call('/api/send', { method: 'POST' })).status).toBe(202)
  await all.send('forward', { body: { n: 1 } })
  await all.host.control.finished('forward')
  const bodies = (await all.peek('out')).map(({ body }) => String(body))
  expect(bodies).toContain('just text')
  expect(bodies).toHaveLength(5)
})

test('the host comes back by itself when the bus was away', async () => {
  await using all = await startAll(['one', 'many'])
  const connectionString = all.bus.settings['SERVICE_BUS_CONNECTION_STRING'] ?? ''
  await all.send('one', { body: 1 })
  await all.host.control.finished('one')
  await all.bus[Symbol.asyncDispose]()
  const port = Number(/:(\d+);/.exec(connectionString)?.[1])
  await using again = await startServiceBus({ queues, port })
  await using client = disposable(new ServiceBusClient(connectionString))
  await client.createSender('one').sendMessages({ body: 2 })
  await client.createSender('many').sendMessages({ body: 2 })
  await all.host.control.finished('one', 2)
  await all.host.control.finished('many', 1)
  expect(again.name).toBe('servicebus')
})

function disposable(client: ServiceBusClient) {
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() })
}
