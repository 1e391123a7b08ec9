import { expect, test } from 'vitest'
import { deleteLocally } from '../../src/sync/deletion.ts'
import { linkId } from '../../src/sync/record.ts'
import { outboundMessageShape } from '../../src/sync/task.ts'
import { pushWorld } from './push-world.ts'

test('a record that changes after it was read ahead is written once for each state, and ends as it is here', async () => {
  const here = pushWorld({ batchSize: 40 })
  await here.addTask()
  const ids: string[] = []
  for (let nth = 0; nth < 100; nth += 1) {
    ids.push((await here.add(`a${nth}`, { title: `title ${nth}`, note: null })).id)
  }
  let changed = false
  here.answer.write = async (write, does) => {
    const done = await does()
    if (here.calls.length === 2 && !changed) {
      changed = true
      await here.change(write.marker, { note: 'late' })
    }
    return done
  }
  const [first = ''] = ids
  expect(await here.drain(first)).toEqual([{ kind: 'finished', pushed: 101, failed: 0 }])
  const operations = here.calls.flat().map(({ operation }) => operation)
  expect(operations.toSorted()).toEqual([...Array<string>(100).fill('create'), 'update'])
  const values = here.vendor.alive().map((row) => row.values)
  expect(new Set(values.map(({ title }) => title)).size).toBe(100)
  expect(values.filter(({ note }) => note === 'late')).toHaveLength(1)
  expect(here.records().flatMap(({ pending }) => pending)).toEqual([])
})

test('what came while the last push was stored is read again before it is pushed: another worker may have been faster', async () => {
  const here = pushWorld({ marker: 'none' })
  await here.addTask()
  const { id: first } = await here.add('a', { title: 'title a' })
  let later: string | undefined
  here.answer.write = async (_write, does) => {
    const done = await does()
    later ??= (await here.add('b', { title: 'title b' })).id
    return done
  }
  let other: Promise<unknown> | undefined
  here.shards.after = async (operation) => {
    const isStored = here.record(first)?.pending.length === 0
    if (other || operation !== 'query' || later === undefined || !isStored) return
    other = here.work(here.message(later))
    await other
  }
  await here.work(here.message(first))
  expect(await other).toMatchObject({ kind: 'finished', pushed: 1 })
  expect(here.vendor.alive().map((row) => row.values['title'])).toEqual(['title a', 'title b'])
})

test('a token that ends between two requests of one call pauses the connection and parks no record', async () => {
  const here = pushWorld()
  await here.addTask()
  const ids: string[] = []
  for (const name of ['a', 'b', 'c']) ids.push((await here.add(name, { title: name })).id)
  const reason = 'it does not accept the token'
  here.answer.write = async (write, does) =>
    write.marker === ids[0] ? does() : { kind: 'refused', code: 'reauth_required', reason }
  expect(await here.work(here.message(ids[1] ?? ''))).toMatchObject({
    kind: 'continued',
    pushed: 1,
  })
  expect(here.parked.all()).toEqual([])
  expect(here.records().filter(({ pending }) => pending.length > 0)).toHaveLength(2)
  delete here.answer.write
  here.advance(60_000)
  for (let next = here.outbound.take(here.ports.clock()); next;) {
    await here.work(outboundMessageShape.parse(next.body))
    next = here.outbound.take(here.ports.clock())
  }
  expect(here.vendor.alive().map((row) => row.values['title'])).toEqual(['a', 'b', 'c'])
})

test('a row that became another record’s while it was made is told to a person, not only marked', async () => {
  const here = pushWorld()
  await here.addTask()
  const { id } = await here.add('a', { title: 'title a' })
  const other = await here.add('b', { title: 'title b' })
  const key = { tenantId: 't', entityType: 'incident', connectionId: 'there' }
  here.answer.write = async (write, does) => {
    const done = await does()
    if (write.marker === id && done.kind === 'done') {
      const { externalId } = done
      const document = { id: linkId(key, externalId), kind: 'link', ...key, externalId } as const
      await here.shards.write(
        ['t', 'incident'],
        [{ kind: 'create', document: { ...document, recordId: other.id } }],
      )
    }
    return done
  }
  await here.work(here.message(id))
  expect(here.record(id)?.links['there']).toMatchObject({ parked: { code: 'conflict' } })
  expect(here.parked.all()).toMatchObject([
    { kind: 'push', recordId: id, reason: { code: 'conflict' } },
  ])
})

test.for(['deleted', 'changed'] as const)(
  'a record that was %s while its push was refused is not parked for what it was',
  async (how) => {
    const here = pushWorld()
    await here.addTask()
    const { id } = await here.add('a', { title: 'title a', note: null })
    await here.drain(id)
    await here.change(id, { note: 'poison' })
    here.answer.write = async ({ values }, does) => {
      if (values?.['note'] !== 'poison') return does()
      const record = here.record(id)
      if (!record) throw new Error('there is no record')
      if (how === 'changed') await here.change(id, { note: 'fine' })
      else await here.store(deleteLocally(record, { by: 'p', now: here.ports.clock() }).record)
      return { kind: 'rejected', code: 'bad_value', reason: 'a text that it does not take' }
    }
    await here.drain(id)
    const notes = here.vendor.alive().map((row) => row.values['note'])
    expect(notes).toEqual(how === 'changed' ? ['fine'] : [])
    expect(here.record(id)?.links['there']?.parked).toBeUndefined()
    expect(here.parked.all()).toEqual([])
  },
)
