import { expect, test } from 'vitest'
import { resultOf, startTwin, type Twin } from './servicenow-client.ts'

const PATH = '/api/now/table/incident'

test('a rate rule tells limit, reset and rule, never what remains; beyond it comes 429 with Retry-After', async () => {
  await using twin = await startTwin()
  twin.control.limitRate({ requestsPerHour: 2 })
  const first = await twin.call(PATH)
  expect(first.headers.get('x-ratelimit-limit')).toBe('2')
  expect(first.headers.get('x-ratelimit-rule')).toMatch(/^[0-9a-f]{32}$/)
  expect(first.headers.get('x-ratelimit-remaining')).toBeNull()
  const resetMs = Number(first.headers.get('x-ratelimit-reset')) * 1000
  expect(resetMs - twin.control.clock.now()).toBeLessThanOrEqual(3_600_000)
  await twin.call(PATH)
  const refused = await twin.call(PATH)
  expect([refused.status, refused.json]).toEqual([
    429,
    {
      error: {
        message: 'Rate limit exceeded',
        detail: 'Rate limit of 2 requests per hour for the resource exceeded',
      },
      status: 'failure',
    },
  ])
  const seconds = Number(refused.headers.get('retry-after'))
  expect(refused.headers.get('x-ratelimit-limit')).toBe('2')
  expect((await twin.call('/api/now/table/sys_user')).status).toBe(429)
  twin.control.clock.advance(seconds * 1000)
  expect((await twin.call(PATH)).status).toBe(200)
})

test.for([
  [[{ requestsPerHour: 5 }, { requestsPerHour: 9, appliesTo: 'role' }], '9'],
  [
    [
      { requestsPerHour: 9, appliesTo: 'role' },
      { requestsPerHour: 7, appliesTo: 'role' },
    ],
    '7',
  ],
  [
    [
      { requestsPerHour: 1, appliesTo: 'role' },
      { requestsPerHour: 50, appliesTo: 'user' },
    ],
    '50',
  ],
  [[{ requestsPerHour: 5, resource: '/sys_user' }], null],
] as const)('of the rules %j the one with %s applies', async ([rules, limit]) => {
  await using twin = await startTwin()
  for (const rule of rules) twin.control.limitRate(rule)
  expect((await twin.call(PATH)).headers.get('x-ratelimit-limit')).toBe(limit)
  twin.control.clearRateLimits()
  expect((await twin.call(PATH)).headers.get('x-ratelimit-limit')).toBeNull()
})

test.for([
  ['rule', '30', '1000'],
  ['semaphore', null, null],
  ['quota', null, null],
] as const)(
  'a planned 429 of the kind %s has Retry-After %s',
  async ([kind, retryAfter, limit]) => {
    await using twin = await startTwin()
    twin.control.throttle(kind, 2)
    for (let time = 0; time < 2; time += 1) {
      const refused = await twin.call(PATH)
      expect(refused.status).toBe(429)
      expect(refused.json).toMatchObject({ status: 'failure' })
      expect(refused.headers.get('retry-after')).toBe(retryAfter)
      expect(refused.headers.get('x-ratelimit-limit')).toBe(limit)
    }
    expect((await twin.call(PATH)).status).toBe(200)
  },
)

test('a hibernating instance answers a page with 200, to token calls, too', async () => {
  await using twin = await startTwin()
  twin.control.hibernate(2)
  for (const path of [PATH, '/oauth_token.do']) {
    const { status, headers, text } = await twin.call(path)
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html;charset=UTF-8'])
    expect(text).toContain('hibernating')
  }
  expect((await twin.call(PATH)).status).toBe(200)
})

test.for([502, 503, 504])('a planned %i answers without the work', async (status) => {
  await using twin = await startTwin()
  twin.control.fail({ operation: `POST ${PATH}$`, status, body: '<html>', headers: {} })
  expect((await twin.call(PATH, { method: 'POST', body: {} })).status).toBe(status)
  expect(twin.control.rows('incident')).toEqual([])
})

test('a lost answer has created its record; a dropped connection has not', async () => {
  await using twin = await startTwin()
  const create = () => twin.call(PATH, { method: 'POST', body: { correlation_id: 'ours-1' } })
  twin.control.fail({ operation: 'POST', connection: 'drop' })
  await expect(create()).rejects.toThrow()
  expect(twin.control.rows('incident')).toHaveLength(0)
  twin.control.fail({ operation: 'POST', connection: 'lose-answer' })
  await expect(create()).rejects.toThrow()
  expect(await twin.numbers('correlation_id=ours-1')).toHaveLength(1)
})

test('calls are counted by operation, records by one name', async () => {
  await using twin = await startTwin({ count: 2 })
  for (const row of twin.control.rows('incident')) await twin.call(`${PATH}/${row['sys_id'] ?? ''}`)
  await twin.call(`${PATH}?sysparm_limit=1`)
  expect(twin.control.calls()).toEqual({ [`GET ${PATH}/{sys_id}`]: 2, [`GET ${PATH}`]: 1 })
})

/** Waits for a state of the twin that other requests bring about. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}

test('calls that send the session cookie back run one at a time; from the eleventh waiting on they are dropped', async () => {
  await using twin = await startTwin({ sessionCallMs: 3_600_000 })
  const cookie = (await twin.call(PATH)).headers.get('set-cookie')?.split(';')[0] ?? ''
  const create = () => twin.call(PATH, { method: 'POST', headers: { cookie }, body: {} })
  const kept = Array.from({ length: 11 }, create)
  await until(() => twin.control.parts.sessions.waiting() === 10)
  const dropped = await create()
  expect([dropped.status, dropped.text]).toEqual([202, ''])
  for (let done = 1; done <= 11; done += 1) {
    twin.control.clock.advance(3_600_000)
    await until(() => twin.control.rows('incident').length === done)
    await until(() => twin.control.parts.sessions.waiting() === Math.max(0, 10 - done))
  }
  expect((await Promise.all(kept)).map(({ status }) => status)).toEqual(Array(11).fill(201))
  expect(twin.control.rows('incident')).toHaveLength(11)
})

interface BatchAnswer {
  readonly serviced_requests: readonly {
    readonly id: string
    readonly status_code: number
    readonly body: string
    readonly headers?: readonly unknown[]
  }[]
  readonly unserviced_requests: readonly string[]
}

async function batch(twin: Twin, requests: readonly object[]) {
  const answer = await twin.call('/api/now/v1/batch', {
    method: 'POST',
    body: { batch_request_id: 7, rest_requests: requests },
  })
  expect(answer.status).toBe(200)
  const parsed = answer.json as BatchAnswer // the tests below check what matters of it
  const items = parsed.serviced_requests.map(({ id, status_code, body }) => {
    const text = Buffer.from(body, 'base64').toString()
    return { id, status: status_code, body: text === '' ? undefined : (JSON.parse(text) as object) }
  })
  return { ...parsed, items }
}

/** Stock clients leave `Accept` to the batch itself. */
const JSON_HEADERS = [{ name: 'Content-Type', value: 'application/json' }]
const insert = (id: unknown, fields: object) => ({
  id,
  method: 'POST',
  url: PATH,
  headers: JSON_HEADERS,
  body: Buffer.from(JSON.stringify(fields)).toString('base64'),
})

test('a batch answers each item by itself under one 200', async () => {
  await using twin = await startTwin()
  const { items, ...answer } = await batch(twin, [
    insert(1, { category: 'a' }),
    { id: 'missing', method: 'GET', url: `${PATH}/nothing`, exclude_response_headers: true },
    { id: 'list', method: 'GET', url: `${PATH}?sysparm_query=category=a&sysparm_fields=category` },
  ])
  expect(answer).toMatchObject({ batch_request_id: '7', unserviced_requests: [] })
  expect(items).toMatchObject([
    { id: '1', status: 201, body: { result: { category: 'a' } } },
    { id: 'missing', status: 404 },
    { id: 'list', status: 200, body: { result: [{ category: 'a' }] } },
  ])
  expect(answer.serviced_requests.map((item) => 'headers' in item)).toEqual([true, false, true])
})

test('a batch that used up its quota names what it did not serve', async () => {
  await using twin = await startTwin()
  twin.control.limitBatch(1)
  const requests = [insert('a', {}), insert('b', {}), insert('c', {})]
  const first = await batch(twin, requests)
  expect([first.items.map(({ id }) => id), first.unserviced_requests]).toEqual([['a'], ['b', 'c']])
  expect(twin.control.rows('incident')).toHaveLength(1)
  expect((await batch(twin, requests.slice(1))).unserviced_requests).toEqual([])
})

test('an item of a batch can be throttled by itself; a malformed batch is answered 500', async () => {
  await using twin = await startTwin()
  twin.control.throttle('semaphore', 1, 'batch POST')
  const { items } = await batch(twin, [insert('a', {}), insert('b', {})])
  expect(items.map(({ status }) => status)).toEqual([429, 201])
  const bad = await twin.call('/api/now/v1/batch', { method: 'POST', body: { nonsense: 1 } })
  expect(bad.status).toBe(500)
})

test('an import finds its record again, and answers 201 even for an error', async () => {
  await using twin = await startTwin()
  const send = async (body: object) => {
    const answer = await twin.call('/api/now/import/u_syncline_incident', { method: 'POST', body })
    return [answer.status, (resultOf(answer) as { status: string }[])[0]?.status]
  }
  expect(await send({ correlation_id: 'x1', category: 'a' })).toEqual([201, 'inserted'])
  expect(await send({ correlation_id: 'x1', category: 'a' })).toEqual([201, 'ignored'])
  expect(await send({ correlation_id: 'x1', category: 'b' })).toEqual([201, 'updated'])
  expect(await send({ category: 'c' })).toEqual([201, 'error'])
  expect(twin.control.rows('incident')).toMatchObject([{ correlation_id: 'x1', category: 'b' }])
})
