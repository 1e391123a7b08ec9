import { expect, test } from 'vitest'
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
