import { describe, expect, test } from 'vitest'
import { startCosmos } from '../../infra/local/cosmos/cosmos.ts'
import { openCosmos } from '../../src/adapters/cosmos.ts'
import type { Collection, Query } from '../../src/core/collection.ts'
import { laggingCollection, LONGEST_LAG_MS } from '../ports/lagging-collection.ts'

/** What the simulator's stale reads are, a replicated account of Cosmos DB does with the adapter's sessions as well. */
interface Thing {
  readonly id: string
  readonly tenantId: string
  readonly entityType: string
  readonly n: number
}

interface Replicas extends AsyncDisposable {
  /** A process of its own, with a session of its own. */
  readonly client: () => Collection<Thing>
  /** What is read from now on comes from a replica that is so many commits behind, if the session allows it. */
  readonly lag: (commits: number) => void
  readonly advance: (ms: number) => void
}

const implementations: Readonly<Record<string, () => Promise<Replicas>>> = {
  'in memory': async () => {
    let [nowMs, lag] = [Date.now(), 0]
    const replicas = laggingCollection<Thing>(() => nowMs)
    return {
      client: () => {
        const { behind, write } = replicas.session()
        return {
          get: (...asked) => behind(lag).get(...asked),
          getMany: (...asked) => behind(lag).getMany(...asked),
          query: (...asked) => behind(lag).query(...asked),
          write,
          ping: async () => {},
        }
      },
      lag: (commits) => {
        lag = commits
      },
      advance: (ms) => {
        nowMs += ms
      },
      [Symbol.asyncDispose]: async () => {},
    }
  },
  'in Cosmos DB': async () => {
    const stack = new AsyncDisposableStack()
    const cosmos = stack.use(await startCosmos())
    const { COSMOS_ENDPOINT: endpoint = '', COSMOS_KEY: key = '' } = cosmos.settings
    return {
      client: () =>
        stack
          .use(openCosmos({ endpoint, database: 'syncline', auth: { key } }))
          .collection<Thing>('shards'),
      lag: (commits) => cosmos.control.lag({ container: 'shards', commits, ms: LONGEST_LAG_MS }),
      advance: (ms) => cosmos.control.clock.advance(ms),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  },
}

const partition = ['tenant-a', 'incident'] as const
const thing = (id: string, n: number): Thing => ({
  id,
  tenantId: 'tenant-a',
  entityType: 'incident',
  n,
})
const create = (things: Collection<Thing>, ...ids: readonly string[]) =>
  things.write(
    partition,
    ids.map((id) => ({ kind: 'create', document: thing(id, 1) })),
  )
const change = (things: Collection<Thing>, id: string, n: number) =>
  things.write(partition, [{ kind: 'upsert', document: thing(id, n) }])
const remove = async (things: Collection<Thing>, id: string) => {
  const etag = (await things.get(partition, id))?.etag ?? ''
  return things.write(partition, [{ kind: 'remove', document: thing(id, 0), etag }])
}
const numberOf = async (things: Collection<Thing>, id: string) =>
  (await things.get(partition, id))?.document.n

const ones: Query = { anyOf: [[{ field: 'n', is: '=', value: 1 }]] }
async function found(things: Collection<Thing>, query: Query, within?: typeof partition) {
  const rows: string[] = []
  for await (const { document } of things.query(query, within)) rows.push(document.id + document.n)
  return rows.toSorted()
}

describe.for(Object.entries(implementations))('replicas %s', ([, open]) => {
  test('show a client what it wrote, and another one what was before', async () => {
    await using here = await open()
    const [first, second] = [here.client(), here.client()]
    await create(first, 'a')
    here.lag(3)
    await change(first, 'a', 2)
    await create(first, 'b')
    await change(first, 'b', 2)
    expect([await numberOf(first, 'a'), await numberOf(first, 'b')]).toEqual([2, 2])
    const own = await first.getMany(partition, ['a', 'b'])
    expect(own.map(({ document }) => document.n)).toEqual([2, 2])
    expect([await numberOf(second, 'a'), await numberOf(second, 'b')]).toEqual([1, undefined])
    const others = await second.getMany(partition, ['a', 'b'])
    expect(others.map(({ document }) => document)).toEqual([thing('a', 1)])
  })

  test('show a client that wrote anything all that was written before', async () => {
    await using here = await open()
    const [first, second] = [here.client(), here.client()]
    await create(first, 'a')
    here.lag(9)
    await change(first, 'a', 2)
    await create(second, 'b')
    expect(await numberOf(second, 'a')).toBe(2)
  })

  test('never show a client less than it has seen, also when what it saw was that something is gone', async () => {
    await using here = await open()
    const [first, second] = [here.client(), here.client()]
    await create(first, 'a')
    await create(first, 'b')
    here.lag(9)
    await change(first, 'a', 2)
    await remove(first, 'b')
    await change(first, 'a', 3)
    here.lag(2)
    expect([await numberOf(second, 'a'), await numberOf(second, 'b')]).toEqual([2, 1])
    here.lag(1)
    expect(await numberOf(second, 'b')).toBeUndefined()
    here.lag(3)
    expect([await numberOf(second, 'a'), await numberOf(second, 'b')]).toEqual([2, undefined])
    expect(await found(second, ones, partition)).toEqual([])
    const stranger = here.client()
    expect([await numberOf(stranger, 'a'), await numberOf(stranger, 'b')]).toEqual([1, 1])
  })

  test('refuse a write with the tag of an old state, and then show the new one', async () => {
    await using here = await open()
    const [first, second] = [here.client(), here.client()]
    await create(first, 'a')
    here.lag(1)
    await change(first, 'a', 2)
    const replace = async (n: number) => {
      const seen = await second.get(partition, 'a')
      const etag = seen?.etag ?? ''
      return second.write(partition, [{ kind: 'replace', document: thing('a', n), etag }])
    }
    expect(await replace(3)).toEqual({ committed: false, conflict: 0 })
    expect(await numberOf(second, 'a')).toBe(2)
    expect(await replace(4)).toMatchObject({ committed: true })
    expect(await numberOf(second, 'a')).toBe(4)
  })

  test('refuse to create what a client cannot see yet, and to remove what is gone', async () => {
    await using here = await open()
    const [first, second, third] = [here.client(), here.client(), here.client()]
    await create(first, 'a')
    here.lag(2)
    await create(first, 'b')
    await remove(first, 'a')
    expect(await numberOf(second, 'b')).toBeUndefined()
    expect(await create(second, 'b')).toEqual({ committed: false, conflict: 0 })
    expect(await numberOf(second, 'b')).toBe(1)
    expect(await numberOf(third, 'a')).toBe(1)
    expect(await remove(third, 'a')).toEqual({ committed: false, conflict: 0 })
    expect(await numberOf(third, 'a')).toBeUndefined()
  })

  test.for([
    ['one partition', partition],
    ['all partitions', undefined],
  ] as const)(
    'answer a query of %s from what they have: it finds what was, and not what is',
    async ([, within]) => {
      await using here = await open()
      const [first, second] = [here.client(), here.client()]
      await create(first, 'gone', 'changed', 'kept')
      await change(first, 'wrong', 2)
      here.lag(4)
      await create(first, 'new')
      await change(first, 'changed', 2)
      await change(first, 'wrong', 1)
      await remove(first, 'gone')
      expect(await found(second, ones, within)).toEqual(['changed1', 'gone1', 'kept1'])
      expect(await found(first, ones, within)).toEqual(['kept1', 'new1', 'wrong1'])
      expect(await found(here.client(), { ...ones, limit: 9, latestBy: 'id' }, within)).toEqual([
        'changed1',
        'gone1',
        'kept1',
      ])
    },
  )

  test('show the writes of one batch together or not at all', async () => {
    await using here = await open()
    const [first, second] = [here.client(), here.client()]
    here.lag(1)
    await create(first, 'a', 'b', 'c')
    expect(await found(second, ones, partition)).toEqual([])
    await create(first, 'd')
    expect(await found(second, ones, partition)).toEqual(['a1', 'b1', 'c1'])
  })

  test('all show what is older than their longest lag', async () => {
    await using here = await open()
    const [first, second] = [here.client(), here.client()]
    await create(first, 'a')
    here.lag(2)
    await change(first, 'a', 2)
    here.advance(LONGEST_LAG_MS - 5_000)
    await change(first, 'a', 3)
    expect(await numberOf(second, 'a')).toBe(1)
    here.advance(6_000)
    expect(await numberOf(second, 'a')).toBe(2)
    here.advance(LONGEST_LAG_MS)
    expect(await numberOf(second, 'a')).toBe(3)
  })
})

test('a store of which no replica has what the session has seen is away, and its documents are not gone', async () => {
  await using cosmos = await startCosmos()
  const { COSMOS_ENDPOINT: endpoint = '', COSMOS_KEY: key = '' } = cosmos.settings
  using database = openCosmos({ endpoint, database: 'syncline', auth: { key } })
  const things = database.collection<Thing>('shards')
  await create(things, 'a')
  const headers = { 'x-ms-substatus': '1002' }
  cosmos.control.fail({ operation: 'GET docs', status: 404, headers, times: 10 })
  await expect(things.get(partition, 'a')).rejects.toMatchObject({ code: 'store_unavailable' })
  cosmos.control.clearFaults()
  expect(await numberOf(things, 'a')).toBe(1)
})
