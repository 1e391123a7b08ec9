import fc from 'fast-check'
import { expect, test } from 'vitest'
import { latestPage } from '../../src/core/latest-page.ts'
import { memoryCollection } from '../ports/memory-collection.ts'

interface Event {
  readonly id: string
  readonly at: string
  readonly of: string
}

const timeOf = (second: number) => new Date(Date.UTC(2026, 2, 1, 9, 0, second)).toISOString()

async function all(events: readonly Event[], limit: number): Promise<Event[]> {
  const collection = memoryCollection<Event>()
  for (const document of events) await collection.write(['p'], [{ kind: 'create', document }])
  const found: Event[] = []
  let cursor: string | undefined
  for (let pages = 0; pages <= events.length; pages += 1) {
    const conditions = [{ field: 'of', is: '=', value: 'us' }] as const
    const of = { by: 'at', partition: ['p'], conditions, limit, cursor } as const
    const { page, next } = await latestPage(collection, of)
    found.push(...page.map(({ document }) => document))
    if (!next) return found
    cursor = next()
  }
  throw new Error('the pages do not end')
}

test('every document is on one page, the latest first, however many are of one moment', async () => {
  const seconds = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 25 })
  await fc.assert(
    fc.asyncProperty(seconds, fc.integer({ min: 1, max: 6 }), async (when, limit) => {
      const events = when.map((second, nth) => ({
        id: `e${nth}`,
        at: timeOf(second),
        of: nth % 5 === 4 ? 'them' : 'us',
      }))
      const found = await all(events, limit)
      const ours = events.filter(({ of }) => of === 'us')
      expect(found.map(({ id }) => id).toSorted()).toEqual(ours.map(({ id }) => id).toSorted())
      expect(found.map(({ at }) => at)).toEqual(
        ours
          .map(({ at }) => at)
          .toSorted()
          .toReversed(),
      )
    }),
  )
})

test('what the query finds no more is not counted', async () => {
  const collection = memoryCollection<Event>()
  const events = ['a', 'b', 'c'].map((id) => ({ id, at: timeOf(0), of: 'us' }))
  for (const document of events) await collection.write(['p'], [{ kind: 'create', document }])
  const of = { by: 'at', partition: ['p'], conditions: [], limit: 2 } as const
  const first = await latestPage(collection, { ...of, cursor: undefined })
  const gone = first.page[0]
  if (!gone) throw new Error('the first page is empty')
  await collection.write(['p'], [{ kind: 'remove', document: gone.document, etag: gone.etag }])
  const cursor = first.next?.((index) => index > 0)
  const second = await latestPage(collection, { ...of, cursor })
  const ids = [...first.page, ...second.page].map(({ document }) => document.id)
  expect(ids.toSorted()).toEqual(['a', 'b', 'c'])
})

test.for(['x', 'W10', Buffer.from('["then",0]').toString('base64url')])(
  'the cursor %s is refused',
  async (cursor) => {
    const collection = memoryCollection<Event>()
    const of = { by: 'at', partition: ['p'], conditions: [], limit: 2, cursor } as const
    await expect(latestPage(collection, of)).rejects.toMatchObject({ code: 'bad_request' })
  },
)
