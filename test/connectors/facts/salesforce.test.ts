import { describe, expect, test } from 'vitest'
import { salesforce } from '../../../src/connectors/salesforce/index.ts'
import type { StreamConfig, VendorWrite } from '../../../src/connectors/connector.ts'
import { signal } from '../rig.ts'
import { serve, type Asked, type Told } from './server.ts'

type Row = Readonly<Record<string, string | boolean | null>>

interface Org {
  readonly rows: readonly Row[]
  readonly fields: readonly string[]
  /** Rows in a page, whatever was asked for. */
  readonly batch?: number
}

const ROOT = '/services/data/v60.0'
const refusal = (errorCode: string, status = 400): Told => ({
  status,
  body: [{ message: `about ${errorCode}`, errorCode }],
})

/** Just the conditions that a keyset and a lookup need. */
function holds(row: Row, where: string): boolean {
  const parts = /^(.*?) OR \((.*)\)$/.exec(where)
  if (parts) return holds(row, parts[1] ?? '') || holds(row, parts[2] ?? '')
  return where.split(' AND ').every((term) => {
    const [, name = '', operator = '', raw = ''] = /^(\w+) (>=|>|=|IN) (.*)$/.exec(term) ?? []
    const values = raw.replace(/^\(|\)$/g, '').split(',')
    const wanted = values.map((value) => value.replaceAll("'", ''))
    const isTime = name === 'SystemModstamp'
    const number = (text: unknown) => Date.parse(String(text).replace('+0000', 'Z'))
    const [have, want] = isTime
      ? [number(row[name]), number(wanted[0])]
      : [String(row[name]), wanted[0] ?? '']
    if (operator === 'IN') return wanted.includes(String(row[name]))
    if (operator === '=') return have === want
    return have > want || (operator === '>=' && have === want)
  })
}

function org(of: Org) {
  const locators = new Map<string, Row[]>()
  const page = (rows: Row[], all: number): Told => {
    const batch = of.batch ?? 2_000
    const rest = rows.slice(batch)
    const name = `01g${locators.size}-${batch}`
    if (rest.length > 0) locators.set(name, rest)
    return {
      headers: { 'sforce-limit-info': 'api-usage=18/5000' },
      body: {
        totalSize: all,
        done: rest.length === 0,
        ...(rest.length > 0 ? { nextRecordsUrl: `${ROOT}/query/${name}` } : {}),
        records: rows
          .slice(0, batch)
          .map((row) => ({ attributes: { type: 'Case', url: `${ROOT}/x` }, ...row })),
      },
    }
  }
  return ({ url, method }: Asked): Told => {
    if (url.pathname === `${ROOT}/sobjects/Case/describe`) {
      const describe = (name: string) => ({ name, type: 'string', label: name, updateable: true })
      return { body: { name: 'Case', fields: of.fields.map(describe) } }
    }
    const locator = /\/query\/(.+)$/.exec(url.pathname)?.[1]
    if (locator !== undefined) {
      const rest = locators.get(locator)
      return rest ? page(rest, of.rows.length) : refusal('INVALID_QUERY_LOCATOR')
    }
    if (!/\/query(All)?$/.test(url.pathname) || method !== 'GET') return refusal('NOT_FOUND', 404)
    const soql = url.searchParams.get('q') ?? ''
    const [, columns = '', where = '', order = '', limit = '2000'] =
      /^SELECT (.+?) FROM Case(?: WHERE (.+?))?(?: ORDER BY (.+?))?(?: LIMIT (\d+))?$/.exec(soql) ??
      []
    const named = [...columns.split(', '), ...(/(\w+__c) IN/.exec(where)?.slice(1, 2) ?? [])]
    if (!named.every((name) => of.fields.includes(name))) return refusal('INVALID_FIELD')
    const keys = order.split(', ')
    const found = of.rows
      .filter((row) => where === '' || holds(row, where))
      .toSorted((a, b) => {
        const key = keys.find((one) => a[one] !== b[one]) ?? ''
        return String(a[key]) < String(b[key]) ? -1 : 1
      })
    return page(found.slice(0, Number(limit)), found.length)
  }
}

const text = (external: string) => ({ local: external, external, type: 'text' as const })
const system = ['Id', 'SystemModstamp', 'IsDeleted', 'CreatedDate']
const all = [...system, 'Subject', 'Origin', 'Syncline_Id__c']

function streamOf(config: Partial<StreamConfig> = {}) {
  const fields = [text('Subject'), text('Origin')]
  const stream = salesforce.configure({ entityType: 'incident', fields, ...config })
  if (!stream?.push) throw new Error('the configuration does not suffice')
  return { ...stream, push: stream.push }
}

const idOf = (at: number) => `500000000000${String(at).padStart(3, '0')}AAA`
const caseOf = (at: number, second = 0): Row => ({
  Id: idOf(at),
  SystemModstamp: `2026-03-01T09:00:0${second}.000+0000`,
  CreatedDate: '2026-03-01T09:00:00.000+0000',
  IsDeleted: false,
  Subject: `case ${at}`,
  Origin: 'Web',
  Syncline_Id__c: `rec-${at}`,
})
const rows = Array.from({ length: 30 }, (_, at) => caseOf(at, Math.floor(at / 11)))

describe('reading', () => {
  test('every row is read once, however few rows a page holds, with ties at its edges', async () => {
    for (const batch of [1, 4, 2_000]) {
      await using server = await serve(salesforce, org({ rows, fields: all, batch }))
      const read: string[] = []
      let after: { time: string; id: string } | null = null
      for (let more = true; more;) {
        const page = await streamOf().fetchPage(server.client, { after, skip: 0, limit: 7 }, signal)
        if (page.kind !== 'page') throw new Error(page.reason)
        read.push(...page.rows.map(({ externalId }) => externalId))
        after = page.rows.at(-1)?.cursor ?? after
        more = page.more
      }
      expect(read).toEqual(rows.map((row) => row['Id']))
    }
  })

  test('a lookup follows its pages to the end, on the instance', async () => {
    await using server = await serve(salesforce, org({ rows, fields: all, batch: 4 }))
    const markers = rows.map((row) => String(row['Syncline_Id__c']))
    const found = await streamOf().push.findByMarker(server.client, markers, signal)
    expect(found.kind === 'found' && [...found.rows.keys()].sort()).toEqual(markers.toSorted())
    expect(server.asked).toHaveLength(8)
  })

  test('a page that has expired is a retry', async () => {
    const answer = org({ rows, fields: all, batch: 4 })
    await using server = await serve(salesforce, (asked) =>
      asked.url.pathname.includes('/query/') ? refusal('INVALID_QUERY_LOCATOR') : answer(asked),
    )
    expect(
      await streamOf().push.findByMarker(
        server.client,
        ['rec-1', 'rec-2', 'rec-9', 'rec-3', 'rec-4'],
        signal,
      ),
    ).toMatchObject({ kind: 'retry' })
  })

  test('S34: a field that is no longer there is left out of the rows, and asked for no more', async () => {
    const fields = all.filter((name) => name !== 'Origin')
    const left = rows.map(({ Origin: _origin, ...row }) => row)
    await using server = await serve(salesforce, org({ rows: left, fields }))
    const stream = streamOf()
    const request = { after: null, skip: 0, limit: 5 }
    const page = await stream.fetchPage(server.client, request, signal)
    expect(page).toMatchObject({ kind: 'page', rows: [{ marker: 'rec-0' }, {}, {}, {}, {}] })
    expect(page.kind === 'page' && page.rows[0]?.values).not.toHaveProperty('Origin')
    const before = server.asked.length
    await stream.fetchPage(server.client, request, signal)
    expect(server.asked.length - before).toBe(1)
  })

  test('an organisation without a field for markers is read, and says what it lacks before it is written to', async () => {
    const fields = all.filter((name) => name !== 'Syncline_Id__c')
    await using server = await serve(salesforce, org({ rows, fields }))
    const { push, fetchPage } = streamOf()
    const page = await fetchPage(server.client, { after: null, skip: 0, limit: 5 }, signal)
    expect(page).toMatchObject({ kind: 'page' })
    const lacks = { kind: 'refused', reason: expect.stringContaining('no field Syncline_Id__c') }
    expect(await push.findByMarker(server.client, ['rec-1'], signal)).toMatchObject(lacks)
    const create: VendorWrite = { operation: 'create', marker: 'rec-1', values: { Subject: 'x' } }
    expect(await push.write(server.client, [create], signal)).toMatchObject([lacks])
  })

  test('a query that is refused for another reason is not asked again', async () => {
    await using server = await serve(salesforce, () => refusal('MALFORMED_QUERY'))
    const request = { after: null, skip: 0, limit: 5 }
    expect(await streamOf().fetchPage(server.client, request, signal)).toMatchObject({
      kind: 'refused',
    })
    expect(server.asked).toHaveLength(1)
  })
})

describe('answers', () => {
  const page = '<html>We are down for maintenance</html>'

  test.for<[string, Told, object]>([
    ['401 of a session', refusal('INVALID_SESSION_ID', 401), { code: 'reauth_required' }],
    [
      '403 of the day',
      refusal('REQUEST_LIMIT_EXCEEDED', 403),
      { kind: 'retry', limited: true, afterMs: 900_000 },
    ],
    ['403 of rights', refusal('INSUFFICIENT_ACCESS_OR_READONLY', 403), { kind: 'refused' }],
    ['403 of the organisation', refusal('API_DISABLED_FOR_ORG', 403), { kind: 'refused' }],
    ['400 of a slow query', refusal('QUERY_TIMEOUT'), { kind: 'retry' }],
    ['406', { status: 406, body: page }, { kind: 'retry' }],
    ['420', { status: 420, body: page }, { kind: 'retry', limited: true }],
    ['429', { status: 429, body: page }, { kind: 'retry', limited: true }],
    [
      'an error that is no list',
      { status: 403, body: { message: 'm', errorCode: 'REQUEST_LIMIT_EXCEEDED' } },
      { kind: 'retry', limited: true },
    ],
    ['503', refusal('SERVER_UNAVAILABLE', 503), { kind: 'retry' }],
    ['a page with 200', { body: page }, { kind: 'retry' }],
    ['500', refusal('UNKNOWN_EXCEPTION', 500), { kind: 'retry' }],
  ])('%s in answer to a query', async ([, told, expected]) => {
    await using server = await serve(salesforce, () => told)
    const request = { after: null, skip: 0, limit: 5 }
    expect(await streamOf().fetchPage(server.client, request, signal)).toMatchObject(expected)
  })

  const update = (at: number): VendorWrite => ({
    operation: 'update',
    externalId: idOf(at),
    marker: 'x',
    values: { Subject: 'ours' },
  })
  const item = (statusCode: string) => ({
    success: false,
    errors: [{ statusCode, message: 'm', fields: [] }],
  })

  test('S36: each record of a collection is answered for itself, under 200', async () => {
    const codes = [
      ['UNABLE_TO_LOCK_ROW', 'retry'],
      ['ENTITY_IS_DELETED', 'gone'],
      ['FIELD_CUSTOM_VALIDATION_EXCEPTION', 'rejected'],
      ['DUPLICATES_DETECTED', 'rejected'],
      ['STRING_TOO_LONG', 'rejected'],
      ['INSUFFICIENT_ACCESS_OR_READONLY', 'rejected'],
      ['ALL_OR_NONE_OPERATION_ROLLED_BACK', 'retry'],
      ['UNKNOWN_EXCEPTION', 'unknown'],
      ['REQUEST_LIMIT_EXCEEDED', 'retry'],
      ['STORAGE_LIMIT_EXCEEDED', 'refused'],
    ] as const
    await using server = await serve(salesforce, () => ({
      body: [
        { id: idOf(99).slice(0, 15), success: true, errors: [] },
        ...codes.map(([code]) => item(code)),
      ],
    }))
    const writes = [99, ...codes.keys()].map(update)
    const outcomes = await streamOf().push.write(server.client, writes, signal)
    expect(outcomes.map(({ kind }) => kind)).toEqual(['done', ...codes.map(([, kind]) => kind)])
    expect(outcomes[0]).toMatchObject({ externalId: idOf(99) })
    expect(JSON.parse(server.asked[0]?.body ?? '')).toMatchObject({
      allOrNone: false,
      records: [
        { attributes: { type: 'Case' }, id: idOf(99), Subject: 'ours' },
        ...codes.map(() => ({})),
      ],
    })
  })

  test.for<[string, Told, object]>([
    ['412', refusal('PRECONDITION_FAILED', 412), { kind: 'conflict' }],
    ['404 of a deleted record', refusal('ENTITY_IS_DELETED', 404), { kind: 'gone' }],
    ['404', refusal('NOT_FOUND', 404), { kind: 'gone' }],
    ['300', { status: 300, body: ['/a', '/b'] }, { kind: 'rejected' }],
    ['a locked row', refusal('UNABLE_TO_LOCK_ROW'), { kind: 'retry' }],
    ['204', { status: 204 }, { kind: 'done' }],
    ['200 with a body', { body: { id: idOf(1), success: true, errors: [] } }, { kind: 'done' }],
    ['a page with 200', { body: page }, { kind: 'unknown' }],
    ['502', { status: 502, body: page }, { kind: 'unknown' }],
  ])('%s in answer to a guarded change', async ([, told, expected]) => {
    const answer = org({ rows, fields: all })
    await using server = await serve(salesforce, (asked) =>
      asked.method === 'GET' ? answer(asked) : told,
    )
    const expectedVersion = { time: '2026-03-01T09:00:00.000Z', count: 0 }
    const writes = [{ ...update(1), expected: expectedVersion }]
    expect(await streamOf().push.write(server.client, writes, signal)).toMatchObject([expected])
    const change = server.asked.find(({ method }) => method !== 'GET')
    expect(change?.headers['if-unmodified-since']).toBe('Sun, 01 Mar 2026 09:00:00 GMT')
  })

  test('S40: a change in the very second of the known stamp is seen, and not written over', async () => {
    const answer = org({
      rows: [{ ...caseOf(1), SystemModstamp: '2026-03-01T09:00:00.600+0000' }],
      fields: all,
    })
    await using server = await serve(salesforce, answer)
    const expected = { time: '2026-03-01T09:00:00.000Z', count: 0 }
    const outcomes = await streamOf().push.write(
      server.client,
      [{ ...update(1), expected }],
      signal,
    )
    expect(outcomes).toMatchObject([{ kind: 'conflict' }])
    expect(server.asked.every(({ method }) => method === 'GET')).toBe(true)
  })

  test('S40: changes that are guarded in bulk are compared though the look comes in pages', async () => {
    const answer = org({ rows, fields: all, batch: 4 })
    await using server = await serve(salesforce, (asked) =>
      asked.method === 'GET'
        ? answer(asked)
        : { body: rows.map(() => ({ success: true, errors: [] })) },
    )
    const expected = { time: '2026-03-01T08:00:00.000Z', count: 0 }
    const writes = rows.map((_, at) => ({ ...update(at), expected }))
    const outcomes = await streamOf().push.write(server.client, writes, signal)
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['conflict']))
  })
})
