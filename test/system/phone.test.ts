import { createHmac } from 'node:crypto'
import { WebPubSubClient } from '@azure/web-pubsub-client'
import { HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FunctionsProcess } from '../../infra/local/functions-process.ts'
import { startRunning, type Running } from './running.ts'

let running: Running
let functions: FunctionsProcess

beforeAll(async () => {
  running = await startRunning()
  functions = await running.startFunctions()
})
afterAll(async () => {
  await functions[Symbol.asyncDispose]()
  await running[Symbol.asyncDispose]()
})

const secret = () => running.stack.settings['WEBHOOK_SECRET'] ?? ''
const key = () => running.stack.settings['FUNCTIONS_KEY'] ?? ''
const sign = (body: string) => createHmac('sha256', secret()).update(body).digest('hex')

function post(body: string, headers: Record<string, string> = {}) {
  return fetch(`${functions.url}/api/servicenow-webhook`, {
    method: 'POST',
    headers: { 'x-functions-key': key(), 'x-servicenow-signature': sign(body), ...headers },
    body,
  })
}

let serial = 0
function eventFor(userId: string, more: { record?: object; [key: string]: unknown } = {}): string {
  serial += 1
  return JSON.stringify({
    event_type: 'incident.updated',
    table: 'incident',
    operation: 'update',
    user: { sys_id: 'u1', name: 'Ada' },
    timestamp: `2026-03-01T10:00:00.${String(serial).padStart(3, '0')}Z`,
    ...more,
    record: {
      sys_id: `inc-${serial}`,
      number: 'INC0012345',
      assigned_to: userId,
      state: '2',
      priority: '3',
      short_description: 'The printer in room 7 is on fire',
      ...more.record,
    },
  })
}

async function tokenFor(userId: string): Promise<string> {
  const { token } = await running.stack.issuer.control.mint({
    subject: userId,
    tenantId: 'demo',
    roles: ['viewer'],
  })
  return token
}

function negotiate(token: string | undefined, body?: object) {
  return fetch(`${functions.url}/api/signalr-negotiate`, {
    method: 'POST',
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    body: body === undefined ? null : JSON.stringify(body),
  })
}

interface Phone extends AsyncDisposable {
  readonly heard: unknown[]
  /** The next notification. */
  readonly next: () => Promise<unknown>
}

function listener() {
  const heard: unknown[] = []
  let wake: (() => void) | undefined
  let taken = 0
  return {
    heard,
    hear: (notification: unknown) => {
      heard.push(notification)
      wake?.()
    },
    next: async () => {
      while (heard.length <= taken) await new Promise<void>((resolve) => (wake = resolve))
      taken += 1
      return heard[taken - 1]
    },
  }
}

const phones: Readonly<Record<string, (userId: string) => Promise<Phone>>> = {
  'stock SignalR client': async (userId) => {
    const { heard, hear, next } = listener()
    const token = await tokenFor(userId)
    const answer = (await (await negotiate(token, { userId })).json()) as {
      url: string
      accessToken: string
    } // checked by connecting
    const connection = new HubConnectionBuilder()
      .withUrl(answer.url, { accessTokenFactory: () => answer.accessToken })
      .configureLogging(LogLevel.None)
      .build()
    connection.on('notification', (notification: unknown) => {
      hear(notification)
    })
    await connection.start()
    return { heard, next, [Symbol.asyncDispose]: () => connection.stop() }
  },
  'stock SignalR client that is given our address': async (userId) => {
    const { heard, hear, next } = listener()
    const token = await tokenFor(userId)
    const connection = new HubConnectionBuilder()
      .withUrl(`${functions.url}/api/signalr-negotiate`, { accessTokenFactory: () => token })
      .configureLogging(LogLevel.None)
      .build()
    connection.on('notification', (notification: unknown) => {
      hear(notification)
    })
    await connection.start()
    return { heard, next, [Symbol.asyncDispose]: () => connection.stop() }
  },
  'stock Web PubSub client': async (userId) => {
    const { heard, hear, next } = listener()
    const token = await tokenFor(userId)
    const answer = await negotiate(token, { userId, service: 'web-pubsub' })
    const { url } = (await answer.json()) as { url: string } // checked by connecting
    const client = new WebPubSubClient(url)
    client.on('group-message', ({ message }) => {
      hear(message.data)
    })
    await client.start()
    return { heard, next, [Symbol.asyncDispose]: async () => client.stop() }
  },
}

describe.for(Object.keys(phones))('a %s', (name) => {
  const connect = async (userId: string) => {
    const phone = await phones[name]?.(userId)
    if (!phone) throw new Error('unknown phone')
    return phone
  }

  test('hears of an incident that was assigned to its person, and other people do not', async () => {
    await using mine = await connect('user-mine')
    await using other = await connect('user-other')
    const answer = await post(eventFor('user-mine'))
    expect([answer.status, await answer.json()]).toEqual([200, { received: true }])
    expect(await mine.next()).toMatchObject({
      type: 'incident_assigned',
      title: 'Incident INC0012345 Assigned',
      body: 'The printer in room 7 is on fire',
      data: { recordNumber: 'INC0012345', table: 'incident' },
    })
    await post(eventFor('user-other', { record: { state: '3', priority: '1' } }))
    expect(await other.next()).toMatchObject({
      type: 'incident_updated',
      title: 'P1 Incident Updated',
      body: 'INC0012345: The printer in room 7 is on fire',
    })
    expect(mine.heard).toHaveLength(1)
    expect(other.heard).toHaveLength(1)
  })
})

test('a delivery that comes twice is told once', async () => {
  await using phone = (await phones['stock SignalR client']?.('user-twice')) ?? raise()
  const body = eventFor('user-twice')
  expect((await post(body)).status).toBe(200)
  expect((await post(body)).status).toBe(200)
  await post(eventFor('user-twice', { record: { state: '3', priority: '2' } }))
  expect(await phone.next()).toMatchObject({ type: 'incident_assigned' })
  expect(await phone.next()).toMatchObject({ type: 'incident_updated' })
})

test('an event that could not be told is answered 503 and told when it comes again', async () => {
  await using phone = (await phones['stock SignalR client']?.('user-later')) ?? raise()
  const body = eventFor('user-later')
  running.stack.signalR.control.fail({ operation: 'send', status: 500 })
  const refused = await post(body)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '30'])
  expect((await post(body)).status).toBe(200)
  expect(await phone.next()).toMatchObject({ type: 'incident_assigned' })
})

test('an event that could not be stored is answered 503', async () => {
  running.stack.cosmos.control.fail({ operation: 'docs', times: 3, status: 503 })
  const refused = await post(eventFor('user-x'))
  running.stack.cosmos.control.clearFaults()
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '30'])
  expect(await refused.json()).toMatchObject({ code: 'store_unavailable' })
})

describe('S7: a signature', () => {
  const body = '{"event_type":"x"}'
  test.for<[string, (right: string) => Record<string, string>]>([
    [
      'that is wrong',
      (right) => ({
        'x-servicenow-signature': right.replace(/.$/, (c) => (c === '0' ? '1' : '0')),
      }),
    ],
    ['that is missing', () => ({ 'x-servicenow-signature': '' })],
    ['that is short', (right) => ({ 'x-servicenow-signature': right.slice(0, 63) })],
    ['that is long', (right) => ({ 'x-servicenow-signature': `${right}0` })],
    ['in upper case', (right) => ({ 'x-servicenow-signature': right.toUpperCase() })],
    ['with a prefix', (right) => ({ 'x-servicenow-signature': `sha256=${right}` })],
    ['that stands twice', (right) => ({ 'x-servicenow-signature': `${right}, ${right}` })],
    ['that is no hex', () => ({ 'x-servicenow-signature': 'z'.repeat(64) })],
    [
      'in base64',
      () => ({
        'x-servicenow-signature': createHmac('sha256', secret()).update(body).digest('base64'),
      }),
    ],
    [
      'under another key',
      () => ({
        'x-servicenow-signature': createHmac('sha256', 'guess').update(body).digest('hex'),
      }),
    ],
  ])('%s is refused', async ([, headers]) => {
    const answer = await post(body, headers(sign(body)))
    expect([answer.status, await answer.json()]).toMatchObject([
      401,
      { error: 'Invalid signature' },
    ])
  })
})

test('S6: the raw bytes are verified, not what they mean', async () => {
  const body = `${eventFor('nobody').replace('{', '{ "x": 1.0, "y": "\\u0041", "n": 12345678901234567890,')}\n`
  expect((await post(body)).status).toBe(200)
  expect((await post(body.trimEnd(), { 'x-servicenow-signature': sign(body) })).status).toBe(401)
})

describe('a bad body', () => {
  test.for<[string, () => string, number, string]>([
    ['no JSON', () => 'not json', 400, 'bad_request'],
    ['half a character', () => '{"a":"\uD800"}', 400, 'bad_request'],
    ['another shape', () => '{"event_type":"x"}', 400, 'bad_request'],
    ['an unknown operation', () => eventFor('u', { operation: 'explode' }), 400, 'bad_request'],
    ['an empty body', () => '', 400, 'bad_request'],
    [
      'two megabytes',
      () => JSON.stringify({ x: 'y'.repeat(2 * 1024 * 1024) }),
      413,
      'body_too_large',
    ],
  ])('%s', async ([, body, status, code]) => {
    const answer = await post(body())
    expect([answer.status, await answer.json()]).toMatchObject([
      status,
      { code, correlationId: expect.any(String) as string },
    ])
  })
})

test('a caller without the function key is refused', async () => {
  expect((await post(eventFor('u'), { 'x-functions-key': 'wrong' })).status).toBe(401)
})

describe('negotiate', () => {
  test('refuses a caller without a token, with a bad one, an expired one, or one for somebody else', async () => {
    const { control } = running.stack.issuer
    const claims = { subject: 'u', tenantId: 'demo', roles: [] }
    const expired = await control.mint({ ...claims, expiresInSeconds: -120 })
    const foreign = await control.mint({ ...claims, audience: 'someone-else' })
    const good = await tokenFor('u')
    expect((await negotiate(undefined)).status).toBe(401)
    expect((await negotiate('x.y.z')).status).toBe(401)
    expect((await negotiate(`${good.slice(0, -6)}AAAAAA`)).status).toBe(401)
    expect((await negotiate(expired.token)).status).toBe(401)
    expect((await negotiate(foreign.token)).status).toBe(401)
    expect((await negotiate(good, { userId: 'somebody-else' })).status).toBe(403)
    expect((await negotiate(good, { userId: 7 })).status).toBe(400)
    expect((await negotiate(good)).status).toBe(200)
  })
})

describe('health', () => {
  const health = async (path: string) => {
    const answer = await fetch(`${functions.url}${path}`)
    return [answer.status, await answer.json()]
  }

  test('says that all is well, live and ready', async () => {
    expect(await health('/api/health')).toMatchObject([
      200,
      {
        status: 'healthy',
        timestamp: expect.stringMatching(/Z$/) as string,
        services: {
          keyVault: 'up',
          signalR: 'up',
          webPubSub: 'up',
          cosmos: 'up',
          serviceBus: 'up',
        },
      },
    ])
    expect(await health('/health/live')).toEqual([200, { status: 'live' }])
    expect(await health('/health/ready')).toMatchObject([200, { status: 'ready' }])
  })
})

function raise(): never {
  throw new Error('unknown phone')
}
