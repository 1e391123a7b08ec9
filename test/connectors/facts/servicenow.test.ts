import { describe, expect, test } from 'vitest'
import { servicenow } from '../../../src/connectors/servicenow/index.ts'
import type { StreamConfig, VendorWrite } from '../../../src/connectors/connector.ts'
import { signal } from '../rig.ts'
import { now, serve, type Asked, type Told } from './server.ts'

type Row = Readonly<Record<string, string>>

interface Instance {
  readonly tables: Readonly<Record<string, readonly Row[]>>
  /** Rows of these tables that access rules hide, by sys_id; `*` hides all. */
  readonly hidden?: Readonly<Record<string, readonly string[]>>
  /** Tables that may not be read at all. */
  readonly forbidden?: readonly string[]
  readonly linksReferences?: boolean
  readonly suppressesLinks?: boolean
  readonly totalIsWrongBy?: number
}

/** `a=b^c>d^NQ…^ORDERBYe`: terms it does not understand are left out, as an instance does. */
function query(rows: readonly Row[], encoded: string): Row[] {
  const order = [...encoded.matchAll(/\^?ORDERBY(\w+)/g)].map(([, name = '']) => name)
  const groups = encoded.replace(/\^?ORDERBY\w+/g, '').split('^NQ')
  const holds = (row: Row, term: string) => {
    const [, name = '', operator = '', value = ''] = /^(\w+?)(>=|<=|=|>|<|IN)(.*)$/.exec(term) ?? []
    const field = row[name]
    if (operator === '' || field === undefined) return true
    if (operator === 'IN') return value.split(',').includes(field)
    if (operator === '=') return field === value
    const isGreater = field > value || (operator.endsWith('=') && field === value)
    return operator.startsWith('>') ? isGreater : !isGreater
  }
  const found = rows.filter((row) =>
    groups.some((group) => group.split('^').every((term) => holds(row, term))),
  )
  const compare = (a: Row, b: Row) => {
    const name = order.find((one) => a[one] !== b[one])
    return name === undefined ? 0 : (a[name] ?? '') < (b[name] ?? '') ? -1 : 1
  }
  return found.toSorted(compare)
}

const failure = (status: number, message: string): Told => ({
  status,
  body: { error: { message, detail: '' }, status: 'failure' },
})

function instance(of: Instance) {
  return ({ url }: Asked): Told => {
    const [, table = '', id] = /^\/api\/now\/table\/(\w+)(?:\/(\w+))?$/.exec(url.pathname) ?? []
    const rows = of.tables[table]
    if (of.forbidden?.includes(table)) return failure(403, 'User Not Authorized')
    if (!rows) return failure(400, `Invalid table ${table}`)
    const hidden = of.hidden?.[table] ?? []
    const isSeen = (row: Row) => !hidden.includes('*') && !hidden.includes(row['sys_id'] ?? '')
    const shown = (row: Row) =>
      of.linksReferences
        ? { ...row, caller_id: { link: `https://x/${row['caller_id']}`, value: row['caller_id'] } }
        : row
    if (id !== undefined) {
      const row = rows.find((one) => one['sys_id'] === id && isSeen(one))
      return row ? { body: { result: shown(row) } } : failure(404, 'No Record found')
    }
    const limit = Number(url.searchParams.get('sysparm_limit') ?? 10_000)
    const offset = Number(url.searchParams.get('sysparm_offset') ?? 0)
    const found = query(rows, url.searchParams.get('sysparm_query') ?? '')
    const page = found.slice(offset, offset + limit)
    const link = `<http://x?sysparm_offset=-1>;rel="prev"${found.length > offset + limit ? ',<http://x>;rel="next"' : ''}`
    return {
      headers: {
        'x-total-count': String(found.length + (of.totalIsWrongBy ?? 0)),
        'set-cookie': 'JSESSIONID=1',
        ...(of.suppressesLinks ? {} : { link }),
      },
      body: { result: page.filter(isSeen).map(shown) },
    }
  }
}

const text = (name: string) => ({ local: name, external: name, type: 'text' as const })
const fields = [text('short_description'), text('caller_id')]

function streamOf(config: Partial<StreamConfig> = {}) {
  const stream = servicenow.configure({ entityType: 'incident', fields, ...config })
  if (!stream?.push) throw new Error('the configuration does not suffice')
  return { ...stream, push: stream.push }
}

const incident = (at: number, second = 0): Row => ({
  sys_id: at.toString(16).padStart(32, '0'),
  sys_updated_on: `2026-03-01 09:00:${String(second).padStart(2, '0')}`,
  sys_mod_count: '0',
  short_description: `number ${at}`,
  caller_id: 'ada',
})

async function readAll(of: Instance, limit: number) {
  await using server = await serve(servicenow, instance(of))
  const read: string[] = []
  let request = { after: null as { time: string; id: string } | null, skip: 0, limit }
  for (let pages = 0; pages < 200; pages += 1) {
    const page = await streamOf().fetchPage(server.client, request, signal)
    if (page.kind !== 'page') throw new Error(page.reason)
    read.push(...page.rows.map(({ externalId }) => externalId))
    if (!page.more) return { read, asked: server.asked }
    const last = page.rows.at(-1)
    request = last
      ? { after: last.cursor, skip: 0, limit }
      : { ...request, skip: request.skip + limit }
  }
  throw new Error('it does not come to an end')
}

describe('reading', () => {
  const rows = Array.from({ length: 40 }, (_, at) => incident(at, Math.floor(at / 15)))
  const hidden = rows.filter((_, at) => at % 7 < 4).map((row) => row['sys_id'] ?? '')
  const seen = rows.map((row) => row['sys_id'] ?? '').filter((id) => !hidden.includes(id))

  test.for<[string, Partial<Instance>]>([
    ['links', {}],
    ['totals alone', { suppressesLinks: true }],
    ['totals that are too high', { suppressesLinks: true, totalIsWrongBy: 25 }],
    ['links and a total that is too low', { totalIsWrongBy: -30 }],
  ])('every row that is not hidden is read once, told by %s', async ([, more]) => {
    for (const limit of [1, 3, 10, 100]) {
      const of = { tables: { incident: rows }, hidden: { incident: hidden }, ...more }
      expect((await readAll(of, limit)).read).toEqual(seen)
    }
  })

  test('a session that is offered is not taken', async () => {
    const { asked } = await readAll({ tables: { incident: rows } }, 10)
    expect(asked.length).toBeGreaterThan(3)
    expect(asked.every(({ headers }) => headers['cookie'] === undefined)).toBe(true)
  })

  test('references that come as objects all the same are read as their value', async () => {
    await using server = await serve(
      servicenow,
      instance({ tables: { incident: [incident(1)] }, linksReferences: true }),
    )
    const page = await streamOf().fetchPage(
      server.client,
      { after: null, skip: 0, limit: 5 },
      signal,
    )
    expect(page).toMatchObject({ rows: [{ values: { caller_id: 'ada' } }] })
    const found = await streamOf().push.fetchOne(server.client, incident(1)['sys_id'] ?? '', signal)
    expect(found).toMatchObject({ kind: 'row', row: { values: { caller_id: 'ada' } } })
  })

  test('the address of a query stays under 2,048 characters, however many fields are mapped', async () => {
    await using server = await serve(servicenow, instance({ tables: { incident: rows } }))
    const many = Array.from({ length: 120 }, (_, at) => text(`u_a_column_of_ours_${at}`))
    const stream = streamOf({ fields: [...many, text('short_description')] })
    const ids = rows.map((row) => row['sys_id'] ?? '')
    const after = { time: '2026-03-01T09:00:01.000Z', id: ids[3] ?? '' }
    const page = await stream.fetchPage(server.client, { after, skip: 0, limit: 100 }, signal)
    expect(page).toMatchObject({ kind: 'page' })
    const writes = ids.map((externalId): VendorWrite => ({
      operation: 'update',
      externalId,
      marker: 'x',
      values: {},
      expected: { time: 'another', count: 0 },
    }))
    const outcomes = await stream.push.write(server.client, writes, signal)
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['conflict']))
    for (const { url } of server.asked) expect(url.href.length).toBeLessThan(2_048)
  })
})

describe('deletions', () => {
  const id = incident(1)['sys_id'] ?? ''
  const log = [
    {
      sys_id: 'f'.repeat(32),
      tablename: 'incident',
      documentkey: id,
      sys_created_on: '2026-03-01 09:30:00',
    },
  ]
  const since = { since: null, limit: 10 }

  test.for<[string, Instance, object]>([
    [
      'the log says so',
      { tables: { incident: [], sys_audit_delete: log } },
      { told: { kind: 'page', rows: [{ externalId: id }] }, found: { kind: 'gone' } },
    ],
    [
      'the log says nothing',
      { tables: { incident: [], sys_audit_delete: [] } },
      { told: { kind: 'page', rows: [] }, found: { kind: 'hidden' } },
    ],
    [
      'the log is forbidden and nothing is counted',
      { tables: { incident: [] }, forbidden: ['sys_audit_delete'] },
      { told: { kind: 'unavailable' }, found: { kind: 'gone' } },
    ],
    [
      'the log is forbidden and the record is counted, though hidden',
      {
        tables: { incident: [incident(1)] },
        hidden: { incident: [id] },
        forbidden: ['sys_audit_delete'],
      },
      { told: { kind: 'unavailable' }, found: { kind: 'hidden' } },
    ],
    [
      'the rows of the log are hidden',
      { tables: { incident: [], sys_audit_delete: log }, hidden: { sys_audit_delete: ['*'] } },
      { told: { kind: 'unavailable' }, found: { kind: 'gone' } },
    ],
  ])('S31: of a record that is not found, when %s', async ([, of, expected]) => {
    await using server = await serve(servicenow, instance(of))
    const stream = streamOf()
    const told = await stream.fetchDeleted?.(server.client, since, signal)
    const found = await stream.push.fetchOne(server.client, id, signal)
    expect({ told, found }).toMatchObject(expected)
  })

  test('S31: a log that is too busy to tell is asked again later', async () => {
    await using server = await serve(servicenow, ({ url }) =>
      url.pathname.endsWith('/sys_audit_delete')
        ? { status: 429, body: {} }
        : failure(404, 'No Record found'),
    )
    expect(await streamOf().push.fetchOne(server.client, id, signal)).toMatchObject({
      kind: 'retry',
      limited: true,
    })
  })
})

const waits: Readonly<Record<string, number>> = { '429 of a rule': 12_000 }

describe('answers', () => {
  const page = '<!DOCTYPE html><title>Your instance is hibernating</title>'

  test.for<[string, Told, object]>([
    ['a page with 200', { body: page }, { kind: 'retry' }],
    [
      'a redirect to a page',
      { status: 302, headers: { location: 'https://developer' }, body: page },
      { kind: 'retry' },
    ],
    ['a page with 404', { status: 404, body: page }, { kind: 'retry' }],
    ['202', { status: 202, body: { result: [] } }, { kind: 'retry' }],
    [
      '429 of a rule',
      {
        status: 429,
        headers: {
          'retry-after': '12',
          'x-ratelimit-limit': '100',
          'x-ratelimit-reset': String(now.getTime() / 1_000 + 3_000),
        },
        body: { error: { message: 'Rate limit exceeded', detail: '' }, status: 'failure' },
      },
      { kind: 'retry', limited: true },
    ],
    [
      '429 of a semaphore',
      { status: 429, headers: { 'x-ratelimit-reset': '1772362800' }, body: page },
      { kind: 'retry', limited: true },
    ],
    ['401', failure(401, 'User Not Authenticated'), { kind: 'refused', code: 'reauth_required' }],
    ['400', failure(400, 'Invalid table x'), { kind: 'refused', code: 'vendor_failed' }],
    ['405', failure(405, 'Method not supported'), { kind: 'refused' }],
    ['500', failure(500, 'Transaction cancelled'), { kind: 'retry' }],
    ['502', { status: 502, body: page }, { kind: 'retry' }],
  ])('%s in answer to a list', async ([name, told, expected]) => {
    await using server = await serve(servicenow, () => told)
    const request = { after: null, skip: 0, limit: 5 }
    const outcome = await streamOf().fetchPage(server.client, request, signal)
    // The end of the hour's window is no wait that a semaphore asks for.
    expect({ afterMs: undefined, ...outcome }).toMatchObject({ ...expected, afterMs: waits[name] })
  })

  const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64')
  const served = (id: string, status: number, body?: object) => ({
    id,
    status_code: status,
    status_text: '',
    headers: [{ name: 'Content-Type', value: 'application/json' }],
    ...(body ? { body: base64(body) } : {}),
    execution_time: 12,
  })

  test('S36: each item of a batch is answered for itself, in whatever order they come back', async () => {
    const error = (message: string) => ({ error: { message, detail: 'why' }, status: 'failure' })
    await using server = await serve(servicenow, () => ({
      body: {
        batch_request_id: '1',
        serviced_requests: [
          served('4', 401, error('User Not Authenticated')),
          served('3', 429, error('Rate limit exceeded')),
          served('2', 500, error('Transaction cancelled')),
          served('1', 403, error('Operation Failed')),
          served('0', 201, { result: incident(1) }),
        ],
        unserviced_requests: ['5'],
      },
    }))
    const writes = Array.from({ length: 7 }, (_, at): VendorWrite => ({
      operation: 'create',
      marker: `rec-${at}`,
      values: { short_description: `${at}` },
    }))
    const outcomes = await streamOf().push.write(server.client, writes, signal)
    expect(outcomes).toMatchObject([
      { kind: 'done', externalId: incident(1)['sys_id'] },
      { kind: 'rejected', code: 'Operation Failed' },
      { kind: 'unknown' },
      { kind: 'retry', limited: true },
      { kind: 'retry' },
      { kind: 'retry' },
      { kind: 'unknown' },
    ])
    const sent = JSON.parse(server.asked[0]?.body ?? '') as {
      rest_requests: { id: unknown; url: string; method: string; body: string }[] // what we sent
    }
    const [first] = sent.rest_requests
    expect(first).toMatchObject({
      id: '0',
      method: 'POST',
      url: expect.stringMatching(/^\/api\/now/),
    })
    expect(JSON.parse(Buffer.from(first?.body ?? '', 'base64').toString())).toEqual({
      short_description: '0',
      correlation_id: 'rec-0',
    })
  })
})
