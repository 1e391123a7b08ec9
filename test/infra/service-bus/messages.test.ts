import { expect, test } from 'vitest'
import {
  deadLettersOf,
  failureOf,
  NO_WAIT,
  only,
  receiverOf,
  startNamespace,
  WAIT,
} from './namespace.ts'

test('bodies, properties and their types come back as they were sent', async () => {
  await using bus = await startNamespace()
  const sent = {
    body: { text: 'grüße', list: [1, 2.5, null], deep: { yes: true } },
    messageId: 'm-1',
    correlationId: 'c-1',
    contentType: 'application/json',
    subject: 'created',
    to: 'there',
    replyTo: 'here',
    timeToLive: 3_600_000,
    applicationProperties: {
      text: 'a',
      whole: 7,
      half: 0.5,
      yes: true,
      none: null,
    },
  }
  await bus.client.createSender('orders').sendMessages(sent)
  const received = only(await receiverOf(bus, 'orders').receiveMessages(1, WAIT))
  expect(received).toMatchObject(sent)
  expect(received.enqueuedSequenceNumber).toBe(1)
  expect(received.sequenceNumber?.toNumber()).toBe(1)
  expect(received.expiresAtUtc?.getTime()).toBe(
    (received.enqueuedTimeUtc?.getTime() ?? 0) + 3_600_000,
  )
})

test.for([
  ['data', Buffer.from([0, 255, 1])],
  ['value', 42],
  ['value', { nested: ['x'] }],
  ['sequence', [1, 'two', { three: 3 }]],
] as const)('an AMQP %s body comes back as %j', async ([bodyType, body]) => {
  await using bus = await startNamespace()
  const annotations = { 'x-mine': 'kept' }
  await bus.client
    .createSender('orders')
    .sendMessages({ bodyType, body, messageAnnotations: annotations })
  const received = only(await receiverOf(bus, 'orders').receiveMessages(1, WAIT))
  const raw = received._rawAmqpMessage
  expect([raw.bodyType, received.body]).toEqual([bodyType, body])
  expect(raw.messageAnnotations?.['x-mine']).toBe('kept')
})

test('a batch is stored message by message, in order', async () => {
  await using bus = await startNamespace()
  const sender = bus.client.createSender('orders')
  const batch = await sender.createMessageBatch()
  expect(batch.maxSizeInBytes).toBe(256 * 1024)
  for (let index = 0; index < 100; index += 1) batch.tryAddMessage({ body: index })
  await sender.sendMessages(batch)
  const receiver = bus.client.createReceiver('orders', { receiveMode: 'receiveAndDelete' })
  const bodies = (await receiver.receiveMessages(100, WAIT)).map(({ body }): unknown => body)
  expect(bodies).toEqual([...Array(100).keys()])
  expect(await bus.control.inspect()).toMatchObject({ orders: { active: 0 } })
})

test('a message larger than the limit is refused by send and by schedule', async () => {
  await using bus = await startNamespace({ maxMessageBytes: 20_000 })
  const sender = bus.client.createSender('orders')
  const body = 'x'.repeat(21_000)
  expect(await failureOf(sender.sendMessages({ body }))).toBe('MessageSizeExceeded')
  const tomorrow = new Date(Date.now() + 86_400_000)
  expect(await failureOf(sender.scheduleMessages({ body }, tomorrow))).toBe('MessageSizeExceeded')
})

test('a large message crosses frame after frame when the limit allows it', async () => {
  await using bus = await startNamespace({ maxMessageBytes: 8 * 1024 * 1024 })
  const body = Buffer.alloc(5_000_000, 7)
  await bus.client.createSender('orders').sendMessages({ body })
  const received = only(await receiverOf(bus, 'orders').receiveMessages(1, WAIT))
  expect(body.equals(received.body)).toBe(true)
})

test('a full queue refuses, dead letters counting, and takes again when there is room', async () => {
  await using bus = await startNamespace({ sizeQuotaBytes: 20_000 })
  const sender = bus.client.createSender('orders')
  const receiver = receiverOf(bus, 'orders')
  const body = 'x'.repeat(10_000)
  await sender.sendMessages({ body })
  expect(await failureOf(sender.sendMessages({ body }))).toBe('QuotaExceeded')
  await receiver.deadLetterMessage(only(await receiver.receiveMessages(1, WAIT)))
  expect(await failureOf(sender.sendMessages({ body }))).toBe('QuotaExceeded')
  await deadLettersOf(bus, 'orders').receiveMessages(1, WAIT)
  expect(await failureOf(sender.sendMessages({ body }))).toBe('none')
})

test('what a receiver completes is gone; what it abandons comes again, counted and changed', async () => {
  await using bus = await startNamespace()
  const receiver = receiverOf(bus, 'orders')
  await bus.client
    .createSender('orders')
    .sendMessages([{ body: 'a' }, { body: 'b', applicationProperties: { kept: 1, old: 'o' } }])
  const [a, b] = await receiver.receiveMessages(2, WAIT)
  if (!a || !b) throw new Error('two messages were sent')
  await receiver.abandonMessage(b, { old: 'changed', added: true })
  await receiver.completeMessage(a)
  const again = only(await receiver.receiveMessages(1, WAIT))
  expect(again).toMatchObject({
    body: 'b',
    deliveryCount: 1,
    applicationProperties: { kept: 1, old: 'changed', added: true },
  })
  expect(again.sequenceNumber).toEqual(b.sequenceNumber)
  await receiver.completeMessage(again)
  expect(bus.control.inspect()).toMatchObject({ orders: { active: 0, deadLettered: 0 } })
})

test('a message that comes back keeps its place before later ones', async () => {
  await using bus = await startNamespace()
  const receiver = receiverOf(bus, 'orders')
  await bus.client.createSender('orders').sendMessages(['a', 'b', 'c'].map((body) => ({ body })))
  await receiver.abandonMessage(only(await receiver.receiveMessages(1, WAIT)))
  const bodies = (await receiver.receiveMessages(3, WAIT)).map(({ body }): unknown => body)
  expect(bodies).toEqual(['a', 'b', 'c'])
})

test('receive-and-delete takes the message with its delivery', async () => {
  await using bus = await startNamespace()
  await bus.client.createSender('orders').sendMessages({ body: 'gone' })
  const receiver = bus.client.createReceiver('orders', { receiveMode: 'receiveAndDelete' })
  const received = only(await receiver.receiveMessages(1, WAIT))
  expect([received.body, received.lockToken]).toEqual(['gone', undefined])
  expect(bus.control.inspect()).toMatchObject({ orders: { active: 0 } })
})

test('a deferred message comes only to who asks for its number', async () => {
  await using bus = await startNamespace()
  const receiver = receiverOf(bus, 'orders')
  await bus.client.createSender('orders').sendMessages({ body: 'later' })
  const first = only(await receiver.receiveMessages(1, WAIT))
  await receiver.deferMessage(first, { why: 'waiting' })
  expect(await receiver.receiveMessages(1, NO_WAIT)).toEqual([])
  expect(bus.control.inspect()).toMatchObject({ orders: { deferred: 1, active: 0 } })
  const { sequenceNumber } = first
  if (!sequenceNumber) throw new Error('a received message has a sequence number')
  const deferred = only(await receiver.receiveDeferredMessages(sequenceNumber))
  expect(deferred).toMatchObject({
    body: 'later',
    state: 'deferred',
    deliveryCount: 1,
    applicationProperties: { why: 'waiting' },
  })
  await receiver.abandonMessage(deferred)
  expect(await receiver.receiveMessages(1, NO_WAIT)).toEqual([])
  await receiver.completeMessage(only(await receiver.receiveDeferredMessages(sequenceNumber)))
  expect(await failureOf(receiver.receiveDeferredMessages(sequenceNumber))).toBe('MessageNotFound')
})

test('peeking shows every state and changes nothing', async () => {
  await using bus = await startNamespace()
  const sender = bus.client.createSender('orders')
  const receiver = receiverOf(bus, 'orders')
  await sender.sendMessages([{ body: 'deferred' }, { body: 'locked' }, { body: 'waiting' }])
  await sender.scheduleMessages({ body: 'scheduled' }, new Date(Date.now() + 3_600_000))
  const [first] = await receiver.receiveMessages(2, WAIT)
  if (first) await receiver.deferMessage(first)
  const peeked = await receiver.peekMessages(10)
  expect(peeked.map(({ body, state }) => [body, state])).toEqual([
    ['deferred', 'deferred'],
    ['locked', 'active'],
    ['waiting', 'active'],
    ['scheduled', 'scheduled'],
  ])
  expect(peeked[1]?.lockToken).toBeUndefined()
  expect(await receiver.peekMessages(10)).toEqual([])
  const from = only(
    await receiverOf(bus, 'orders').peekMessages(1, {
      fromSequenceNumber: peeked[2]?.sequenceNumber ?? never(),
    }),
  )
  expect(from.body).toBe('waiting')
  expect(bus.control.inspect()).toMatchObject({
    orders: { active: 2, locked: 1, deferred: 1, scheduled: 1 },
  })
})

test('a message id seen within the window is accepted and dropped', async () => {
  await using bus = await startNamespace()
  const sender = bus.client.createSender('once')
  await sender.sendMessages({ body: 1, messageId: 'same' })
  await sender.sendMessages([
    { body: 2, messageId: 'same' },
    { body: 3, messageId: 'other' },
  ])
  const receiver = bus.client.createReceiver('once', { receiveMode: 'receiveAndDelete' })
  const bodies = async () =>
    (await receiver.receiveMessages(3, { maxWaitTimeInMs: 300 })).map(({ body }): unknown => body)
  expect(await bodies()).toEqual([1, 3])
  bus.advance(601_000)
  await sender.sendMessages({ body: 4, messageId: 'same' })
  expect(await bodies()).toEqual([4])
})

function never(): never {
  throw new Error('a peeked message has a sequence number')
}
