import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { Control } from '../../../infra/local/control.ts'
import { serveHttp } from '../../../infra/local/http-server.ts'
import { startTwin } from './servicenow-client.ts'

const SECRET = 'webhook-secret'
const ADMIN = { sys_id: '6816f79cc0a8016401c5a33be04be441', name: 'System Administrator' }
const HOURS_MS = 7_200_000

interface Received {
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
}

async function startReceiver() {
  const control = new Control(() => undefined)
  const received: Received[] = []
  const server = await serveHttp({
    control,
    operation: ({ method }) => method,
    handle: ({ headers, body }) => {
      const text = body.toString()
      received.push({ headers, text, body: JSON.parse(text) as Received['body'] }) // checked by the tests
      return { status: 200, body: { received: true } }
    },
  })
  return { control, received, origin: server.origin, server }
}

async function start() {
  const receiver = await startReceiver()
  const url = `${receiver.origin}/api/servicenow-webhook`
  const twin = await startTwin({ webhook: { url, secret: SECRET, functionKey: 'key-1' } })
  return {
    ...receiver,
    twin,
    [Symbol.asyncDispose]: async () => {
      await twin[Symbol.asyncDispose]()
      await receiver.server[Symbol.asyncDispose]()
    },
  }
}

const mac = (text: string) => createHmac('sha256', SECRET).update(text)

test('a change is posted as the business rule posts it, signed over the raw body', async () => {
  await using all = await start()
  const { control } = all.twin
  const row = control.create('incident', { short_description: 'Müller 🙂', state: '2' })
  await control.settled()
  const [post] = all.received
  expect(post?.body).toMatchObject({
    event_type: 'incident.created',
    table: 'incident',
    operation: 'insert',
    record: {
      sys_id: row['sys_id'],
      number: row['number'],
      assigned_to: '',
      state: '2',
      priority: '5',
    },
    user: ADMIN,
    timestamp: expect.stringMatching(/Z$/),
  })
  const text = post?.text ?? ''
  expect(post?.headers['x-servicenow-signature']).toBe(mac(text).digest('hex'))
  expect(post?.headers['x-functions-key']).toBe('key-1')
  const [time = '', event = ''] = ['x-snow-timestamp', 'x-snow-event-id'].map(
    (name) => post?.headers[name],
  )
  expect(event).toMatch(new RegExp(`^${row['sys_id']}:0:insert:[0-9a-f]{16}$`))
  expect(post?.body['event_id']).toBe(event)
  expect(Math.abs(Number(time) * 1000 - control.clock.now())).toBeLessThan(60_000)
  expect(post?.headers['x-snow-signature']).toBe(
    `sha256=${mac(`${time}.${event}.${text}`).digest('base64')}`,
  )
})

test('changes through the API and by people are told; silent ones and those without effect are not', async () => {
  await using all = await start()
  const { twin } = all
  const { sys_id: id = '' } = twin.control.create('incident', { category: 'a' })
  twin.control.update('incident', id, { category: 'a' })
  twin.control.changeSilently('incident', id, { category: 'b' })
  const body = { category: 'c' }
  await twin.call(`/api/now/table/incident/${id}`, { method: 'PATCH', body })
  await twin.call(`/api/now/table/incident/${id}`, { method: 'DELETE' })
  twin.control.create('sys_user', { user_name: 'nobody cares' })
  await twin.control.settled()
  const told = all.received.map((post) => [post.body['operation'], post.body['user']])
  const integration = { sys_id: expect.any(String), name: 'Syncline Integration' }
  expect(told).toHaveLength(3)
  expect(told).toEqual(
    expect.arrayContaining([
      ['delete', integration],
      ['insert', ADMIN],
      ['update', integration],
    ]),
  )
  expect(twin.control.webhooks()).toMatchObject({ changes: 3, delivered: 3, pending: 0 })
})

test('an approval is told with the number of its change and its approver', async () => {
  await using all = await start()
  const { control } = all.twin
  const change = control.create('change_request', {})
  control.create('sysapproval_approver', { sysapproval: change['sys_id'] ?? '', approver: 'u1' })
  await control.settled()
  const approval = all.received.find(({ body }) => body['table'] === 'sysapproval_approver')
  expect(approval?.body['record']).toMatchObject({ number: change['number'], assigned_to: 'u1' })
})

test.for([
  ['an error', { status: 500 }],
  ['a dropped connection', { connection: 'drop' }],
] as const)('after %s the present state is posted a minute later', async ([, fault]) => {
  await using all = await start()
  const { control } = all.twin
  all.control.fail(fault)
  const { sys_id: id = '' } = control.create('incident', { category: 'old' })
  await control.settled()
  expect(control.webhooks()).toMatchObject({ attempts: 1, delivered: 0, scheduled: 1 })
  control.changeSilently('incident', id, { category: 'new' })
  control.clock.advance(60_000)
  await control.settled()
  expect(all.received).toMatchObject([
    { body: { operation: 'insert', record: { category: 'new' } } },
  ])
  expect(control.webhooks()).toMatchObject({ attempts: 2, delivered: 1, scheduled: 0 })
})

test('attempts are bounded: after the fifth the change is lost', async () => {
  await using all = await start()
  const { control } = all.twin
  all.control.fail({ status: 503, times: 100 })
  control.create('incident', {})
  await control.settled()
  for (let hour = 0; hour < 6; hour += 1) {
    control.clock.advance(HOURS_MS)
    await control.settled()
  }
  expect(control.webhooks()).toMatchObject({ attempts: 5, delivered: 0, lost: 1, scheduled: 0 })
})

test('a lost answer makes the same change come twice', async () => {
  await using all = await start()
  const { control } = all.twin
  all.control.fail({ connection: 'lose-answer' })
  control.create('incident', {})
  await control.settled()
  control.clock.advance(60_000)
  await control.settled()
  const [first, second] = all.received
  expect(first?.headers['x-snow-event-id']).toBe(second?.headers['x-snow-event-id'])
  expect(first?.body['event_id']).toBe(second?.body['event_id'])
})

test('the secret can be changed and the rule removed while the instance runs', async () => {
  await using all = await start()
  const { control } = all.twin
  control.setWebhook({ url: all.origin, secret: 'next' })
  control.create('incident', {})
  await control.settled()
  const [post] = all.received
  expect(post?.headers['x-servicenow-signature']).toBe(
    createHmac('sha256', 'next')
      .update(post?.text ?? '')
      .digest('hex'),
  )
  control.setWebhook(undefined)
  control.create('incident', {})
  await control.settled()
  expect(all.received).toHaveLength(1)
})
