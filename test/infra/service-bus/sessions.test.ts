import { expect, test } from 'vitest'
import { failureOf, NO_WAIT, only, startNamespace, WAIT, type Namespace } from './namespace.ts'

const MANUAL = { maxAutoLockRenewalDurationInMs: 0 }

async function send(bus: Namespace, ...messages: readonly (readonly [string, string])[]) {
  await bus.client
    .createSender('chats')
    .sendMessages(messages.map(([sessionId, body]) => ({ sessionId, body })))
}

test('a session gives its own messages, in order, to its one holder', async () => {
  await using bus = await startNamespace()
  await send(bus, ['a', 'a1'], ['b', 'b1'], ['a', 'a2'])
  const session = await bus.client.acceptSession('chats', 'a', MANUAL)
  const messages = await session.receiveMessages(5, { maxWaitTimeInMs: 500 })
  expect(messages.map(({ body }): unknown => body)).toEqual(['a1', 'a2'])
  expect(messages[0]?.lockedUntilUtc).toEqual(session.sessionLockedUntilUtc)
  expect(await failureOf(bus.client.acceptSession('chats', 'a'))).toBe('SessionCannotBeLocked')
  for (const message of messages) await session.completeMessage(message)
  await session.close()
  const again = await bus.client.acceptSession('chats', 'a', MANUAL)
  expect(await again.receiveMessages(1, NO_WAIT)).toEqual([])
})

test('the next session is one with a message that nobody holds', async () => {
  await using bus = await startNamespace()
  await send(bus, ['a', 'a1'], ['b', 'b1'])
  const first = await bus.client.acceptNextSession('chats', MANUAL)
  const second = await bus.client.acceptNextSession('chats', MANUAL)
  expect([first.sessionId, second.sessionId]).toEqual(['a', 'b'])
})

test('who asks for the next session waits until one has a message', async () => {
  await using bus = await startNamespace()
  const waiting = bus.client.acceptNextSession('chats', MANUAL)
  await expect.poll(() => bus.control.calls()['open-output chats']).toBe(1)
  await send(bus, ['late', 'hello'])
  const session = await waiting
  expect(session.sessionId).toBe('late')
  expect(only(await session.receiveMessages(1, WAIT)).body).toBe('hello')
})

test('waiting for a session ends when the time that the client gave is over', async () => {
  await using bus = await startNamespace()
  const waiting = failureOf(bus.client.acceptNextSession('chats', MANUAL))
  await expect.poll(() => bus.control.calls()['open-output chats']).toBe(1)
  bus.advance(61_000)
  expect(await waiting).toBe('ServiceTimeout')
  await send(bus, ['a', 'still there'])
  const session = await bus.client.acceptNextSession('chats', MANUAL)
  expect(only(await session.receiveMessages(1, WAIT)).body).toBe('still there')
})

test('the state of a session outlives its messages and holders', async () => {
  await using bus = await startNamespace()
  const session = await bus.client.acceptSession('chats', 's', MANUAL)
  expect(await session.getSessionState()).toBeNull()
  await session.setSessionState({ step: 3 })
  await session.close()
  const again = await bus.client.acceptSession('chats', 's', MANUAL)
  expect(await again.getSessionState()).toEqual({ step: 3 })
})

test('a session renewed in time is held; one that is not is lost with everything in hand', async () => {
  await using bus = await startNamespace()
  await send(bus, ['a', 'a1'])
  const session = await bus.client.acceptSession('chats', 'a', MANUAL)
  const message = only(await session.receiveMessages(1, WAIT))
  bus.advance(50_000)
  const until = await session.renewSessionLock()
  expect(until.getTime() - bus.control.clock.now()).toBeGreaterThan(50_000)
  bus.advance(50_000)
  await session.setSessionState('mine')
  bus.advance(11_000)
  await expect.poll(() => session.isClosed).toBe(true)
  expect(await failureOf(session.completeMessage(message))).toBe('SessionLockLost')
  expect(await failureOf(session.renewSessionLock())).toBe('SessionLockLost')
  const next = await bus.client.acceptSession('chats', 'a', MANUAL)
  expect(only(await next.receiveMessages(1, WAIT))).toMatchObject({ body: 'a1', deliveryCount: 1 })
})

test('closing a session gives back what its holder did not settle, counted', async () => {
  await using bus = await startNamespace()
  await send(bus, ['a', 'poison'], ['a', 'fine'])
  for (const count of [0, 1, 2]) {
    const session = await bus.client.acceptSession('chats', 'a', MANUAL)
    expect(only(await session.receiveMessages(1, WAIT))).toMatchObject({
      body: 'poison',
      deliveryCount: count,
    })
    await session.close()
  }
  expect(bus.control.inspect()).toMatchObject({ chats: { active: 1, deadLettered: 1 } })
  const dead = bus.client.createReceiver('chats', { subQueueType: 'deadLetter' })
  expect(only(await dead.receiveMessages(1, WAIT))).toMatchObject({
    sessionId: 'a',
    deliveryCount: 3,
    deadLetterReason: 'MaxDeliveryCountExceeded',
  })
})

test('deferred messages of a session come only to its holder', async () => {
  await using bus = await startNamespace()
  await send(bus, ['a', 'a1'])
  const session = await bus.client.acceptSession('chats', 'a', MANUAL)
  const message = only(await session.receiveMessages(1, WAIT))
  await session.deferMessage(message)
  const { sequenceNumber } = message
  if (!sequenceNumber) throw new Error('a received message has a sequence number')
  const other = await bus.client.acceptSession('chats', 'b', MANUAL)
  expect(await failureOf(other.receiveDeferredMessages(sequenceNumber))).toBe('MessageNotFound')
  const deferred = only(await session.receiveDeferredMessages(sequenceNumber))
  expect(only(await session.peekMessages(1)).body).toBe('a1')
  await session.completeMessage(deferred)
  expect(bus.control.inspect()).toMatchObject({ chats: { active: 0, deferred: 0 } })
})

test('a queue with sessions refuses messages and receivers without; a queue without refuses sessions', async () => {
  await using bus = await startNamespace()
  const sender = bus.client.createSender('chats')
  expect(await failureOf(sender.sendMessages({ body: 'no session' }))).toBe('GeneralError')
  const plain = bus.client.createReceiver('chats')
  expect(await failureOf(plain.receiveMessages(1, NO_WAIT))).toMatch(
    /GeneralError|InvalidOperationError/,
  )
  expect(await failureOf(bus.client.acceptSession('orders', 'a'))).toBe('SessionCannotBeLocked')
})

test('a lost connection sets its sessions free at once', async () => {
  await using bus = await startNamespace()
  await send(bus, ['a', 'a1'])
  const brief = { retryOptions: { maxRetries: 0, timeoutInMs: 300 } }
  const session = await bus.connect(brief).acceptSession('chats', 'a', MANUAL)
  bus.control.fail({ operation: 'renew-session-lock', connection: 'drop' })
  expect(await failureOf(session.renewSessionLock())).not.toBe('none')
  const next = await bus.client.acceptSession('chats', 'a', MANUAL)
  expect(only(await next.receiveMessages(1, WAIT)).body).toBe('a1')
})
