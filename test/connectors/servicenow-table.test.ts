import { expect, test } from 'vitest'
import { vendorClient, type Authorization } from '../../src/connectors/client.ts'
import type { VendorPageRequest } from '../../src/connectors/connector.ts'
import { queryFor, tableStream, windowOf } from '../../src/connectors/servicenow/table.ts'
import { retryAfterMs } from '../../src/core/retry-after.ts'
import { startServiceNow } from '../../infra/local/vendors/servicenow.ts'

const now = new Date('2026-03-01T10:00:00Z')
const stream = tableStream('incident', {
  name: 'incident',
  fields: [{ local: 'number', external: 'number', type: 'text' }],
  markerField: undefined,
  hasDeleteLog: true,
})
const columns = { stamp: 'sys_updated_on', id: 'sys_id' } as const
const first: VendorPageRequest = { after: null, skip: 0, limit: 10 }
const signal = new AbortController().signal

/** A client whose instance gives the answers one after another. */
function clientOf(answers: Response[]) {
  const asked: { url: string; headers: Headers }[] = []
  const refused: (Authorization | undefined)[] = []
  const client = vendorClient({
    origin: 'https://acme.service-now.com',
    now: () => now,
    quota: { admit: async () => undefined, learnFrom: async () => {} },
    authorize: async (before) => {
      refused.push(before)
      return { kind: 'authorized', headers: { authorization: `Bearer ${refused.length}` } }
    },
    fetch: async (input, init) => {
      asked.push({ url: new Request(input).url, headers: new Headers(init?.headers) })
      return answers.shift() ?? Response.error()
    },
  })
  return { client, asked, refused }
}

const json = (body: object, status = 200, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', ...headers },
  })
const row = (id: string, stamp: string) => ({
  sys_id: id,
  sys_updated_on: stamp,
  sys_mod_count: '3',
  number: `N${id}`,
})

test('a page is asked for behind a place: by stamp, then by id', () => {
  expect(queryFor(columns, null)).toBe('ORDERBYsys_updated_on^ORDERBYsys_id')
  const time = '2026-03-01T09:59:59.000Z'
  expect(queryFor(columns, { time, id: '' })).toBe(
    'sys_updated_on>=2026-03-01 09:59:59^ORDERBYsys_updated_on^ORDERBYsys_id',
  )
  expect(queryFor(columns, { time, id: 'abc' })).toBe(
    'sys_updated_on>2026-03-01 09:59:59^NQsys_updated_on=2026-03-01 09:59:59^sys_id>abc^ORDERBYsys_updated_on^ORDERBYsys_id',
  )
})

test("S28: the place of a row is made of the instance's own values, read as UTC", async () => {
  const { client } = clientOf([json({ result: [row('a', '2026-11-01 01:30:00')] })])
  expect(await stream.fetchPage(client, first, signal)).toMatchObject({
    kind: 'page',
    more: false,
    rows: [
      {
        externalId: 'a',
        cursor: { time: '2026-11-01T01:30:00.000Z', id: 'a' },
        version: { count: 3 },
      },
    ],
  })
})

test.for<[string, Response, object]>([
  ['429 with a wait', json({}, 429, { 'retry-after': '7' }), { kind: 'retry', afterMs: 7_000 }],
  ['429 without one', json({}, 429), { kind: 'retry' }],
  ['202: the call was dropped', json({ result: [] }, 202), { kind: 'retry' }],
  [
    'a page for people with 200',
    new Response('<html>', { headers: { 'content-type': 'text/html' } }),
    { kind: 'retry' },
  ],
  ['JSON without a list', json({ result: 'no' }), { kind: 'retry' }],
  [
    'half a JSON',
    new Response('{"result":[', { headers: { 'content-type': 'application/json' } }),
    { kind: 'retry' },
  ],
  ['503', json({}, 503), { kind: 'retry' }],
  ['403', json({}, 403), { kind: 'refused', code: 'vendor_failed' }],
  ['404', json({}, 404), { kind: 'refused', code: 'vendor_failed' }],
  ['a redirect', json({}, 302, { location: 'https://evil.example' }), { kind: 'refused' }],
  [
    'a row without an id',
    json({ result: [{ sys_updated_on: '2026-01-01 00:00:00' }] }),
    { kind: 'refused', code: 'vendor_unexpected_answer' },
  ],
  [
    'a row without a stamp',
    json({ result: [{ sys_id: 'x', sys_updated_on: '' }] }),
    { kind: 'refused', code: 'vendor_unexpected_answer' },
  ],
])('%s is told apart', async ([, answer, expected]) => {
  const { client } = clientOf([answer])
  expect(await stream.fetchPage(client, first, signal)).toMatchObject(expected)
})

test('rows in front of the place mean that the instance ignored the query', async () => {
  const after = { time: '2026-03-01T09:00:00.000Z', id: 'm' }
  const { client } = clientOf([json({ result: [row('a', '2026-03-01 09:00:00')] })])
  expect(await stream.fetchPage(client, { after, skip: 0, limit: 10 }, signal)).toMatchObject({
    kind: 'refused',
    code: 'vendor_ignored_filter',
  })
})

test('a short page is not the end while a next link or the total says so', async () => {
  const link = { link: '<https://acme.service-now.com/x>;rel="next"' }
  const { client } = clientOf([
    json({ result: [] }, 200, link),
    json({ result: [] }, 200, { 'x-total-count': '11' }),
    json({ result: [] }, 200, { 'x-total-count': '10' }),
  ])
  expect(await stream.fetchPage(client, first, signal)).toMatchObject({ more: true })
  expect(await stream.fetchPage(client, first, signal)).toMatchObject({ more: true })
  expect(await stream.fetchPage(client, first, signal)).toMatchObject({ more: false })
})

test('a full page is not the end, whatever the total and the links say', async () => {
  const rows = Array.from({ length: 10 }, (_, at) => row(`${at}`, '2026-03-01 09:00:00'))
  const { client } = clientOf([
    json({ result: rows }, 200, { 'x-total-count': '3', link: '<x>;rel="first"' }),
  ])
  expect(await stream.fetchPage(client, first, signal)).toMatchObject({ more: true })
})

test('a 401 is answered by one new authorization and one more try, not by a third', async () => {
  const denied = () => json({}, 401)
  const { client, asked, refused } = clientOf([denied(), json({ result: [] }), denied(), denied()])
  expect(await stream.fetchPage(client, first, signal)).toMatchObject({ kind: 'page' })
  expect(asked.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer 1', 'Bearer 2'])
  expect(refused[1]).toMatchObject({ headers: { authorization: 'Bearer 1' } })
  expect(await stream.fetchPage(client, first, signal)).toMatchObject({ code: 'reauth_required' })
  expect(asked).toHaveLength(4)
})

test.for<[string | null, number | undefined]>([
  ['7', 7_000],
  ['2.5', 2_500],
  ['0', 1_000],
  ['-5', 1_000],
  ['86400', 3_600_000],
  ['Sun, 01 Mar 2026 10:00:30 GMT', 30_000],
  ['Sun, 01 Mar 2026 09:00:00 GMT', 1_000],
  ['soon', undefined],
  ['', undefined],
  [null, undefined],
])('S53: Retry-After %j is a wait of %j ms', ([header, expected]) => {
  expect(retryAfterMs(header, now)).toBe(expected)
})

test('every row of an instance is read once, whatever the page size, with rows hidden by access rules', async () => {
  await using twin = await startServiceNow({ count: 120 })
  twin.control.hideRows('incident', 'priority=3')
  const token = await fetch(`${twin.settings['SERVICENOW_URL']}/oauth_token.do`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: twin.control.issueRefreshToken(),
      client_id: twin.settings['SERVICENOW_CLIENT_ID'] ?? '',
      client_secret: twin.settings['SERVICENOW_CLIENT_SECRET'] ?? '',
    }),
  })
  const { access_token } = (await token.json()) as { access_token: string } // the twin's own answer
  const client = vendorClient({
    origin: twin.settings['SERVICENOW_URL'] ?? '',
    now: () => now,
    quota: { admit: async () => undefined, learnFrom: async () => {} },
    fetch,
    authorize: async () => ({
      kind: 'authorized',
      headers: { authorization: `Bearer ${access_token}` },
    }),
  })
  const visible = twin.control.rows('incident').filter((one) => one['priority'] !== '3')
  for (const limit of [1, 7, 50, 500]) {
    const seen: string[] = []
    let request: VendorPageRequest = { after: null, skip: 0, limit }
    for (let more = true; more;) {
      const page = await stream.fetchPage(client, request, signal)
      if (page.kind !== 'page') throw new Error(page.reason)
      seen.push(...page.rows.map(({ externalId }) => externalId))
      const last = page.rows.at(-1)
      request = last
        ? { after: last.cursor, skip: 0, limit }
        : { ...request, skip: request.skip + limit }
      more = page.more
    }
    expect(seen.sort()).toEqual(visible.map((one) => one['sys_id'] ?? '').sort())
  }
})

test('S23: a call that may not be made now is not made', async () => {
  const asked: string[] = []
  const limited = { kind: 'retry', reason: 'the limit', afterMs: 5_000, limited: true } as const
  const client = vendorClient({
    origin: 'https://acme.service-now.com',
    now: () => now,
    quota: { admit: async () => limited, learnFrom: async () => {} },
    authorize: async () => ({ kind: 'authorized', headers: {} }),
    fetch: async (input) => {
      asked.push(new Request(input).url)
      return json({ result: [] })
    },
  })
  expect(await stream.fetchPage(client, first, signal)).toEqual(limited)
  expect(asked).toEqual([])
})

test('every answer is told to the limits, and 429 costs no try', async () => {
  const told: number[] = []
  const client = vendorClient({
    origin: 'https://acme.service-now.com',
    now: () => now,
    quota: {
      admit: async () => undefined,
      learnFrom: async (_call, { status, headers }) => {
        told.push(status, Number(headers.get('retry-after')))
      },
    },
    authorize: async () => ({ kind: 'authorized', headers: {} }),
    fetch: async () => json({ error: 'slow down' }, 429, { 'retry-after': '7' }),
  })
  expect(await stream.fetchPage(client, first, signal)).toMatchObject({
    kind: 'retry',
    afterMs: 7_000,
    limited: true,
  })
  expect(told).toEqual([429, 7])
})

test.for([
  [
    { skip: 0, limit: 100 },
    { skip: 0, limit: 100 },
  ],
  [
    { skip: 100, limit: 100 },
    { skip: 0, limit: 200 },
  ],
  [
    { skip: 4_800, limit: 4_800 },
    { skip: 0, limit: 9_600 },
  ],
  [
    { skip: 9_600, limit: 5_000 },
    { skip: 4_600, limit: 10_000 },
  ],
] as const)(
  'hidden rows are looked at from their place as long as one answer holds them: %j',
  ([asked, window]) => {
    expect(windowOf(asked)).toEqual(window)
  },
)
