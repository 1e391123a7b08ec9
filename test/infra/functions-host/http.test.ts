import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { MAX_BODY_BYTES } from '../../../infra/local/functions-host/http-front.ts'
import { startFixture } from './start.ts'

const start = (options = {}) =>
  startFixture('http', {
    settings: { 'AzureWebJobs.off.Disabled': 'true', FIXTURE_WORD: 'given' },
    ...options,
  })

/** Sends what fetch would not: headers twice, a body of unknown length, a body with GET. */
async function rawCall(url: string, options: { method: string; headers: string[]; body?: string }) {
  const { method, headers, body } = options
  const call = httpRequest(url, { method, headers })
  call.end(body)
  const [response] = await once(call, 'response')
  return JSON.parse(await text(response))
}

test('a function sees method, decoded parameters, the query as a dictionary and raw bytes', async () => {
  await using host = await start()
  const answer = await host.call('/ECHO/a%20b%2Fc/x/y%20z?q=1&q=2&Other=%26&q=', {
    method: 'POST',
    body: Buffer.from([0, 255, 10]),
  })
  expect(await answer.json()).toMatchObject({
    function: 'echo',
    method: 'POST',
    url: `${host.origin}/ECHO/a%20b%2Fc/x/y%20z?q=1&q=2&Other=%26&q=`,
    params: { id: 'a b%2Fc', path: 'x/y z' },
    query: [
      ['q', '1,2,'],
      ['Other', '&'],
    ],
    body: '00ff0a',
    metadata: null,
  })
})

test('repeated headers come as one value; a body without a length and a body of GET do not come', async () => {
  await using host = await start()
  const url = `${host.origin}/echo/1/2`
  const headers = ['Host', 'example.test', 'X-Tenant', 'a', 'x-tenant', 'b', 'x-empty', '']
  const chunked = await rawCall(url, {
    method: 'POST',
    headers: [...headers, 'transfer-encoding', 'chunked'],
    body: 'lost',
  })
  expect(chunked).toMatchObject({
    url: 'http://example.test/echo/1/2',
    headers: { 'x-tenant': 'a,b', 'x-empty': '' },
    body: '',
  })
  const got = await rawCall(url, {
    method: 'GET',
    headers: ['host', 'a.test', 'content-length', '4'],
    body: 'drop',
  })
  expect(got).toMatchObject({ method: 'GET', body: '' })
})

test.for([
  ['GET', '/items/new', 'literal'],
  ['GET', '/Items/New/', 'literal'],
  ['GET', '/items/12', 'number'],
  ['GET', '/items/abc', 'parameter'],
  ['GET', '/items/a/b', 'rest'],
  ['GET', '/items', 'rest'],
  ['PUT', '/items/new', 'change'],
  ['POST', '/plain', 'plain'],
] as const)('%s %s is answered by %s', async ([method, path, name]) => {
  await using host = await start()
  const answer = await host.call(path, { method })
  expect(await answer.json()).toMatchObject({ function: name, method })
})

test('another path is 404, another method 405 with Allow, a disabled function 404', async () => {
  await using host = await start()
  const statusOf = async (path: string, method = 'GET') =>
    (await host.call(path, { method })).status
  expect(await statusOf('/nowhere')).toBe(404)
  expect(await statusOf('/plain/more', 'POST')).toBe(404)
  expect(await statusOf('/off')).toBe(404)
  const refused = await host.call('/items/1', { method: 'POST' })
  expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, PUT, DELETE'])
})

test.for([
  ['/guarded', {}, 401],
  ['/guarded', { 'x-functions-key': 'wrong' }, 401],
  ['/guarded', { 'x-functions-key': '' }, 401],
  ['/guarded', { 'x-functions-key': 'the-function-key' }, 200],
  ['/guarded?code=the-function-key', {}, 200],
  ['/guarded?code=the-master-key', {}, 200],
  ['/owner', { 'x-functions-key': 'the-function-key' }, 401],
  ['/owner', { 'x-functions-key': 'the-master-key' }, 200],
  ['/nothing', {}, 204],
] as const)('%s with %o is answered %i', async ([path, headers, status]) => {
  await using host = await start()
  const answer = await host.call(path, { headers })
  expect(answer.status).toBe(status)
  expect(await answer.text()).toBe(status === 200 ? 'in' : '')
})

test('status, headers, cookies and bytes of the answer go out as the function gave them', async () => {
  await using host = await start()
  const answer = await host.call('/cookies')
  expect([answer.status, answer.headers.get('content-type'), answer.headers.get('x-own')]).toEqual([
    201,
    'text/csv',
    'yes',
  ])
  expect(answer.headers.getSetCookie()).toEqual([
    'a=1%202; path=/x; secure; samesite=lax; httponly',
    'b=2; max-age=60; path=/',
  ])
  const bytes = await host.call('/bytes', { method: 'POST', body: Buffer.from([0, 254]) })
  expect(Buffer.from(await bytes.arrayBuffer()).toString('hex')).toBe('00fe')
  const head = await host.call('/echo/1/2', { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
})

test('a body above the limit is refused before it is read', async () => {
  await using host = await start()
  const call = httpRequest(`${host.origin}/plain`, {
    method: 'POST',
    headers: { 'content-length': String(MAX_BODY_BYTES + 1) },
  })
  call.flushHeaders()
  const [response] = await once(call, 'response')
  expect(response.statusCode).toBe(413)
  call.destroy()
  expect(host.control.invocations()).toEqual({})
})

test('a failure is 500 and says nothing; the log tells what happened', async () => {
  await using host = await start()
  const thrown = await host.call('/throws')
  expect([thrown.status, await thrown.text()]).toEqual([500, ''])
  expect((await host.call('/text')).status).toBe(500)
  const errors = host.lines.filter(({ level }) => level === 'error')
  expect(errors.map(({ functionName }) => functionName)).toEqual(['throws', 'text'])
  expect(errors[0]?.message).toContain('a secret detail')
  expect(host.control.invocations()).toMatchObject({ throws: { succeeded: 0, failed: 1 } })
})

test('log lines carry level, category and invocation, and logLevel of host.json holds', async () => {
  await using host = await start()
  const invocationId = await (await host.call('/logs')).text()
  const own = host.lines.filter(({ category }) => category === 'Function.logs.User')
  expect(own).toEqual([
    {
      time: expect.stringMatching(/Z$/),
      level: 'information',
      category: 'Function.logs.User',
      functionName: 'logs',
      invocationId,
      message: 'hello 1',
    },
    expect.objectContaining({ level: 'warning', message: 'careful' }),
  ])
})

test('a function that outlasts functionTimeout is given up and answered 500', async () => {
  await using host = await start({
    settings: { AzureFunctionsJobHost__functionTimeout: '00:00:00.050' },
    shutdownTimeoutMs: 1,
  })
  expect((await host.call('/slow')).status).toBe(500)
  expect(host.control.invocations()['slow']).toEqual({ succeeded: 0, failed: 0, 'timed-out': 1 })
})

test('settings are in process.env while the host runs, and only then', async () => {
  for (const word of ['first', 'second']) {
    await using host = await start({ settings: { FIXTURE_WORD: word } })
    expect(await (await host.call('/setting')).text()).toBe(word)
  }
  expect(process.env['FIXTURE_WORD']).toBeUndefined()
})

test('planned faults strike the functions too: a lost answer has its effect', async () => {
  await using host = await start()
  host.control.fail({ operation: '^POST /plain$', connection: 'lose-answer' })
  await expect(host.call('/plain', { method: 'POST' })).rejects.toThrow()
  expect(host.control.invocations()['plain']?.succeeded).toBe(1)
  host.control.fail({ status: 503, headers: { 'retry-after': '3' } })
  const refused = await host.call('/plain', { method: 'POST' })
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '3'])
})
