import { expect, test } from 'vitest'
import { resultOf, startTwin, type Twin } from './servicenow-client.ts'

const START = '/api/now/table/incident'
const error = (message: string, detail: unknown = expect.any(String)) => ({
  error: { message, detail },
  status: 'failure',
})
const create = (twin: Twin, fields: Record<string, string>) =>
  twin.control.create('incident', fields)['sys_id'] ?? ''

test('every value is a text, and a reference a link with its value', async () => {
  await using twin = await startTwin({ count: 3 })
  const { rows } = await twin.list('incident')
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) {
      const text: unknown = typeof value === 'object' ? (value as { value: unknown }).value : value
      expect([name, typeof text]).toEqual([name, 'string'])
    }
    expect(row['sys_updated_on']).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)
    expect(row['due_date']).toBe('')
    expect(row['caller_id']).toEqual({
      link: expect.stringContaining(`${twin.url}/api/now/table/sys_user/`),
      value: expect.stringMatching(/^[0-9a-f]{32}$/),
    })
  }
  const [plain] = (await twin.list('incident', { sysparm_exclude_reference_link: 'true' })).rows
  expect(plain?.['caller_id']).toMatch(/^[0-9a-f]{32}$/)
})

test('display values are labels in the time zone of the user', async () => {
  await using twin = await startTwin({ credentials: { timeZone: 'America/New_York' } })
  const beth = twin.control.create('sys_user', { user_name: 'beth', name: 'Beth Anglin' })
  const caller_id = beth['sys_id'] ?? ''
  create(twin, { state: '2', opened_at: '2026-11-20 12:00:00', caller_id })
  const fields = { sysparm_fields: 'state,opened_at,caller_id,resolved_at' }
  const display = await twin.list('incident', { ...fields, sysparm_display_value: 'true' })
  const link = `${twin.url}/api/now/table/sys_user/${caller_id}`
  expect(display.rows).toEqual([
    {
      state: 'In Progress',
      opened_at: '2026-11-20 07:00:00',
      caller_id: { display_value: 'Beth Anglin', link },
      resolved_at: '',
    },
  ])
  const all = await twin.list('incident', {
    ...fields,
    sysparm_display_value: 'all',
    sysparm_exclude_reference_link: 'true',
  })
  expect(all.rows).toEqual([
    {
      state: { display_value: 'In Progress', value: '2' },
      opened_at: { display_value: '2026-11-20 07:00:00', value: '2026-11-20 12:00:00' },
      caller_id: { display_value: 'Beth Anglin', value: caller_id },
      resolved_at: { display_value: '', value: '' },
    },
  ])
})

test('fields are those that were asked for; a dot-walk is read, an unknown name passed over', async () => {
  await using twin = await startTwin({ count: 1 })
  const fields = 'number,caller_id.email,nonsense,number.email'
  const [row] = (await twin.list('incident', { sysparm_fields: fields })).rows
  expect(Object.keys(row ?? {})).toEqual(['number', 'caller_id.email'])
  expect(row?.['caller_id.email']).toMatch(/@example\.com$/)
})

test('a page says where it lies, with a first page that has a page before it', async () => {
  await using twin = await startTwin({ count: 7 })
  const page = async (offset: string) => {
    const { rows, headers } = await twin.list('incident', {
      sysparm_limit: '3',
      sysparm_offset: offset,
      sysparm_query: 'ORDERBYnumber',
    })
    const links = [...(headers.get('link') ?? '').matchAll(/<([^>]+)>;rel="(\w+)"/g)]
    return {
      rows: rows.length,
      total: headers.get('x-total-count'),
      ...Object.fromEntries(
        links.map(([, url = '', name = '']) => [
          name,
          new URL(url).searchParams.get('sysparm_offset'),
        ]),
      ),
    }
  }
  expect(await page('0')).toEqual({
    rows: 3,
    total: '7',
    first: '0',
    prev: '-1',
    next: '3',
    last: '6',
  })
  expect(await page('3')).toEqual({
    rows: 3,
    total: '7',
    first: '0',
    prev: '0',
    next: '6',
    last: '6',
  })
  expect(await page('6')).toEqual({ rows: 1, total: '7', first: '0', prev: '3', last: '6' })
})

test('without the count there is no total and no last page; the links can be suppressed', async () => {
  await using twin = await startTwin({ count: 3 })
  const uncounted = await twin.list('incident', { sysparm_limit: '2', sysparm_no_count: 'true' })
  expect(uncounted.headers.get('x-total-count')).toBeNull()
  expect(uncounted.headers.get('link')).toContain('rel="next"')
  expect(uncounted.headers.get('link')).not.toContain('rel="last"')
  const bare = await twin.list('incident', { sysparm_suppress_pagination_header: 'true' })
  expect([bare.headers.get('link'), bare.headers.get('x-total-count')]).toEqual([null, '3'])
})

test('the page is cut before rows are hidden: pages get short, the total does not', async () => {
  await using twin = await startTwin({ count: 6 })
  twin.control.hideRows('incident', 'numberININC0000002,INC0000003,INC0000004')
  const page = (offset: string) =>
    twin.list('incident', {
      sysparm_query: 'ORDERBYnumber',
      sysparm_limit: '2',
      sysparm_offset: offset,
    })
  const pages = [await page('0'), await page('2'), await page('4')]
  expect(pages.map(({ rows }) => rows.length)).toEqual([1, 0, 2])
  expect(pages.map(({ headers }) => headers.get('x-total-count'))).toEqual(['6', '6', '6'])
  expect(pages[1]?.headers.get('link')).toContain('rel="next"')
  const hidden = twin.control.rows('incident')[1]
  const one = await twin.call(`${START}/${hidden?.['sys_id'] ?? ''}`)
  expect([one.status, one.json]).toEqual([
    404,
    error('No Record found', "Record doesn't exist or ACL restricts the record retrieval"),
  ])
  twin.control.showRows('incident')
  expect((await page('2')).rows).toHaveLength(2)
})

test.for([
  ['/api/now/table', 200],
  ['/api/now/v2/table', 200],
  ['/api/now/v1/table', 404],
] as const)('an empty list of %s is answered %i', async ([path, status]) => {
  await using twin = await startTwin()
  const answer = await twin.call(`${path}/incident`)
  expect(answer.status).toBe(status)
  expect(answer.json).toEqual(status === 200 ? { result: [] } : error('No Record found'))
})

test('an insert is answered 201 with its place, and the stamps of the clock', async () => {
  await using twin = await startTwin()
  twin.control.clock.advance(3_600_000)
  const body = { short_description: 'a ^ b', priority: 1, sys_mod_count: '9', nonsense: 'x' }
  const answer = await twin.call(START, { method: 'POST', body })
  const [row] = twin.control.rows('incident')
  expect(answer.status).toBe(201)
  expect(answer.headers.get('location')).toBe(`${twin.url}${START}/${row?.['sys_id'] ?? ''}`)
  expect(row).toMatchObject({
    number: expect.stringMatching(/^INC\d{7}$/),
    short_description: 'a ^ b',
    sys_mod_count: '0',
    sys_created_by: 'syncline.integration',
  })
  expect(row).not.toHaveProperty('nonsense')
  expect(resultOf(answer)).toMatchObject({ number: row?.['number'] })
  const behindMs =
    twin.control.clock.now() - Date.parse(`${row?.['sys_created_on']}Z`.replace(' ', 'T'))
  expect(behindMs).toBeGreaterThanOrEqual(0)
  expect(behindMs).toBeLessThan(60_000)
  const headers = { 'x-no-response-body': 'true' }
  expect((await twin.call(START, { method: 'POST', headers, body })).text).toBe('')
})

test('an insert may bring its sys_id, and is opened by its writer; an update changes neither', async () => {
  await using twin = await startTwin()
  const sys_id = 'AAAABBBBCCCCDDDDEEEEFFFF00001111'
  const { rows } = await twin.list('sys_user', { sysparm_query: 'user_name=syncline.integration' })
  await twin.call(START, { method: 'POST', body: { sys_id } })
  await twin.call(`${START}/${sys_id}`, { method: 'PATCH', body: { sys_id: '0'.repeat(32) } })
  expect(twin.control.rows('incident')).toMatchObject([
    { sys_id, opened_by: rows[0]?.['sys_id'], sys_mod_count: '0' },
  ])
})

test('a query of twenty thousand characters is read', async () => {
  await using twin = await startTwin({ count: 2 })
  const sysparm_query = `${'AAAA=BBBB^'.repeat(2_000)}number=INC0000002`
  const { rows } = await twin.list('incident', {
    sysparm_query,
    sysparm_suppress_pagination_header: 'true',
  })
  expect(rows).toMatchObject([{ number: 'INC0000002' }])
})

test.for(['PUT', 'PATCH'])('%s merges, and counts only what changes something', async (method) => {
  await using twin = await startTwin()
  const id = create(twin, { short_description: 'old', category: 'network' })
  const send = (body: unknown) => twin.call(`${START}/${id}`, { method, body })
  twin.control.clock.advance(5_000)
  const changed = resultOf(await send({ short_description: 'new' }))
  expect(changed).toMatchObject({
    short_description: 'new',
    category: 'network',
    sys_mod_count: '1',
    sys_updated_by: 'syncline.integration',
  })
  twin.control.clock.advance(5_000)
  expect(resultOf(await send({ short_description: 'new' }))).toEqual(changed)
  expect(resultOf(await send({ category: '' }))).toMatchObject({ category: '', sys_mod_count: '2' })
})

test('of an array only the first record is handled', async () => {
  await using twin = await startTwin()
  await twin.call(START, { method: 'POST', body: [{ category: 'a' }, { category: 'b' }] })
  expect(twin.control.rows('incident').map((row) => row['category'])).toEqual(['a'])
})

test('the priority follows impact and urgency, whatever is written to it', async () => {
  await using twin = await startTwin()
  const id = create(twin, { impact: '2', urgency: '2' })
  const write = async (body: object) =>
    resultOf(await twin.call(`${START}/${id}`, { method: 'PATCH', body }))
  expect(await write({ priority: '1' })).toMatchObject({ priority: '3' })
  expect(await write({ impact: '1' })).toMatchObject({ priority: '2' })
  expect(await write({ state: '7' })).toMatchObject({
    active: 'false',
    closed_at: expect.stringMatching(/^\d{4}/),
  })
})

test('a data policy may refuse to resolve without a code', async () => {
  await using twin = await startTwin()
  twin.control.setProperty('twin.incident.close_code_required', 'true')
  const id = create(twin, {})
  const resolve = (extra: object) =>
    twin.call(`${START}/${id}`, { method: 'PATCH', body: { state: '6', ...extra } })
  const refused = await resolve({})
  expect([refused.status, refused.json]).toEqual([403, error('Operation Failed')])
  expect((await resolve({ close_code: 'Solved', close_notes: 'done' })).status).toBe(200)
})

test('a deleted record is seen in sys_audit_delete only, unless its table keeps no record', async () => {
  await using twin = await startTwin()
  const id = create(twin, { category: 'a<b' })
  const number = twin.control.row('incident', id)?.['number']
  expect((await twin.call(`${START}/${id}`, { method: 'DELETE' })).status).toBe(204)
  expect((await twin.call(`${START}/${id}`)).status).toBe(404)
  expect((await twin.call(`${START}/${id}`, { method: 'DELETE' })).status).toBe(404)
  const query = `tablename=incident^documentkey=${id}`
  const { rows } = await twin.list('sys_audit_delete', { sysparm_query: query })
  expect(rows).toMatchObject([
    {
      display_value: number,
      sys_created_by: 'syncline.integration',
      payload: expect.stringContaining('a&lt;b'),
    },
  ])
  twin.control.remove('sys_audit_delete', rows[0]?.['sys_id'] ?? '')
  expect(twin.control.rows('sys_audit_delete')).toEqual([])
})

test('a journal reads back empty; its entry is in sys_journal_field', async () => {
  await using twin = await startTwin()
  const id = create(twin, {})
  const body = { work_notes: 'looked at it' }
  const answer = await twin.call(`${START}/${id}`, { method: 'PATCH', body })
  expect(resultOf(answer)).toMatchObject({ work_notes: '', sys_mod_count: '1' })
  const { rows } = await twin.list('sys_journal_field', { sysparm_query: `element_id=${id}` })
  expect(rows).toMatchObject([{ element: 'work_notes', value: 'looked at it' }])
})

test('a task is read through its class, and an approval points to it', async () => {
  await using twin = await startTwin()
  const { sys_id: change = '' } = twin.control.create('change_request', { type: 'normal' })
  create(twin, {})
  twin.control.create('sysapproval_approver', { sysapproval: change, state: 'requested' })
  expect((await twin.list('task')).rows.map((row) => row['sys_class_name'])).toEqual([
    'incident',
    'change_request',
  ])
  const [approval] = (
    await twin.list('sysapproval_approver', { sysparm_fields: 'sysapproval,sysapproval.number' })
  ).rows
  expect(approval).toEqual({
    sysapproval: { link: `${twin.url}/api/now/table/task/${change}`, value: change },
    'sysapproval.number': expect.stringMatching(/^CHG/),
  })
  await twin.call(`/api/now/table/task/${change}`, {
    method: 'PATCH',
    body: { approval: 'approved' },
  })
  expect(twin.control.row('change_request', change)).toMatchObject({ approval: 'approved' })
})

test.for([
  ['unknown table', 'GET', '/api/now/table/nothing', {}, 400, 'Invalid table nothing'],
  [
    'unknown path',
    'GET',
    '/api/now/nothing',
    {},
    400,
    'Requested URI does not represent any resource',
  ],
  ['broken JSON', 'POST', START, { body: '{' }, 400, 'Exception while reading request'],
  ['no JSON object', 'POST', START, { body: '"text"' }, 400, 'Exception while reading request'],
  ['negative offset', 'GET', `${START}?sysparm_offset=-1`, {}, 400, 'Invalid paging'],
  ['wrong verb on a list', 'DELETE', START, {}, 405, 'Method not supported'],
  ['wrong verb on a record', 'POST', `${START}/1`, { body: {} }, 405, 'Method not supported'],
  ['no record', 'PATCH', `${START}/1`, { body: {} }, 404, 'No Record found'],
  ['wrong answer type', 'GET', START, { headers: { accept: 'text/csv' } }, 406, 'Not Acceptable'],
  [
    'wrong body type',
    'POST',
    START,
    { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    415,
    'Unsupported Media Type',
  ],
  [
    'no body type',
    'POST',
    START,
    { body: '{}', headers: { 'content-type': '' } },
    400,
    'Bad Request',
  ],
] as const)('%s: %s %s is refused', async ([, method, path, call, status, message]) => {
  await using twin = await startTwin()
  const answer = await twin.call(path, { method, ...call })
  expect([answer.status, answer.json]).toEqual([status, error(message)])
})

test('X-HTTP-Method-Override replaces the verb of a POST; HEAD answers headers only', async () => {
  await using twin = await startTwin()
  const id = create(twin, { category: 'old' })
  const headers = { 'x-http-method-override': 'PATCH' }
  const body = { category: 'new' }
  await twin.call(`${START}/${id}`, { method: 'POST', headers, body })
  expect(twin.control.row('incident', id)).toMatchObject({ category: 'new' })
  const head = await twin.call(START, { method: 'HEAD' })
  expect([head.status, head.headers.get('x-total-count'), head.text]).toEqual([200, '1', ''])
})

test.for([
  ['read', 'GET', '', undefined],
  ['create', 'POST', '', {}],
  ['write', 'PATCH', '/id', { category: 'x' }],
  ['delete', 'DELETE', '/id', undefined],
] as const)('without the right to %s the answer is 403', async ([right, method, tail, body]) => {
  await using twin = await startTwin()
  const id = create(twin, {})
  twin.control.setRights('incident', { [right]: false })
  const path = `${START}${tail.replace('id', id)}`
  const refused = await twin.call(path, { method, body })
  expect([refused.status, refused.json]).toEqual([403, error('Operation Failed')])
  twin.control.setRights('incident', { [right]: true })
  expect((await twin.call(path, { method, body })).status).toBeLessThan(300)
})

test('a column may be hidden, dropped or new', async () => {
  await using twin = await startTwin()
  const id = create(twin, { category: 'a' })
  const write = (body: object) => twin.call(`${START}/${id}`, { method: 'PATCH', body })
  twin.control.setRights('incident', { hiddenFields: ['category'] })
  expect(resultOf(await write({ category: 'b' }))).not.toHaveProperty('category')
  expect(twin.control.row('incident', id)).toMatchObject({ category: 'a' })
  twin.control.addColumn('incident', 'u_region')
  expect(resultOf(await write({ u_region: 'north' }))).toMatchObject({ u_region: 'north' })
  twin.control.dropColumn('incident', 'u_region')
  expect(resultOf(await write({ u_region: 'south' }))).not.toHaveProperty('u_region')
})

test('dates can be written in the time zone of the user', async () => {
  await using twin = await startTwin({ credentials: { timeZone: 'Europe/Berlin' } })
  const id = create(twin, {})
  await twin.call(`${START}/${id}?sysparm_input_display_value=true`, {
    method: 'PATCH',
    body: { due_date: '2026-07-01 12:00:00' },
  })
  expect(twin.control.row('incident', id)).toMatchObject({ due_date: '2026-07-01 10:00:00' })
})
