import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { transformSync } from 'esbuild'
import { expect, test } from 'vitest'
import { buildMessage } from '../../../infra/local/vendors/servicenow/webhook-message.ts'
import { Instance } from '../../../infra/local/vendors/servicenow/instance.ts'
import { createGlide, generateMac, runScript, type Posted } from './glide.ts'

const FOLDER = new URL('../../../infra/install/servicenow/', import.meta.url)
const RULE = new URL('business-rule.js', FOLDER).pathname
const SECRET = 'schlüssel-32-characters-or-more!'
const PROPERTIES = {
  'syncline.webhook.url': 'https://syncline.example/api/servicenow-webhook',
  'syncline.webhook.secret': SECRET,
  'syncline.webhook.function_key': 'function-key',
}
const INCIDENT = {
  sys_id: '9d385017c611228701d22104cc95c371',
  number: 'INC0000060',
  state: '2',
  priority: '3',
  assigned_to: '5137153cc611227c000bbd1bd8cd2007',
  short_description: 'Müller: “E-Mail” ^ geht nicht 🙂',
  close_code: '',
  sys_updated_on: '2026-11-20 12:00:00',
  sys_updated_by: 'admin',
  sys_mod_count: '7',
}
const UPDATE = { table: 'incident', record: INCIDENT, operation: 'update' }

const hex = (body: string) => createHmac('sha256', SECRET).update(body).digest('hex')
const signatureOf = (posted: Posted | undefined) => posted?.headers['x-servicenow-signature']

test('the stand-in of the MAC helper gives the documented code', () => {
  const key = Buffer.from('sample_key').toString('base64')
  expect(generateMac(key, 'HmacSHA256', 'sample_data')).toBe(
    '4VWUI48lJvmGSF6MYmOVWA9c0hfu55Ur+3e+fUFFFr4=',
  )
})

/** esbuild leaves a text alone for ES5 only when there is nothing newer in it; what it lets pass is looked for. */
function isEs5(text: string): boolean {
  const compile = (target: string) => transformSync(text, { target, logLevel: 'silent' }).code
  try {
    return compile('es5') === compile('esnext') && !/,\s*\)|\b0[bo]\d/.test(text)
  } catch {
    return false
  }
}

test('the script is ECMAScript 5', () => {
  const text = readFileSync(RULE, 'utf8')
  expect(isEs5(text)).toBe(true)
  const newer = ['let x = 1', 'x = () => 1', 'x = `a`', 'x = a?.b', 'f(a,)', 'try {} catch {}']
  expect(newer.filter((line) => isEs5(`${text}\n${line}`))).toEqual([])
})

test.for(['scoped', 'global'] as const)('what a %s rule posts verifies', (scope) => {
  const glide = createGlide(PROPERTIES)
  runScript(RULE, glide, { ...UPDATE, scope })
  const [posted] = glide.posted
  expect(glide.logged).toEqual([])
  expect(posted?.url).toBe(PROPERTIES['syncline.webhook.url'])
  expect(posted?.method).toBe('POST')
  expect(signatureOf(posted)).toBe(hex(posted?.body ?? ''))
  expect(posted?.headers).toMatchObject({
    'content-type': 'application/json',
    'x-functions-key': 'function-key',
  })
  const { 'x-snow-timestamp': timestamp, 'x-snow-event-id': eventId } = posted?.headers ?? {}
  expect(eventId).toMatch(new RegExp(`^${INCIDENT.sys_id}:7:update:[0-9a-f]{16}$`))
  const base = `${timestamp}.${eventId}.${posted?.body}`
  expect(posted?.headers['x-snow-signature']).toBe(
    `sha256=${createHmac('sha256', SECRET).update(base).digest('base64')}`,
  )
})

test('the body has the shape of the contract and is ASCII', () => {
  const glide = createGlide(PROPERTIES)
  runScript(RULE, glide, UPDATE)
  const body = glide.posted[0]?.body ?? ''
  expect(body).toMatch(/^[\x20-\x7e]+$/)
  expect(JSON.parse(body)).toEqual({
    event_type: 'incident.updated',
    table: 'incident',
    operation: 'update',
    record: INCIDENT,
    user: { sys_id: '6816f79cc0a8016401c5a33be04be441', name: 'System Administrator' },
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    event_id: glide.posted[0]?.headers['x-snow-event-id'],
  })
})

test('the script and the twin post the same record for the same change', () => {
  const nowMs = Date.UTC(2026, 10, 20, 12)
  const instance = new Instance(() => nowMs)
  const row = instance.insert('incident', { ...INCIDENT, impact: '2' }, 'admin')
  const change = { table: 'incident', operation: 'update', row, by: 'admin' } as const
  const twin = buildMessage(change, instance, { secret: SECRET })
  const glide = createGlide(PROPERTIES)
  const columns = Object.keys(instance.tables.get('incident')?.columns ?? {})
  const record = Object.fromEntries(columns.map((name) => [name, row[name] ?? '']))
  runScript(RULE, glide, { ...UPDATE, record })
  const read = (body = '') => JSON.parse(body) as Record<string, unknown> // both are our own
  const ours = read(glide.posted[0]?.body)
  const theirs = read(twin.body)
  expect(Object.keys(ours)).toEqual(Object.keys(theirs))
  expect(ours['record']).toEqual(theirs['record'])
  expect(ours['event_id']).toBe(theirs['event_id'])
  expect(Object.keys(glide.posted[0]?.headers ?? {}).sort()).toEqual(
    [...Object.keys(twin.headers), 'x-functions-key'].sort(),
  )
})

test.for([
  ['insert', 'incident.created'],
  ['update', 'incident.updated'],
  ['delete', 'incident.deleted'],
] as const)('an %s is told as %s', ([operation, eventType]) => {
  const glide = createGlide(PROPERTIES)
  runScript(RULE, glide, { ...UPDATE, operation })
  expect(JSON.parse(glide.posted[0]?.body ?? '')).toMatchObject({
    operation,
    event_type: eventType,
  })
})

test('an approval goes out with the number of the change, assigned to the approver', () => {
  const glide = createGlide(PROPERTIES)
  runScript(RULE, glide, {
    table: 'sysapproval_approver',
    operation: 'insert',
    record: { sys_id: 'a1', approver: 'u1', sysapproval: 'c1', state: 'requested' },
    displayValues: { sysapproval: 'CHG0030001' },
  })
  expect(JSON.parse(glide.posted[0]?.body ?? '')).toMatchObject({
    table: 'sysapproval_approver',
    record: { sysapproval: 'c1', number: 'CHG0030001', assigned_to: 'u1' },
  })
})

test.for([500, 401, 'connection refused'])(
  'after %s the event comes again, a few times',
  (failure) => {
    const glide = createGlide(PROPERTIES)
    glide.answers.push(failure, failure, failure, failure, failure)
    runScript(RULE, glide, UPDATE)
    const waits: number[] = []
    for (let event = glide.queued.shift(); event; event = glide.queued.shift()) {
      waits.push(event.inSeconds)
      runScript(RULE, glide, { ...UPDATE, event })
    }
    expect(waits).toEqual([60, 300, 900, 3600])
    expect(glide.posted).toHaveLength(5)
    expect(glide.logged.at(-1)).toContain('gave up')
    expect(glide.logged.join('\n')).not.toContain(SECRET)
  },
)

/** The ids of the first attempt, which fails, and of the second, when the record is as given. */
function idsOfTwoAttempts(operation: string, later: Readonly<Record<string, string>>) {
  const glide = createGlide(PROPERTIES)
  glide.answers.push(503)
  runScript(RULE, glide, { ...UPDATE, operation })
  const [event] = glide.queued
  if (!event) throw new Error('nothing was queued')
  runScript(RULE, glide, { table: 'incident', record: later, event })
  return glide.posted.map(({ body }) => (JSON.parse(body) as { event_id: string }).event_id) // our own
}

test.for([
  ['insert', INCIDENT, true],
  ['update', INCIDENT, true],
  ['delete', INCIDENT, true],
  ['update', { ...INCIDENT, sys_mod_count: '8' }, false],
  // A script with autoSysFields(false) counts nothing.
  ['update', { ...INCIDENT, state: '6' }, false],
] as const)('the id of an %s is the same in every attempt as long as the record is (%#)', (row) => {
  const [operation, later, isSame] = row
  const [first, second] = idsOfTwoAttempts(operation, later)
  expect(first === second).toBe(isSame)
})

test('insert, update and delete of one state are three events', () => {
  const ids = ['insert', 'update', 'delete'].map((one) => idsOfTwoAttempts(one, INCIDENT)[0])
  expect(new Set(ids).size).toBe(3)
})

test('a repeated attempt tells the present state, freshly signed, on behalf of who made the change', () => {
  const glide = createGlide(PROPERTIES)
  glide.answers.push(503)
  runScript(RULE, glide, UPDATE)
  const [event] = glide.queued
  if (!event) throw new Error('nothing was queued')
  const record = { ...INCIDENT, state: '6', sys_mod_count: '8' }
  runScript(RULE, glide, { ...UPDATE, record, event })
  const second = glide.posted[1]
  expect(JSON.parse(second?.body ?? '')).toMatchObject({
    record,
    user: { name: 'System Administrator' },
  })
  expect(signatureOf(second)).toBe(hex(second?.body ?? ''))
  expect(glide.queued).toHaveLength(1)
})

test('a deletion is repeated although the record cannot be read again; an update of it is not', () => {
  for (const [operation, posts] of [
    ['delete', 2],
    ['update', 1],
  ] as const) {
    const glide = createGlide(PROPERTIES)
    glide.answers.push(503)
    runScript(RULE, glide, { ...UPDATE, operation })
    const [event] = glide.queued
    if (!event) throw new Error('nothing was queued')
    runScript(RULE, glide, { table: 'incident', record: undefined, event })
    expect(glide.posted).toHaveLength(posts)
    expect(JSON.parse(glide.posted.at(-1)?.body ?? '')).toMatchObject({
      operation,
      record: { sys_id: INCIDENT.sys_id, number: 'INC0000060' },
    })
  }
})

test('without its properties the rule posts nothing, says what is missing and does not throw', () => {
  const glide = createGlide({})
  runScript(RULE, glide, UPDATE)
  expect(glide.posted).toEqual([])
  expect(glide.logged[0]).toContain('syncline.webhook.secret')
})

test('the settings name the properties, the events and the tables that the script uses', () => {
  const settings = readFileSync(new URL('settings.json', FOLDER), 'utf8')
  const { records } = JSON.parse(settings) as { records: { fields: Record<string, string> }[] } // our own file
  const named = records.map(({ fields }) => fields['name'] ?? fields['event_name'])
  expect(named).toEqual(
    expect.arrayContaining([...Object.keys(PROPERTIES), 'syncline.webhook.retry']),
  )
  expect(records.flatMap(({ fields }) => fields['collection'] ?? [])).toEqual([
    'incident',
    'change_request',
    'sysapproval_approver',
  ])
})
