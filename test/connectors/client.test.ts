import { describe, expect, test } from 'vitest'
import { vendorClient, type Authorization } from '../../src/connectors/client.ts'
import type { Json } from '../../src/core/canonical-json.ts'
import { connectors } from '../../src/connectors/index.ts'
import { instanceOf } from '../../src/connectors/instance.ts'
import { commonRules, interpret, type OutcomeTable } from '../../src/connectors/outcome.ts'
import { outcomes as githubOutcomes } from '../../src/connectors/github/outcomes.ts'
import { outcomes as salesforceOutcomes } from '../../src/connectors/salesforce/outcomes.ts'
import { fullId } from '../../src/connectors/salesforce/id.ts'
import { boundless, signal } from './rig.ts'

const now = new Date('2026-03-01T10:00:00Z')
const domains = connectors['salesforce']?.instanceDomains ?? []

describe('a token that names an instance', () => {
  const registered = 'https://acme.my.salesforce.com'
  test.for<[string, string | undefined]>([
    ['https://acme.my.salesforce.com', registered],
    ['https://acme.my.salesforce.com/', registered],
    ['https://na139.salesforce.com', 'https://na139.salesforce.com'],
    ['https://acme--dev.sandbox.my.salesforce.com', 'https://acme--dev.sandbox.my.salesforce.com'],
    ['https://evil.example', undefined],
    ['https://salesforce.com.evil.example', undefined],
    ['https://evilsalesforce.com', undefined],
    ['https://acme.my.salesforce.com.', undefined],
    ['https://acme.my.salesforce.com@evil.example', undefined],
    ['https://user@na139.salesforce.com', undefined],
    ['https://evil.example#.salesforce.com', undefined],
    ['https://evil.example/.salesforce.com', undefined],
    ['https://evil.example\\.salesforce.com', undefined],
    ['https://na139.salesforce.com:8443', undefined],
    ['http://na139.salesforce.com', undefined],
    ['https://site.force.com', undefined],
    ['http://127.0.0.1:7071', undefined],
    ['https://169.254.169.254', undefined],
    ['javascript:alert(1)', undefined],
    ['', undefined],
  ])('%s leads to %s', ([named, expected]) => {
    expect(instanceOf(registered, named, domains)).toBe(expected)
  })

  test('moves no vendor that has no domains of its own, and a local one on this machine only', () => {
    expect(instanceOf(registered, 'https://na139.salesforce.com', [])).toBeUndefined()
    const local = 'http://127.0.0.1:4000'
    expect(instanceOf(local, 'http://127.0.0.1:4001', domains)).toBe('http://127.0.0.1:4001')
    expect(instanceOf(local, 'https://na139.salesforce.com', domains)).toBeUndefined()
  })

  test('carries the token to nobody else', async () => {
    const asked: string[] = []
    const client = vendorClient({
      origin: registered,
      instanceDomains: domains,
      now: () => now,
      quota: boundless,
      authorize: async () => ({
        kind: 'authorized',
        headers: { authorization: 'Bearer secret' },
        instanceUrl: 'https://evil.example',
      }),
      fetch: async (input) => {
        asked.push(new Request(input).url)
        return new Response('{}')
      },
    })
    expect(await client.call({ method: 'GET', path: '/services/data' }, signal)).toMatchObject({
      kind: 'refused',
      code: 'vendor_failed',
    })
    expect(asked).toEqual([])
  })
})

/** A client whose vendor gives the answers one after another. */
function clientOf(answers: (() => Response)[], finalRefusal?: RegExp) {
  const asked: { url: string; method: string; headers: Headers; body: string }[] = []
  const refused: (Authorization | undefined)[] = []
  const client = vendorClient({
    origin: 'https://acme.my.salesforce.com',
    finalRefusal,
    now: () => now,
    quota: boundless,
    authorize: async (before) => {
      refused.push(before)
      return { kind: 'authorized', headers: { authorization: `Bearer ${refused.length}` } }
    },
    fetch: async (input, init) => {
      const { url, method, headers } = new Request(input, init)
      asked.push({ url, method, headers, body: await new Request(input, init).text() })
      const next = answers.shift()
      if (!next) throw new TypeError('fetch failed')
      return next()
    },
  })
  return { client, asked, refused }
}

const json =
  (body: unknown, status = 200) =>
  () =>
    new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })

describe('a call', () => {
  test.for<[string]>([['//evil.example/x'], ['https://evil.example/x'], ['\\\\evil.example']])(
    'to %s stays at home',
    async ([path]) => {
      const { client, asked } = clientOf([])
      const answer = await client.call({ method: 'GET', path }, signal)
      expect(answer.kind).toBe('refused')
      expect(asked).toEqual([])
    },
  )

  test('carries JSON or a form with its type, and never a cookie', async () => {
    const { client, asked } = clientOf([json({}), json({})])
    const call = { method: 'POST', path: '/x' } as const
    await client.call({ ...call, body: { json: { a: 'ü' } } }, signal)
    await client.call({ ...call, body: { form: { a: 'b c' } } }, signal)
    expect(asked.map(({ body }) => body)).toEqual(['{"a":"ü"}', 'a=b+c'])
    expect(asked.map(({ headers }) => headers.get('content-type')?.split(';')[0])).toEqual([
      'application/json',
      'application/x-www-form-urlencoded',
    ])
    expect(asked.every(({ headers }) => headers.get('cookie') === null)).toBe(true)
  })

  test('that was perhaps made is told from one that was not', async () => {
    const { client } = clientOf([])
    expect(await client.call({ method: 'GET', path: '/x' }, signal)).toMatchObject({
      kind: 'retry',
    })
    expect(await client.call({ method: 'POST', path: '/x' }, signal)).toMatchObject({
      kind: 'lost',
    })
    const nowhere = vendorClient({
      origin: 'http://127.0.0.1:1',
      now: () => now,
      quota: boundless,
      authorize: async () => ({ kind: 'authorized', headers: {} }),
      fetch: async () => {
        throw new TypeError('fetch failed', {
          cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }),
        })
      },
    })
    expect(await nowhere.call({ method: 'POST', path: '/x' }, signal)).toMatchObject({
      kind: 'retry',
    })
  })

  test('that no new token would save is not repeated', async () => {
    const text = 'Session is not valid for the REST API'
    const final = [{ message: text, errorCode: 'INVALID_SESSION_ID' }]
    const { client, refused } = clientOf([json(final, 401)], connectors['salesforce']?.finalRefusal)
    expect(await client.call({ method: 'GET', path: '/x' }, signal)).toMatchObject({ status: 401 })
    expect(refused).toHaveLength(1)
  })
})

interface Said {
  readonly body?: Json | undefined
  readonly headers?: Record<string, string>
}

describe('what an answer means', () => {
  const plain: OutcomeTable = { rules: [], readError: () => ({}) }
  const meaning = (table: OutcomeTable, status: number, { body = {}, headers = {} }: Said) =>
    interpret({ status, headers: new Headers(headers), body }, table, now)

  test('every status of RFC 9110 has a row', () => {
    for (let status = 200; status < 600; status += 1) {
      expect(commonRules.some(({ from, to = from }) => status >= from && status <= to)).toBe(true)
    }
    expect(meaning(plain, 199, {})).toMatchObject({ meaning: 'unknown' })
  })

  const coded = (errorCode: string) => [{ message: 'words', errorCode }]
  test.for<[number, string, string]>([
    [400, 'MALFORMED_QUERY', 'rejected'],
    [400, 'REQUIRED_FIELD_MISSING', 'rejected'],
    [400, 'FIELD_CUSTOM_VALIDATION_EXCEPTION', 'rejected'],
    [400, 'DUPLICATES_DETECTED', 'rejected'],
    [400, 'STRING_TOO_LONG', 'rejected'],
    [400, 'UNABLE_TO_LOCK_ROW', 'retry'],
    [400, 'QUERY_TIMEOUT', 'retry'],
    [400, 'INVALID_QUERY_LOCATOR', 'retry'],
    [401, 'INVALID_SESSION_ID', 'reauthorise'],
    [403, 'REQUEST_LIMIT_EXCEEDED', 'limited'],
    [403, 'INSUFFICIENT_ACCESS_OR_READONLY', 'hidden'],
    [403, 'API_DISABLED_FOR_ORG', 'refused'],
    [404, 'NOT_FOUND', 'gone'],
    [404, 'ENTITY_IS_DELETED', 'gone'],
    [300, 'ambiguous', 'rejected'],
    [409, 'x', 'conflict'],
    [412, 'x', 'conflict'],
    [406, 'x', 'retry'],
    [420, 'x', 'limited'],
    [503, 'SERVER_UNAVAILABLE', 'retry'],
    [500, 'UNKNOWN_EXCEPTION', 'unknown'],
    [400, 'STORAGE_LIMIT_EXCEEDED', 'refused'],
  ])('Salesforce %i %s: %s', ([status, code, expected]) => {
    expect(meaning(salesforceOutcomes, status, { body: coded(code) })).toMatchObject({
      meaning: expected,
    })
    // Some layers send one object where the API sends a list.
    expect(meaning(salesforceOutcomes, status, { body: coded(code)[0] })).toMatchObject({
      meaning: expected,
    })
  })

  test('too many long calls at once are over sooner than a day’s quota, although the code is the same', () => {
    const said = (message: string) => [{ errorCode: 'REQUEST_LIMIT_EXCEEDED', message }]
    const waits = (message: string) => meaning(salesforceOutcomes, 403, { body: said(message) })
    expect(waits('TotalRequests Limit exceeded.').afterMs).toBe(900_000)
    const concurrent = waits('ConcurrentPerOrgLongTxn Limit exceeded.')
    expect(concurrent).toMatchObject({ meaning: 'limited' })
    expect(concurrent.afterMs).toBeUndefined()
  })

  const reset = (seconds: number) => String(now.getTime() / 1_000 + seconds)
  test.for<[number, string, Record<string, string>, object]>([
    [
      403,
      'x',
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset(120) },
      { meaning: 'limited', afterMs: 120_000 },
    ],
    [
      403,
      'x',
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset(-5) },
      { meaning: 'limited', afterMs: 1_000 },
    ],
    [
      429,
      'x',
      { 'retry-after': '7', 'x-ratelimit-reset': reset(900) },
      { meaning: 'limited', afterMs: 7_000 },
    ],
    [403, 'You have exceeded a secondary rate limit', {}, { meaning: 'limited', afterMs: 60_000 }],
    [403, 'Resource not accessible', { 'x-ratelimit-remaining': '5' }, { meaning: 'hidden' }],
    [429, 'x', {}, { meaning: 'limited', afterMs: 60_000 }],
    [503, 'x', { 'x-ratelimit-reset': reset(3_000) }, { meaning: 'retry' }],
    [404, 'Not Found', {}, { meaning: 'hidden' }],
    [410, 'This issue was deleted', {}, { meaning: 'gone' }],
    [422, 'Validation Failed', {}, { meaning: 'rejected' }],
  ])('S53: GitHub %i %s %j', ([status, message, headers, expected]) => {
    const read = meaning(githubOutcomes, status, { body: { message }, headers })
    expect(read).toMatchObject(expected)
    expect(read.afterMs).toBe('afterMs' in expected ? expected.afterMs : undefined)
  })
})

test.for<[string, string | undefined]>([
  ['001A0000006Vm9r', '001A0000006Vm9rIAC'],
  ['001A0000006Vm9rIAC', '001A0000006Vm9rIAC'],
  ['001a0000006vm9r', '001a0000006vm9rAAA'],
  ['001A0000006Vm9', undefined],
  ["001A0000006Vm9'", undefined],
])('the full form of the id %s is %s', ([id, expected]) => {
  expect(fullId(id)).toBe(expected)
})
