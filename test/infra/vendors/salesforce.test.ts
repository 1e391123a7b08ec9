import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { close, listen } from '../../../infra/local/http-server.ts'
import { startSalesforce, type SalesforceOptions } from '../../../infra/local/vendors/salesforce.ts'

interface Call {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

async function startTwin(options: SalesforceOptions = {}) {
  const twin = await startSalesforce(options)
  const {
    SALESFORCE_URL: url = '',
    SALESFORCE_CLIENT_ID = '',
    SALESFORCE_CLIENT_SECRET = '',
  } = twin.settings
  const post = async (path: string, form: Record<string, string>) => {
    const client = { client_id: SALESFORCE_CLIENT_ID, client_secret: SALESFORCE_CLIENT_SECRET }
    const body = new URLSearchParams({ ...client, ...form })
    const response = await fetch(`${url}${path}`, { method: 'POST', body })
    return { status: response.status, body: (await response.json()) as Record<string, string> } // of texts here
  }
  const refresh = (token: string) =>
    post('/services/oauth2/token', { grant_type: 'refresh_token', refresh_token: token })
  const { body: session } = await refresh(twin.control.issueRefreshToken())
  const call = async (path: string, init: Call = {}) => {
    const headers = { authorization: `Bearer ${session['access_token']}`, ...init.headers }
    const response = await fetch(`${url}/services/data/v60.0/${path}`, { ...init, headers })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text }
  }
  return {
    ...twin,
    url,
    post,
    refresh,
    session,
    call,
    [Symbol.asyncDispose]: () => twin[Symbol.asyncDispose](),
  }
}

const json = (method: string, body: object) => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
const query = (soql: string) => `query?q=${encodeURIComponent(soql)}`

test('a token answer has no lifetime; introspection tells when the session ends', async () => {
  await using twin = await startTwin()
  expect(Object.keys(twin.session)).not.toContain('expires_in')
  expect(twin.session['issued_at']).toMatch(/^\d{13}$/)
  const introspect = () =>
    twin.post('/services/oauth2/introspect', { token: twin.session['access_token'] ?? '' })
  expect((await introspect()).body).toMatchObject({ active: true })
  twin.control.clock.advance(2 * 3_600_000 + 1)
  expect((await introspect()).body).toEqual({ active: false })
  const late = await twin.call('query?q=x')
  expect([late.status, JSON.parse(late.text)]).toEqual([
    401,
    [{ message: 'Session expired or invalid', errorCode: 'INVALID_SESSION_ID' }],
  ])
})

test('a sixth grant ends the first, and rotation ends the one that was used', async () => {
  await using twin = await startTwin()
  const tokens = [1, 2, 3, 4, 5, 6].map(() => twin.control.issueRefreshToken())
  expect((await twin.refresh(tokens[0] ?? '')).body['error']).toBe('invalid_grant')
  twin.control.rotateRefreshTokens(true)
  const rotated = (await twin.refresh(tokens[5] ?? '')).body['refresh_token'] ?? ''
  expect((await twin.refresh(tokens[5] ?? '')).body['error']).toBe('invalid_grant')
  expect((await twin.refresh(rotated)).status).toBe(200)
})

test('a long query goes on by its locator, until the locator is two days old', async () => {
  await using twin = await startTwin({ count: 450 })
  const first = JSON.parse(
    (
      await twin.call(query('SELECT Id FROM Case ORDER BY Id'), {
        headers: { 'sforce-query-options': 'batchSize=200' },
      })
    ).text,
  ) as { done: boolean; totalSize: number; nextRecordsUrl: string; records: object[] } // the API's page
  expect([first.done, first.totalSize, first.records.length]).toEqual([false, 450, 200])
  const path = first.nextRecordsUrl.replace('/services/data/v60.0/', '')
  const second = JSON.parse((await twin.call(path)).text) as { records: object[] } // the API's page
  expect(second.records).toHaveLength(200)
  twin.control.expireLocators()
  expect((await twin.call(path)).text).toContain('INVALID_QUERY_LOCATOR')
})

test.for<[string, string]>([
  ['SELECT Id FROM Nothing', 'INVALID_TYPE'],
  ['SELECT Nonsense FROM Case', 'INVALID_FIELD'],
  ['SELECT Id FROM Case WHERE', 'MALFORMED_QUERY'],
  ["SELECT Id FROM Case WHERE Subject = 'a' OR Subject = 'b' AND Subject = 'c'", 'MALFORMED_QUERY'],
  ["SELECT Id FROM Case WHERE SystemModstamp > '2026-01-01T00:00:00Z'", 'INVALID_FIELD'],
  ['SELECT Id FROM Case OFFSET 2001', 'NUMBER_OUTSIDE_VALID_RANGE'],
  ['DELETE FROM Case', 'MALFORMED_QUERY'],
])('%s is %s', async ([soql, code]) => {
  await using twin = await startTwin()
  const answer = await twin.call(query(soql))
  expect([answer.status, answer.text.includes(code)]).toEqual([400, true])
})

test('an external id that several records have is 300, one record 204, none 201', async () => {
  await using twin = await startTwin()
  const upsert = (value: string) =>
    twin.call(`sobjects/Case/Legacy_Id__c/${value}`, json('PATCH', { Subject: 'x' }))
  expect((await upsert('a')).status).toBe(201)
  expect((await upsert('a')).status).toBe(204)
  twin.control.create('Case', { Legacy_Id__c: 'a' })
  const several = await upsert('a')
  expect([several.status, JSON.parse(several.text)]).toMatchObject([
    300,
    [expect.any(String), expect.any(String)],
  ])
})

test('with all or none, one bad record takes the others with it', async () => {
  await using twin = await startTwin()
  const records = [
    { attributes: { type: 'Contact' }, LastName: 'A' },
    { attributes: { type: 'Contact' } },
  ]
  const answer = await twin.call('composite/sobjects', json('POST', { allOrNone: true, records }))
  expect([answer.status, answer.text.match(/[A-Z_]{10,}/g)]).toEqual([
    200,
    ['ALL_OR_NONE_OPERATION_ROLLED_BACK', 'REQUIRED_FIELD_MISSING'],
  ])
  expect(twin.control.rows('Contact')).toEqual([])
})

test('every answer tells the use of the quota, which refuses when it is spent and comes back', async () => {
  await using twin = await startTwin()
  twin.control.setDailyLimit(2)
  const one = await twin.call(query('SELECT Id FROM Case'))
  expect(one.headers.get('sforce-limit-info')).toBe('api-usage=1/2')
  await twin.call(query('SELECT Id FROM Case'))
  const refused = await twin.call(query('SELECT Id FROM Case'))
  expect([refused.status, refused.text.includes('REQUEST_LIMIT_EXCEEDED')]).toEqual([403, true])
})

test('a change goes out signed, once, and is not repeated when it fails', async () => {
  const seen: { body: string; signature: string }[] = []
  const receiver = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      seen.push({ body, signature: String(request.headers['x-salesforce-content-sha256']) })
      response.writeHead(seen.length === 1 ? 200 : 500).end()
    })
  })
  const port = await listen(receiver, 0)
  await using twin = await startTwin({
    webhook: { url: `http://127.0.0.1:${port}/x`, secret: 's' },
  })
  const id = String(twin.control.create('Case', { Subject: 'Zoë ☃' })['Id'])
  twin.control.update('Case', id, { Subject: 'y' })
  await twin.control.settled()
  await close(receiver)
  expect(seen.map(({ signature }) => signature)).toEqual(
    seen.map(({ body }) => createHmac('sha256', 's').update(body).digest('base64')),
  )
  expect(seen.map(({ body }) => (JSON.parse(body) as { eventType: string }).eventType)).toEqual([
    'Case.create',
    'Case.update',
  ])
  expect(twin.control.webhooks()).toEqual({ attempts: 2, delivered: 1, failed: 1, pending: 0 })
})
