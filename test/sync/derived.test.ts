import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/canonical-json.ts'
import type { RecordDocument } from '../../src/sync/record.ts'
import { rowsOf, task, world } from './world.ts'

const contactFields = [
  { local: 'name', external: 'caller_id.name', type: 'text' as const },
  { local: 'email', external: 'caller_id.email', type: 'text' as const },
]

/** Incidents with their callers, as dot-walked columns bring them. */
function callers(count: number) {
  const rows = rowsOf(count, 4)
  const here = world(rows)
  const { source } = here.vendor
  const people = new Map<string, JsonObject>(
    rows.map(({ id }, at) => [
      id,
      { caller_id: `u${at % 3}`, 'caller_id.name': `Person ${at % 3}`, 'caller_id.email': '' },
    ]),
  )
  source.mapping = {
    entityType: 'incident',
    fields: [
      ...source.mapping.fields,
      { local: 'caller', external: 'caller_id', type: 'text', reference: 'contact' },
    ],
    derived: [{ entityType: 'contact', externalId: 'caller_id', fields: contactFields }],
  }
  const read = source.fetchPage
  source.fetchPage = async (request, signal) => {
    const page = await read(request, signal)
    if (page.kind !== 'page') return page
    const withCallers = page.rows.map((row) => ({
      ...row,
      values: { ...row.values, ...people.get(row.externalId) },
    }))
    return { ...page, rows: withCallers }
  }
  const of = (entityType: string) => here.records().filter((one) => one.entityType === entityType)
  const run = async () => {
    here.advance(3_600_000)
    await here.tick()
    await here.drain()
  }
  return { here, rows, people, of, run }
}

const names = (records: readonly RecordDocument[]) =>
  new Set(records.map(({ fields }) => fields['name']))

test('an incident yields its caller as a contact, once for all of its incidents, and names it', async () => {
  const { here, of, run } = callers(20)
  await here.addTask()
  await run()
  expect(of('contact')).toHaveLength(3)
  expect(names(of('contact'))).toEqual(new Set(['Person 0', 'Person 1', 'Person 2']))
  const known = new Set<unknown>(of('contact').map(({ id }) => id))
  expect(of('incident')).toHaveLength(20)
  expect(of('incident').every(({ fields }) => known.has(fields['caller']))).toBe(true)
  const before = here.shards.all().filter(({ kind }) => kind !== 'stream')
  await run()
  expect(here.shards.all().filter(({ kind }) => kind !== 'stream')).toEqual(before)
})

test('what a newer incident says of the caller is taken, what an older one says is not', async () => {
  const { here, rows, people, of, run } = callers(8)
  await here.addTask()
  await run()
  const touch = (at: number, time: string, name: string) => {
    const row = rows[at]
    if (!row) throw new Error('there is no such row')
    rows[at] = { ...row, time, count: 1 }
    people.set(row.id, { ...people.get(row.id), 'caller_id.name': name })
  }
  touch(0, '2026-03-01T10:30:00.000Z', 'renamed')
  await run()
  expect(names(of('contact'))).toEqual(new Set(['Person 1', 'Person 2', 'renamed']))
  touch(3, '2026-03-01T10:29:59.000Z', 'of long ago')
  await run()
  expect(names(of('contact'))).toEqual(new Set(['Person 1', 'Person 2', 'renamed']))
})

test('where the connection reads contacts itself, no incident speaks for them', async () => {
  const { here, of, run } = callers(8)
  await here.addTask()
  await here.addTask({ id: 'task-2', entityType: 'contact', status: 'completed' })
  await run()
  expect(of('incident')).toHaveLength(8)
  // Of the contacts' own stream, which gives the same rows here, there is nothing of a caller.
  expect(of('contact').some(({ fields }) => 'name' in fields)).toBe(false)
})

test('other systems that take contacts are told of a new one', async () => {
  const { here, of, run } = callers(8)
  await here.addTask()
  const other = { connectionId: 'conn-2', entityType: 'contact', syncMode: 'push' } as const
  await here.addTask({ ...task, id: 'task-3', status: 'completed', ...other })
  await run()
  expect(of('contact').map(({ pending }) => pending)).toEqual([['conn-2'], ['conn-2'], ['conn-2']])
})
