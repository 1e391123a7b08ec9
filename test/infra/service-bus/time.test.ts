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

const HOUR = 3_600_000

test('an expired lock gives the message to the next receiver, counted; the late settlement is refused', async () => {
  await using bus = await startNamespace()
  const receiver = receiverOf(bus, 'orders')
  await bus.client.createSender('orders').sendMessages({ body: 'slow' })
  const late = only(await receiver.receiveMessages(1, WAIT))
  bus.advance(61_000)
  const again = only(await receiverOf(bus, 'orders').receiveMessages(1, WAIT))
  expect(again).toMatchObject({ body: 'slow', deliveryCount: 1 })
  expect(again.sequenceNumber).toEqual(late.sequenceNumber)
  expect(await failureOf(receiver.completeMessage(late))).toBe('MessageLockLost')
  expect(await failureOf(receiver.renewMessageLock(late))).toBe('MessageLockLost')
})

test('a renewed lock holds as long again', async () => {
  await using bus = await startNamespace()
  const receiver = receiverOf(bus, 'orders')
  await bus.client.createSender('orders').sendMessages({ body: 'kept' })
  const message = only(await receiver.receiveMessages(1, WAIT))
  bus.advance(50_000)
  const until = await receiver.renewMessageLock(message)
  expect(until.getTime() - bus.control.clock.now()).toBeGreaterThan(50_000)
  bus.advance(50_000)
  await receiver.completeMessage(message)
  expect(bus.control.inspect()).toMatchObject({ orders: { active: 0 } })
})

test('a message delivered as often as allowed goes to the dead letters with the reason', async () => {
  await using bus = await startNamespace()
  const receiver = receiverOf(bus, 'twice')
  await bus.client.createSender('twice').sendMessages({ body: 'poison', messageId: 'p' })
  const counts: (number | undefined)[] = []
  for (let delivery = 0; delivery < 2; delivery += 1) {
    const message = only(await receiver.receiveMessages(1, WAIT))
    counts.push(message.deliveryCount)
    await receiver.abandonMessage(message)
  }
  expect(counts).toEqual([0, 1])
  expect(only(await deadLettersOf(bus, 'twice').receiveMessages(1, WAIT))).toMatchObject({
    body: 'poison',
    messageId: 'p',
    deliveryCount: 2,
    deadLetterReason: 'MaxDeliveryCountExceeded',
    deadLetterErrorDescription: 'Message could not be consumed after 2 delivery attempts.',
    deadLetterSource: 'twice',
  })
})

test('a dead letter is not counted, does not die twice, and may be completed', async () => {
  await using bus = await startNamespace()
  const receiver = receiverOf(bus, 'twice')
  await bus.client.createSender('twice').sendMessages({ body: 'bad' })
  const cause = { deadLetterReason: 'r', deadLetterErrorDescription: 'd', extra: 1 }
  await receiver.deadLetterMessage(only(await receiver.receiveMessages(1, WAIT)), cause)
  const dead = bus.client.createReceiver('twice', { subQueueType: 'deadLetter' })
  for (let delivery = 0; delivery < 3; delivery += 1) {
    const letter = only(await dead.receiveMessages(1, WAIT))
    expect(letter).toMatchObject({
      deliveryCount: 0,
      deadLetterReason: 'r',
      deadLetterErrorDescription: 'd',
      applicationProperties: { extra: 1 },
    })
    await dead.abandonMessage(letter)
  }
  const letter = only(await dead.receiveMessages(1, WAIT))
  expect(await failureOf(dead.deadLetterMessage(letter))).toBe('GeneralError')
  expect(bus.control.inspect()).toMatchObject({ twice: { active: 0, deadLettered: 1 } })
})

test.for([
  ['orders', 1],
  ['fleeting', 0],
] as const)(
  'a message that nobody takes in time leaves %s for %i dead letters',
  async ([queue, letters]) => {
    await using bus = await startNamespace()
    await bus.client.createSender(queue).sendMessages({ body: 'old', timeToLive: HOUR })
    bus.advance(HOUR - 5000)
    expect(bus.control.inspect()).toMatchObject({ [queue]: { active: 1 } })
    bus.advance(6000)
    expect(bus.control.inspect()).toMatchObject({ [queue]: { active: 0, deadLettered: letters } })
    const dead = await deadLettersOf(bus, queue).receiveMessages(1, letters ? WAIT : NO_WAIT)
    expect(dead.map(({ deadLetterReason }) => deadLetterReason)).toEqual(
      letters ? ['TTLExpiredException'] : [],
    )
  },
)

test("the queue's time to live caps the message's; a locked message expires when it is unlocked", async () => {
  await using bus = await startNamespace()
  const receiver = receiverOf(bus, 'orders')
  await bus.client.createSender('orders').sendMessages({ body: 'held', timeToLive: 30_000 })
  const held = only(await receiver.receiveMessages(1, WAIT))
  bus.advance(31_000)
  expect(bus.control.inspect()).toMatchObject({ orders: { active: 1, deadLettered: 0 } })
  await receiver.abandonMessage(held)
  expect(bus.control.inspect()).toMatchObject({ orders: { active: 0, deadLettered: 1 } })
  await bus.client.createSender('orders').sendMessages({ body: 'long', timeToLive: 9_000_000_000 })
  bus.advance(1_209_600_000)
  expect(bus.control.inspect()).toMatchObject({ orders: { active: 0, deadLettered: 2 } })
})

test('a scheduled message appears when its time has come, under a new number', async () => {
  await using bus = await startNamespace()
  const sender = bus.client.createSender('orders')
  const receiver = receiverOf(bus, 'orders')
  const due = new Date(Date.now() + 24 * HOUR)
  const number = only(await sender.scheduleMessages({ body: 'tomorrow' }, due))
  await sender.sendMessages({ body: 'today' })
  await sender.sendMessages({ body: 'by annotation', scheduledEnqueueTimeUtc: due })
  const today = only(await receiver.receiveMessages(1, WAIT))
  expect(today.body).toBe('today')
  await receiver.completeMessage(today)
  expect(await receiver.receiveMessages(1, NO_WAIT)).toEqual([])
  bus.advance(24 * HOUR + 1000)
  const messages = await receiver.receiveMessages(2, WAIT)
  expect(messages.map(({ body }): unknown => body)).toEqual(['tomorrow', 'by annotation'])
  expect(messages[0]?.sequenceNumber?.toNumber()).toBeGreaterThan(number.toNumber())
  expect(messages[0]?.enqueuedSequenceNumber).toBe(number.toNumber())
  expect(messages[0]?.enqueuedTimeUtc).toEqual(due)
  expect(messages[0]?.scheduledEnqueueTimeUtc).toEqual(due)
})

test('a cancelled message never appears; cancelling twice finds nothing', async () => {
  await using bus = await startNamespace()
  const sender = bus.client.createSender('orders')
  const numbers = await sender.scheduleMessages(
    [{ body: 1 }, { body: 2 }],
    new Date(Date.now() + HOUR),
  )
  await sender.cancelScheduledMessages(numbers)
  expect(await failureOf(sender.cancelScheduledMessages(numbers))).toBe('MessageNotFound')
  bus.advance(2 * HOUR)
  expect(bus.control.inspect()).toMatchObject({ orders: { active: 0, scheduled: 0 } })
})

test('a deferred message that is too old dies when somebody asks for it', async () => {
  await using bus = await startNamespace()
  const receiver = receiverOf(bus, 'orders')
  await bus.client.createSender('orders').sendMessages({ body: 'old', timeToLive: HOUR })
  const message = only(await receiver.receiveMessages(1, WAIT))
  await receiver.deferMessage(message)
  bus.advance(2 * HOUR)
  expect(bus.control.inspect()).toMatchObject({ orders: { deferred: 1, deadLettered: 0 } })
  const { sequenceNumber } = message
  if (!sequenceNumber) throw new Error('a received message has a sequence number')
  expect(await failureOf(receiver.receiveDeferredMessages(sequenceNumber))).toBe('MessageNotFound')
  expect(bus.control.inspect()).toMatchObject({ orders: { deferred: 0, deadLettered: 1 } })
})
