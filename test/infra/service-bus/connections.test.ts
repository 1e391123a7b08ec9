import { ServiceBusClient, type ServiceBusReceivedMessage } from '@azure/service-bus'
import { expect, test } from 'vitest'
import {
  failureOf,
  NO_WAIT,
  only,
  receiverOf,
  startNamespace,
  WAIT,
  type Namespace,
} from './namespace.ts'

const RETRIES = { retryOptions: { maxRetries: 3, timeoutInMs: 1500, retryDelayInMs: 20 } }

/** Collects what a subscription with concurrency brings. */
function subscribe(bus: Namespace, queue: string, count: number) {
  const bodies: unknown[] = []
  const all = Promise.withResolvers<readonly unknown[]>()
  const receiver = bus.client.createReceiver(queue)
  const subscription = receiver.subscribe(
    {
      processMessage: async ({ body }: ServiceBusReceivedMessage) => {
        bodies.push(body)
        if (bodies.length === count) all.resolve(bodies)
      },
      processError: async () => {},
    },
    { maxConcurrentCalls: 8 },
  )
  return { all: all.promise, close: () => subscription.close() }
}

test('a subscription gets every message once and completes it', async () => {
  await using bus = await startNamespace()
  const sender = bus.client.createSender('orders')
  const subscription = subscribe(bus, 'orders', 300)
  for (let batch = 0; batch < 3; batch += 1) {
    const bodies = [...Array(100).keys()].map((index) => batch * 100 + index)
    await sender.sendMessages(bodies.map((body) => ({ body })))
  }
  expect(new Set(await subscription.all).size).toBe(300)
  await subscription.close()
  await expect.poll(() => bus.control.inspect()).toMatchObject({ orders: { active: 0 } })
})

test('two receivers share a queue without sharing a message', async () => {
  await using bus = await startNamespace()
  const sender = bus.client.createSender('orders')
  await sender.sendMessages([...Array(40).keys()].map((body) => ({ body })))
  const batches = await Promise.all(
    [1, 2].map(() => receiverOf(bus, 'orders').receiveMessages(20, WAIT)),
  )
  const bodies = batches.flat().map(({ body }): unknown => body)
  expect([bodies.length, new Set(bodies).size]).toEqual([40, 40])
})

test('an empty queue answers a drain, so that a receiver keeps its link', async () => {
  await using bus = await startNamespace()
  const receiver = receiverOf(bus, 'orders')
  for (let round = 0; round < 3; round += 1) {
    expect(await receiver.receiveMessages(5, { maxWaitTimeInMs: 30 })).toEqual([])
  }
  await bus.client.createSender('orders').sendMessages({ body: 1 })
  expect((await receiver.receiveMessages(5, { maxWaitTimeInMs: 300 })).length).toBe(1)
  expect(bus.control.calls()['open-output orders']).toBe(1)
})

test('a message whose receiver is closed keeps its lock and is settled over the management link', async () => {
  await using bus = await startNamespace()
  const receiver = receiverOf(bus, 'orders')
  await bus.client.createSender('orders').sendMessages([1, 2, 3].map((body) => ({ body })))
  const [first, second, third] = await receiver.receiveMessages(3, WAIT)
  if (!first || !second || !third) throw new Error('three messages were sent')
  await receiver.close()
  const other = receiverOf(bus, 'orders')
  expect(await other.receiveMessages(1, NO_WAIT)).toEqual([])
  await other.completeMessage(first)
  await other.abandonMessage(second, { again: true })
  await other.deadLetterMessage(third, { deadLetterReason: 'r', deadLetterErrorDescription: 'd' })
  expect(bus.control.calls()).toMatchObject({ 'update-disposition orders': 3 })
  expect(bus.control.inspect()).toMatchObject({ orders: { active: 1, deadLettered: 1 } })
  expect(only(await receiverOf(bus, 'orders').receiveMessages(1, WAIT))).toMatchObject({
    body: 2,
    deliveryCount: 1,
    applicationProperties: { again: true },
  })
})

test('an entity that is not declared is never made', async () => {
  await using bus = await startNamespace()
  const { client } = bus
  expect(await failureOf(client.createSender('nobody').sendMessages({ body: 1 }))).toBe(
    'MessagingEntityNotFound',
  )
  expect(await failureOf(client.createReceiver('nobody').receiveMessages(1, NO_WAIT))).toBe(
    'MessagingEntityNotFound',
  )
  expect(await failureOf(client.createReceiver('nobody').peekMessages(1))).toBe(
    'MessagingEntityNotFound',
  )
  expect(Object.keys(bus.control.inspect() ?? {})).not.toContain('nobody')
})

test('names are found in any case', async () => {
  await using bus = await startNamespace()
  await bus.client.createSender('ORDERS').sendMessages({ body: 1 })
  expect(only(await receiverOf(bus, 'Orders').receiveMessages(1, WAIT)).body).toBe(1)
})

test.for([
  ['another key', 'SAS_KEY_VALUE', 'guessed'],
  ['another name', 'RootManage', 'Other'],
] as const)('a token signed with %s is refused', async ([, right, wrong]) => {
  await using bus = await startNamespace()
  const stranger = new ServiceBusClient(bus.connectionString.replace(right, wrong), {
    retryOptions: { maxRetries: 0 },
  })
  expect(await failureOf(stranger.createSender('orders').sendMessages({ body: 1 }))).toBe(
    'UnauthorizedAccess',
  )
  await stranger.close()
})

test.for([
  ['com.microsoft:server-busy', 'ServiceBusy'],
  ['com.microsoft:timeout', 'ServiceTimeout'],
  ['amqp:internal-error', 'GeneralError'],
  ['amqp:unauthorized-access', 'UnauthorizedAccess'],
  ['amqp:resource-limit-exceeded', 'QuotaExceeded'],
  ['com.microsoft:entity-disabled', 'MessagingEntityDisabled'],
  ['amqp:link:message-size-exceeded', 'MessageSizeExceeded'],
  ['amqp:not-found', 'ServiceCommunicationProblem'],
] as const)('a send refused with %s fails as %s and stores nothing', async ([condition, code]) => {
  await using bus = await startNamespace()
  bus.control.fail({ operation: '^send ', condition })
  expect(await failureOf(bus.client.createSender('orders').sendMessages({ body: 1 }))).toBe(code)
  expect(bus.control.inspect()).toMatchObject({ orders: { active: 0 } })
})

test('the SDK gets over a busy service by itself', async () => {
  await using bus = await startNamespace()
  bus.control.fail({ operation: '^send ', condition: 'com.microsoft:server-busy', times: 2 })
  await bus.connect(RETRIES).createSender('orders').sendMessages({ body: 1 })
  expect(bus.control.calls()['send orders']).toBe(3)
})

test.for([
  ['drop', 1],
  ['lose-answer', 2],
] as const)(
  'a connection lost by %s is opened again, and the repeated send leaves %i stored',
  async ([connection, stored]) => {
    await using bus = await startNamespace()
    const sender = bus.connect(RETRIES).createSender('orders')
    bus.control.fail({ operation: '^send ', connection })
    await sender.sendMessages({ body: 1, messageId: 'm' })
    expect(bus.control.inspect()).toMatchObject({ orders: { active: stored } })
    bus.control.fail({ operation: '^send ', connection })
    await bus.connect(RETRIES).createSender('once').sendMessages({ body: 1, messageId: 'm' })
    expect(bus.control.inspect()).toMatchObject({ once: { active: 1 } })
  },
)

test('a subscription goes on after its connection was lost', async () => {
  await using bus = await startNamespace()
  const sender = bus.connect().createSender('orders')
  const subscription = subscribe(bus, 'orders', 3)
  await sender.sendMessages({ body: 'before' })
  await expect.poll(() => bus.control.calls()['complete orders']).toBe(1)
  bus.control.fail({ operation: 'complete', connection: 'lose-answer' })
  await sender.sendMessages({ body: 'during' })
  await expect.poll(() => bus.control.calls()['open-output orders'], { timeout: 10_000 }).toBe(2)
  await sender.sendMessages({ body: 'after' })
  expect(await subscription.all).toEqual(['before', 'during', 'after'])
  await subscription.close()
})

test('latency delays the answers and keeps their order', async () => {
  await using bus = await startNamespace({ latencyMs: 15 })
  const sender = bus.client.createSender('orders')
  await Promise.all([1, 2, 3, 4].map((body) => sender.sendMessages({ body })))
  const receiver = receiverOf(bus, 'orders')
  const messages = await receiver.receiveMessages(4, WAIT)
  expect(messages.map(({ body }): unknown => body)).toEqual([1, 2, 3, 4])
  for (const message of messages) await receiver.completeMessage(message)
  expect(bus.control.inspect()).toMatchObject({ orders: { active: 0 } })
})
