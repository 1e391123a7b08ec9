import { expect, test } from 'vitest'
import { gathered } from '../../src/webhooks/gather.ts'

/** Work whose calls end when they are told to. */
function steps() {
  const calls: { readonly items: readonly number[]; readonly end: (error?: Error) => void }[] = []
  const work = (items: readonly number[]) =>
    new Promise<readonly string[]>((resolve, reject) => {
      const end = (error?: Error) => {
        if (error) reject(error)
        else resolve(items.map((item) => `did ${item}`))
      }
      calls.push({ items, end })
    })
  return { calls, work }
}

test('who comes alone is worked on at once, who comes meanwhile together', async () => {
  const { calls, work } = steps()
  const give = gathered(3, work)
  const results = [1, 2, 3, 4, 5, 6].map(give)
  expect(calls.map(({ items }) => items)).toEqual([[1], [2]])
  calls[0]?.end()
  expect(await results[0]).toBe('did 1')
  expect(calls.map(({ items }) => items)).toEqual([[1], [2], [3, 4, 5]])
  calls[2]?.end()
  expect(await Promise.all(results.slice(2, 5))).toEqual(['did 3', 'did 4', 'did 5'])
  calls[1]?.end()
  calls[3]?.end()
  expect(await results[5]).toBe('did 6')
})

test('a call that fails fails for all of its items, and for no others', async () => {
  const { calls, work } = steps()
  const give = gathered(10, work)
  const results = [1, 2, 3, 4].map((item) => give(item).catch((error: Error) => error.message))
  calls[0]?.end()
  await results[0]
  calls[2]?.end(new Error('no'))
  calls[1]?.end()
  expect(await Promise.all(results)).toEqual(['did 1', 'did 2', 'no', 'no'])
  const again = give(5)
  calls[3]?.end()
  expect(await again).toBe('did 5')
})
