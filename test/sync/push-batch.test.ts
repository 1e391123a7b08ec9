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
