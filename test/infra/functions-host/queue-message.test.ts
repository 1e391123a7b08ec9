import { expect, test } from 'vitest'
import {
  toBatchTrigger,
  toMessageTrigger,
  type QueueMessage,
} from '../../../infra/local/functions-host/queue-message.ts'
import type { ListenRequest, QueueBus } from '../../../infra/local/functions-host/queue-port.ts'
import type { OutgoingMessage } from '../../../infra/local/functions-host/queue-output.ts'
import { startFixture } from './start.ts'

const received: QueueMessage = {
  body: Buffer.from('{"Id":1}'),
  deliveryCount: 0,
  lockToken: '3f2504e0-4f89-11d3-9a0c-0305e82c3301',
  enqueuedTimeUtc: new Date('2026-01-02T03:04:05.120Z'),
  expiresAtUtc: new Date('2026-01-16T03:04:05.000Z'),
  messageId: 'm-1',
  contentType: 'application/json',
  sequenceNumber: { toString: () => '42' },
  subject: 'topic',
  correlationId: '0012',
  sessionId: 's1',
  applicationProperties: { TenantId: 'T', attempt: 2, at: new Date('2026-01-02T00:00:00Z') },
}

test('one message becomes text and metadata, strings as strings and the rest as JSON', () => {
  expect(toMessageTrigger(received, { binary: false })).toEqual({
    data: { string: '{"Id":1}' },
    metadata: {
      DeliveryCount: { json: '1' },
      LockToken: { string: received.lockToken },
      ExpiresAtUtc: { json: '"2026-01-16T03:04:05"' },
      EnqueuedTimeUtc: { json: '"2026-01-02T03:04:05.12"' },
      MessageId: { string: 'm-1' },
      ContentType: { string: 'application/json' },
      SequenceNumber: { json: '42' },
      Subject: { string: 'topic' },
      Label: { string: 'topic' },
      CorrelationId: { string: '0012' },
      SessionId: { string: 's1' },
      ApplicationProperties: { json: '{"TenantId":"T","attempt":2,"at":"2026-01-02T00:00:00"}' },
      UserProperties: { json: '{"TenantId":"T","attempt":2,"at":"2026-01-02T00:00:00"}' },
    },
  })
})

test('a batch becomes collections; what is empty is left out of strings and null in JSON', () => {
  const bare: QueueMessage = { body: Buffer.from(''), messageId: 'm-2', deliveryCount: 3 }
  const { data, metadata } = toBatchTrigger([bare, received], { binary: false })
  expect(data).toEqual({ collectionString: { string: ['{"Id":1}'] } })
  expect(metadata).toMatchObject({
    MessageIdArray: { collectionString: { string: ['m-2', 'm-1'] } },
    SessionIdArray: { collectionString: { string: ['s1'] } },
    DeliveryCountArray: { json: '[4,1]' },
    EnqueuedTimeUtcArray: { json: '[null,"2026-01-02T03:04:05.12"]' },
  })
})

test.for([
  [Buffer.from([0xff, 0]), true, { bytes: Buffer.from([0xff, 0]) }],
  [Buffer.from('ä'), false, { string: 'ä' }],
  ['an AMQP value', false, { string: 'an AMQP value' }],
  [{ amqp: 'map' }, false, { string: '{"amqp":"map"}' }],
  [undefined, false, { string: '' }],
] as const)('the body %o, binary %s, is handed over as %o', ([body, binary, data]) => {
  expect(toMessageTrigger({ body }, { binary }).data).toEqual(data)
})

/** A bus in memory: hands messages to the listeners and keeps what is sent. */
function memoryBus() {
  const listeners = new Map<string, ListenRequest>()
  const sent: { queue: string; message: OutgoingMessage }[] = []
  const bus: QueueBus = {
    listen: (request) => {
      listeners.set(request.trigger.queue, request)
      return { stop: async () => {}, [Symbol.asyncDispose]: async () => {} }
    },
    send: async (_connection, queue, messages) => {
      sent.push(...messages.map((message) => ({ queue, message })))
    },
    [Symbol.asyncDispose]: async () => {},
  }
  const deliver = (queue: string, messages: readonly QueueMessage[]) =>
    listeners.get(queue)?.handle(messages)
  return { bus, sent, listeners, deliver }
}

const settings = { BUS: 'Endpoint=sb://unused', ONE_QUEUE: 'one' }

test("a function gets the host's traps: parsed strings, lowered keys, dates without Z", async () => {
  const memory = memoryBus()
  await using host = await startFixture('messages', { settings, bus: memory.bus })
  const tricky = { ...received, correlationId: '98765432109876543210', replyTo: 'null' }
  expect(await memory.deliver('one', [tricky])).toBe(true)
  expect(host.told('one')[0]).toMatchObject({
    body: { Id: 1 },
    metadata: {
      deliveryCount: 1,
      messageId: 'm-1',
      correlationId: 98765432109876540000,
      replyTo: null,
      enqueuedTimeUtc: '2026-01-02T03:04:05.12',
      applicationProperties: { tenantId: 'T', attempt: 2 },
    },
  })
  await memory.deliver('one', [{ body: Buffer.from('12345678901234567890') }])
  expect(host.told('one')[1]?.['body']).toBe(12345678901234567000)
  await memory.deliver('binary', [{ body: Buffer.from([1, 255]) }])
  expect(host.told('binary')[0]?.['isBuffer']).toBe(true)
})

test('a batch arrives as one array with arrays of metadata; a throw is told to the bus', async () => {
  const memory = memoryBus()
  await using host = await startFixture('messages', { settings, bus: memory.bus })
  expect(await memory.deliver('many', [received, { ...received, messageId: '007' }])).toBe(true)
  expect(host.told('many')[0]).toMatchObject({
    body: [{ Id: 1 }, { Id: 1 }],
    metadata: { messageIdArray: ['m-1', '007'], sequenceNumberArray: [42, 42] },
  })
  expect(await memory.deliver('one', [{ body: Buffer.from('{"fail":1}') }])).toBe(false)
})

test('queue outputs send one message for each element, as text', async () => {
  const memory = memoryBus()
  await using host = await startFixture('messages', { settings, bus: memory.bus })
  expect((await host.call('/api/send', { method: 'POST' })).status).toBe(202)
  await memory.deliver('forward', [{ body: 'hi' }])
  expect(
    memory.sent.map(({ queue, message }) => [queue, message.contentType, String(message.body)]),
  ).toEqual([
    ['out', 'text/plain', 'just text'],
    ['out', 'text/plain', '{"id":1}'],
    ['out', 'text/plain', 'two'],
    ['out', 'text/plain', '3'],
    ['out', 'text/plain', '{"forwarded":"hi"}'],
  ])
})

test('what cannot be sent fails the invocation', async () => {
  const memory = memoryBus()
  const bus: QueueBus = { ...memory.bus, send: () => Promise.reject(new Error('the bus is gone')) }
  await using host = await startFixture('messages', { settings, bus })
  expect((await host.call('/api/send', { method: 'POST' })).status).toBe(500)
  expect(await memory.deliver('forward', [{ body: 'hi' }])).toBe(false)
})

test('a missing connection or setting stops the start; an identity section stands for a connection string', async () => {
  const start = (own: Record<string, string>) =>
    startFixture('messages', { settings: own, bus: memoryBus().bus })
  await expect(start({ BUS: 'x' })).rejects.toThrow("'%ONE_QUEUE%' does not resolve")
  await expect(start({ ONE_QUEUE: 'one' })).rejects.toThrow('BUS__fullyQualifiedNamespace')
  const identity = { BUS__fullyQualifiedNamespace: 'own.servicebus.windows.net', ONE_QUEUE: 'one' }
  await using host = await start({ ...identity, 'AzureWebJobs.one.Disabled': 'true' })
  const many = host.control.functions().find(({ name }) => name === 'many')
  expect(many?.trigger).toMatchObject({
    connection: { kind: 'identity', namespace: 'own.servicebus.windows.net' },
  })
})
