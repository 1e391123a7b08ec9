import { ServiceBusAdministrationClient, type CreateQueueOptions } from '@azure/service-bus'
import { expect, test } from 'vitest'
import { parseDuration, formatDuration } from '../../../infra/local/service-bus/admin/duration.ts'
import {
  declare,
  failureOf,
  only,
  receiverOf,
  startNamespace,
  WAIT,
  type Namespace,
} from './namespace.ts'

/** The stock admin client speaks only https; the documented pipeline lets it speak to a laptop. */
function adminOf(bus: Namespace, change = (text: string) => text) {
  const client = new ServiceBusAdministrationClient(
    change(bus.emulator.settings['SERVICE_BUS_ADMIN_CONNECTION_STRING'] ?? ''),
    { retryOptions: { maxRetries: 0 } },
  )
  client.pipeline.addPolicy({
    name: 'plainHttp',
    sendRequest: (request, next) => {
      request.url = request.url.replace(/^https:/, 'http:')
      request.allowInsecureConnection = true
      return next(request)
    },
  })
  return client
}

const RULES = {
  lockDuration: 'PT30S',
  maxDeliveryCount: 3,
  defaultMessageTimeToLive: 'P2DT3H',
  deadLetteringOnMessageExpiration: true,
  requiresDuplicateDetection: true,
  duplicateDetectionHistoryTimeWindow: 'PT1M30S',
  requiresSession: false,
  userMetadata: 'a <b> & c',
} satisfies CreateQueueOptions

test('a queue made by the admin client has its rules, works, and goes with its deletion', async () => {
  await using bus = await startNamespace()
  const admin = adminOf(bus)
  expect(await admin.createQueue('made', RULES)).toMatchObject({ name: 'made', ...RULES })
  expect(await admin.getQueue('made')).toMatchObject(RULES)
  await bus.client.createSender('made').sendMessages({ body: 1 })
  const receiver = receiverOf(bus, 'made')
  const message = only(await receiver.receiveMessages(1, WAIT))
  await receiver.abandonMessage(message)
  await admin.deleteQueue('made')
  expect(await admin.queueExists('made')).toBe(false)
  const late = bus.connect().createReceiver('made')
  expect(await failureOf(late.peekMessages(1))).toBe('MessagingEntityNotFound')
})

test('a change of rules holds for what comes after it', async () => {
  await using bus = await startNamespace()
  const admin = adminOf(bus)
  const queue = await admin.getQueue('orders')
  await admin.updateQueue({ ...queue, maxDeliveryCount: 1 })
  expect((await admin.getQueue('orders')).maxDeliveryCount).toBe(1)
  await bus.client.createSender('orders').sendMessages({ body: 1 })
  const receiver = receiverOf(bus, 'orders')
  await receiver.abandonMessage(only(await receiver.receiveMessages(1, WAIT)))
  expect((await admin.getQueueRuntimeProperties('orders')).deadLetterMessageCount).toBe(1)
  expect(await failureOf(admin.updateQueue({ ...queue, requiresSession: true }))).toBe(
    'ServiceError',
  )
})

test('runtime properties count what waits, what is planned and what is dead', async () => {
  await using bus = await startNamespace()
  const sender = bus.client.createSender('orders')
  await sender.sendMessages([1, 2, 3].map((body) => ({ body })))
  await sender.scheduleMessages({ body: 4 }, new Date(Date.now() + 60_000))
  const receiver = receiverOf(bus, 'orders')
  await receiver.deadLetterMessage(only(await receiver.receiveMessages(1, WAIT)))
  expect(await adminOf(bus).getQueueRuntimeProperties('orders')).toMatchObject({
    name: 'orders',
    activeMessageCount: 2,
    scheduledMessageCount: 1,
    deadLetterMessageCount: 1,
    transferMessageCount: 0,
    totalMessageCount: 4,
    createdAt: expect.any(Date),
  })
})

test('queues are listed page by page', async () => {
  await using bus = await startNamespace({
    queues: [...Array(7).keys()].map((index) => declare(`q/${index}`)),
  })
  const admin = adminOf(bus)
  const sizes: number[] = []
  const names: string[] = []
  for await (const page of admin.listQueues().byPage({ maxPageSize: 3 })) {
    sizes.push(page.length)
    names.push(...page.map(({ name }) => name))
  }
  expect(sizes).toEqual([3, 3, 1])
  expect(names).toEqual([...Array(7).keys()].map((index) => `q/${index}`))
  let counted = 0
  for await (const { totalMessageCount } of admin.listQueuesRuntimeProperties()) {
    counted += 1
    expect(totalMessageCount).toBe(0)
  }
  expect(counted).toBe(7)
})

test('the namespace tells its name and tier', async () => {
  await using bus = await startNamespace()
  expect(await adminOf(bus).getNamespaceProperties()).toMatchObject({
    name: 'syncline',
    messagingSku: 'Standard',
  })
})

test.for<[string, string, (admin: ServiceBusAdministrationClient) => Promise<unknown>]>([
  [
    'reading a queue that is not there',
    'MessageEntityNotFoundError',
    (admin) => admin.getQueue('no'),
  ],
  [
    'deleting a queue that is not there',
    'MessageEntityNotFoundError',
    (admin) => admin.deleteQueue('no'),
  ],
  [
    'making a queue twice',
    'MessageEntityAlreadyExistsError',
    (admin) => admin.createQueue('ORDERS'),
  ],
  [
    'a lock of an hour',
    'ServiceError',
    (admin) => admin.createQueue('a', { lockDuration: 'PT1H' }),
  ],
  [
    'a duration that is none',
    'ServiceError',
    (admin) => admin.createQueue('a', { defaultMessageTimeToLive: 'soon' }),
  ],
  [
    'no delivery at all',
    'ServiceError',
    (admin) => admin.createQueue('a', { maxDeliveryCount: 0 }),
  ],
  [
    'forwarding, which is not emulated,',
    'ServiceError',
    (admin) => admin.createQueue('a', { forwardTo: 'orders' }),
  ],
  ['a topic, which is not emulated,', 'ServiceError', (admin) => admin.createTopic('t')],
])('%s fails as %s', async ([, code, act]) => {
  await using bus = await startNamespace()
  expect(await failureOf(act(adminOf(bus)))).toBe(code)
})

test('a wrong key is refused', async () => {
  await using bus = await startNamespace()
  const stranger = adminOf(bus, (text) => text.replace('SAS_KEY_VALUE', 'guessed'))
  expect(await failureOf(stranger.getQueue('orders'))).toBe('UnauthorizedRequestError')
})

test.for([
  ['PT0S', 0],
  ['PT1M', 60],
  ['PT1.5S', 1.5],
  ['P14D', 1_209_600],
  ['P1DT2H3M4S', 93_784],
  ['P10675199DT2H48M5.4775807S', Infinity],
] as const)('%s is %d seconds, both ways', ([text, seconds]) => {
  expect([parseDuration(text), formatDuration(seconds)]).toEqual([seconds, text])
})

test.for(['', 'P', 'PT', '5', 'P1Y', '-PT1M', 'PT1M '])('%j is no duration', (text) => {
  expect(parseDuration(text)).toBeUndefined()
})
