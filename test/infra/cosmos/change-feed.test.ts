import { ChangeFeedStartFrom, type ChangeFeedIteratorOptions, type Container } from '@azure/cosmos'
import { expect, test } from 'vitest'
import { refusal, startLocal } from './local-cosmos.ts'

interface Thing {
  readonly id: string
  readonly tenant: string
  readonly n?: number
}

/** Reads until there is nothing new; the ids of each page, and where it stopped. */
async function drain(container: Container, options: ChangeFeedIteratorOptions) {
  const iterator = container.items.getChangeFeedIterator<Thing>(options)
  const pages: string[][] = []
  for (;;) {
    const { result, statusCode, continuationToken } = await iterator.readNext()
    if (statusCode === 304) return { pages, ids: pages.flat(), continuationToken }
    pages.push(result.map(({ id }) => id))
  }
}

async function seeded(container: Container, count: number, tenant = 't'): Promise<void> {
  for (let n = 0; n < count; n += 1)
    await container.items.create({ id: `${tenant}${n}`, tenant, n })
}

test('from the beginning it says every item once, in the order of the last writes', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await seeded(container, 4)
  await container.item('t1', 't').replace({ id: 't1', tenant: 't', n: 10 })
  await container.item('t2', 't').delete()
  const { pages } = await drain(container, {
    changeFeedStartFrom: ChangeFeedStartFrom.Beginning(),
    maxItemCount: 2,
  })
  expect(pages).toEqual([['t0', 't3'], ['t1']])
})

test('a continuation goes on where the reader stopped', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await seeded(container, 3)
  const start = ChangeFeedStartFrom.Beginning()
  const first = await drain(container, { changeFeedStartFrom: start })
  const resume = () =>
    drain(container, {
      changeFeedStartFrom: ChangeFeedStartFrom.Continuation(first.continuationToken),
    })
  expect((await resume()).ids).toEqual([])
  await seeded(container, 2, 'u')
  await container.item('t0', 't').patch([{ op: 'incr', path: '/n', value: 1 }])
  expect((await resume()).ids).toEqual(['u0', 'u1', 't0'])
})

test('a reader in the middle misses nothing that is written meanwhile', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await seeded(container, 5)
  const options = { changeFeedStartFrom: ChangeFeedStartFrom.Beginning(), maxItemCount: 2 }
  const iterator = container.items.getChangeFeedIterator<Thing>(options)
  expect((await iterator.readNext()).result.map(({ id }) => id)).toEqual(['t0', 't1'])
  await container.item('t0', 't').patch([{ op: 'incr', path: '/n', value: 1 }])
  await container.item('t3', 't').patch([{ op: 'incr', path: '/n', value: 1 }])
  expect((await iterator.readNext()).result.map(({ id }) => id)).toEqual(['t2', 't4'])
  expect((await iterator.readNext()).result.map(({ id }) => id)).toEqual(['t0', 't3'])
  expect((await iterator.readNext()).statusCode).toBe(304)
})

test('from now on it says only what comes', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await seeded(container, 3)
  const iterator = container.items.getChangeFeedIterator<Thing>({
    changeFeedStartFrom: ChangeFeedStartFrom.Now(),
  })
  expect((await iterator.readNext()).statusCode).toBe(304)
  await seeded(container, 1, 'u')
  expect((await iterator.readNext()).result.map(({ id }) => id)).toEqual(['u0'])
})

test('from a time on it says what was written since', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await seeded(container, 2)
  local.control.clock.advance(3_600_000)
  const since = new Date(local.control.clock.now())
  await seeded(container, 2, 'u')
  const { ids } = await drain(container, { changeFeedStartFrom: ChangeFeedStartFrom.Time(since) })
  expect(ids).toEqual(['u0', 'u1'])
})

test('of one partition it says only that partition', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await seeded(container, 3)
  await seeded(container, 2, 'u')
  const { ids } = await drain(container, {
    changeFeedStartFrom: ChangeFeedStartFrom.Beginning('u'),
    maxItemCount: 1,
  })
  expect(ids).toEqual(['u0', 'u1'])
})

test('of a prefix of a hierarchical key it says what is below it', async () => {
  await using local = await startLocal()
  const partitionKey = { paths: ['/tenant', '/kind'], kind: 'MultiHash', version: 2 }
  const container = await local.container({ partitionKey: partitionKey as never })
  for (const tenant of ['t', 'u', 'käse', 'a name of more than sixteen bytes']) {
    for (const kind of ['k', 7, true, null]) {
      await container.items.create({ id: `${tenant} ${kind}`, tenant, kind })
    }
  }
  for (const tenant of ['u', 'käse', 'a name of more than sixteen bytes']) {
    const below = await drain(container, {
      changeFeedStartFrom: ChangeFeedStartFrom.Beginning([tenant]),
    })
    expect(below.ids).toEqual(['k', 7, true, null].map((kind) => `${tenant} ${kind}`))
    const full = await drain(container, {
      changeFeedStartFrom: ChangeFeedStartFrom.Beginning([tenant, 7]),
    })
    expect(full.ids).toEqual([`${tenant} 7`])
  }
})

test('the feed ranges cover the container', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await seeded(container, 3)
  const ranges = await container.getFeedRanges()
  const ids = await Promise.all(
    ranges.map(
      async (range) =>
        (await drain(container, { changeFeedStartFrom: ChangeFeedStartFrom.Beginning(range) })).ids,
    ),
  )
  expect(ids.flat()).toEqual(['t0', 't1', 't2'])
})

test('an expired item is not in the feed', async () => {
  await using local = await startLocal()
  const container = await local.container({ defaultTtl: 10 })
  await seeded(container, 2)
  local.control.clock.advance(11_000)
  await seeded(container, 1, 'u')
  const { ids } = await drain(container, { changeFeedStartFrom: ChangeFeedStartFrom.Beginning() })
  expect(ids).toEqual(['u0'])
})

test('a batch that was undone leaves no trace', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await seeded(container, 2)
  const create = { operationType: 'Create', resourceBody: { id: 'x', tenant: 't' } } as const
  await container.items.batch(
    [{ operationType: 'Upsert', resourceBody: { id: 't0', tenant: 't', n: 9 } }, create, create],
    't',
  )
  const { ids } = await drain(container, { changeFeedStartFrom: ChangeFeedStartFrom.Beginning() })
  expect(ids).toEqual(['t0', 't1'])
})

test('thousands of writes to few items stay a feed of few items', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await seeded(container, 2)
  for (let round = 0; round < 25; round += 1) {
    const operations = Array.from({ length: 100 }, (_, n) => ({
      operationType: 'Upsert' as const,
      resourceBody: { id: `t${n % 2}`, tenant: 't', n: round * 100 + n },
    }))
    await container.items.batch(operations, 't')
  }
  const { pages } = await drain(container, { changeFeedStartFrom: ChangeFeedStartFrom.Beginning() })
  expect(pages).toEqual([['t0', 't1']])
})

test('the mode with all versions and deletes is refused, not pretended', async () => {
  await using local = await startLocal()
  const container = await local.container()
  const iterator = container.items.getChangeFeedIterator({
    changeFeedMode: 'Full-Fidelity Feed' as never,
    changeFeedStartFrom: ChangeFeedStartFrom.Now(),
  })
  expect(await refusal(iterator.readNext())).toBe(400)
})
