import { expect, test } from 'vitest'
import { countStored, demo } from '../../infra/local/demo.ts'
import { hasRedis, startRedisServer } from '../ports/redis-server.ts'
import { fireTimer, startRunning, type Running } from './running.ts'

async function negotiate({ stack }: Running, url: string, more: Record<string, string> = {}) {
  const { token } = await stack.issuer.control.mint({
    subject: 'u-1',
    tenantId: demo.tenantId,
    roles: ['viewer'],
  })
  const headers = { authorization: `Bearer ${token}`, ...more }
  return fetch(`${url}/api/signalr-negotiate`, { method: 'POST', headers })
}

test('a caller who asks too often is told when to come again, and nobody else is', async () => {
  await using running = await startRunning()
  await using functions = await running.startFunctions()
  const answers = await Promise.all(
    Array.from({ length: 45 }, () => negotiate(running, functions.url)),
  )
  const refused = answers.filter(({ status }) => status === 429)
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(30)
  expect(refused.length).toBeGreaterThan(0)
  expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  expect(await refused[0]?.json()).toMatchObject({ code: 'rate_limited' })
  expect((await fetch(`${functions.url}/api/health`)).status).toBe(200)
})

test('an address that floods is refused before its token or signature is looked at', async () => {
  await using running = await startRunning()
  await using functions = await running.startFunctions()
  const flood = (source: string, count: number) =>
    Promise.all(
      Array.from({ length: count }, async () => {
        const headers = { 'x-forwarded-for': source, authorization: 'Bearer nonsense' }
        const init = { method: 'POST', headers }
        return (await fetch(`${functions.url}/api/signalr-negotiate`, init)).status
      }),
    )
  const statuses = await flood('192.0.2.1', 400)
  expect(new Set(statuses)).toEqual(new Set([401, 429]))
  expect(await flood('192.0.2.2', 3)).toEqual([401, 401, 401])
})

test('settings say how much an operator may ask, and the API what a connection may use', async () => {
  const incoming = { management: { user: 20 } }
  await using running = await startRunning({
    settings: { RATE_LIMITS: JSON.stringify({ incoming }) },
  })
  await using functions = await running.startFunctions()
  const { token } = await running.stack.issuer.control.mint({
    subject: 'u-1',
    tenantId: demo.tenantId,
    roles: ['admin'],
  })
  const ask = (method: string, path: string, body?: object) =>
    fetch(`${functions.url}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const path = `connections/${demo.connectionId}`
  expect(await (await ask('PATCH', path, { limits: { connection: 30 } })).json()).toMatchObject({
    data: { limits: { connection: 30 } },
  })
  expect((await ask('PATCH', path, { limits: { connection: 0 } })).status).toBe(400)
  const answers = await Promise.all(Array.from({ length: 30 }, () => ask('GET', path)))
  const refused = answers.filter(({ status }) => status === 429)
  expect(refused.length).toBeGreaterThanOrEqual(15)
  expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  expect(await refused[0]?.json()).toMatchObject({
    success: false,
    error: { code: 'rate_limited' },
  })
})

const limits = { fetch: 45, update: 45, create: 45 }
/** Eight pages at one call in one and a half seconds: the run has to go on in other messages. */
const slow = {
  SYNC_BATCH_SIZE: '10',
  SYNC_MAX_RETRIES: '1',
  RATE_LIMITS: JSON.stringify({ integrations: { servicenow: { operations: limits } } }),
}

test.for<[string, boolean]>([
  ['in the process', false],
  ['in Redis', true],
])(
  'S23: a run that may not call goes on in later messages, though it may not fail once: limits %s',
  { timeout: 90_000 },
  async ([, shared], { skip }) => {
    skip(shared && !hasRedis, 'there is no redis-server on this machine')
    await using server = shared ? await startRedisServer() : undefined
    await using running = await startRunning({
      serviceNow: { count: 80 },
      settings: { ...slow, ...(server ? { REDIS_URL: server.url } : {}) },
    })
    await using functions = await running.startFunctions()
    await fireTimer(running, functions, 'SyncScheduler')
    const stored = async () => (await countStored(running.stack)).records
    await expect.poll(stored, { timeout: 60_000, interval: 250 }).toBe(80)
    const health = (await (await fetch(`${functions.url}/api/health`)).json()) as {
      services: Record<string, string>
    }
    expect(health.services['redis']).toBe(shared ? 'up' : undefined)
  },
)

test('S53: a vendor that answers 429 is asked again when it said, and the run ends well', async () => {
  await using running = await startRunning({
    serviceNow: { count: 30 },
    settings: { SYNC_BATCH_SIZE: '10', SYNC_MAX_RETRIES: '1' },
  })
  const { control } = running.stack.serviceNow
  control.fail({
    operation: 'GET /api/now/table',
    times: 2,
    status: 429,
    headers: { 'retry-after': '2' },
  })
  await using functions = await running.startFunctions()
  await fireTimer(running, functions, 'SyncScheduler')
  const stored = async () => (await countStored(running.stack)).records
  await expect.poll(stored, { timeout: 60_000, interval: 250 }).toBe(30)
}, 90_000)
