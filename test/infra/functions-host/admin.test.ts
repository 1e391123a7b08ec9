import { expect, test } from 'vitest'
import { startFixture } from './start.ts'

const settings = { NIGHTLY: '0 30 3 * * *', 'AzureWebJobs.off.Disabled': '1' }
const master = { 'x-functions-key': 'the-master-key' }

test.for([
  ['GET', '/admin/host/status', 200],
  ['GET', '/admin/functions', 200],
  ['GET', '/admin/functions/HOURLY', 200],
  ['GET', '/admin/functions/nobody', 404],
  ['GET', '/admin/nothing', 404],
  ['POST', '/admin/functions/nobody', 404],
  ['POST', '/admin/functions/release', 400],
] as const)(
  '%s %s with the master key is answered %i, without it 401',
  async ([method, path, status]) => {
    await using host = await startFixture('timers', { settings })
    const statusOf = async (headers: Record<string, string>) =>
      (await host.call(path, { method, headers })).status
    expect(await statusOf(master)).toBe(status)
    expect(await statusOf({})).toBe(401)
    expect(await statusOf({ 'x-functions-key': 'the-function-key' })).toBe(401)
  },
)

test('the ping is open, the status says Running, the list tells name, state and address', async () => {
  await using host = await startFixture('timers', { settings })
  expect((await host.call('/admin/host/ping')).status).toBe(200)
  const status = await host.call('/admin/host/status', { headers: master })
  expect(await status.json()).toMatchObject({ state: 'Running' })
  const list = await host.call('/admin/functions', { headers: master })
  const address = `${host.origin}/api/release`
  expect(await list.json()).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ name: 'off', isDisabled: true, invoke_url_template: null }),
      expect.objectContaining({ name: 'release', language: 'node', invoke_url_template: address }),
    ]),
  )
})

const fire = (body: string) => ({ method: 'POST', headers: master, body })

test('a timer can be fired by hand; an input that is no text is refused', async () => {
  await using host = await startFixture('timers', { settings })
  expect((await host.call('/admin/functions/hourly', fire('{}'))).status).toBe(202)
  await host.control.finished('hourly')
  expect((await host.call('/admin/functions/hourly', fire('{"input": 1}'))).status).toBe(400)
})

test('a queue function can be fired by hand with the text of a message', async () => {
  const busSettings = { BUS: 'Endpoint=sb://unused', ONE_QUEUE: 'one' }
  await using host = await startFixture('messages', { settings: busSettings, bus: silentBus })
  const input = JSON.stringify({ input: '{"n":1}' })
  expect((await host.call('/admin/functions/one', fire(input))).status).toBe(202)
  await host.control.finished('one')
  expect(host.told('one')).toMatchObject([{ body: { n: 1 } }])
})

const silentBus = {
  listen: () => ({ stop: async () => {}, [Symbol.asyncDispose]: async () => {} }),
  send: async () => {},
  [Symbol.asyncDispose]: async () => {},
}

test('browsers of allowed origins may call; the preflight reaches no function', async () => {
  await using host = await startFixture('http', { cors: ['http://localhost:3000'] })
  const preflight = await host.call('/plain', {
    method: 'OPTIONS',
    headers: {
      origin: 'http://localhost:3000',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'x-own',
    },
  })
  expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([
    204,
    'x-own',
  ])
  const allowed = await host.call('/nothing', { headers: { origin: 'http://localhost:3000' } })
  expect(allowed.headers.get('access-control-allow-origin')).toBe('http://localhost:3000')
  const other = await host.call('/nothing', { headers: { origin: 'http://evil.test' } })
  expect(other.headers.get('access-control-allow-origin')).toBeNull()
})
