import { describe, expect, test } from 'vitest'
import { openCosmos } from '../../src/adapters/cosmos.ts'
import { createOrGet, type Collection, type Query, type Write } from '../../src/core/collection.ts'
import { startCosmos } from '../../infra/local/cosmos/cosmos.ts'
import { memoryCollection } from '../ports/memory-collection.ts'

interface Thing {
  readonly id: string
  readonly tenantId: string
  readonly entityType: string
  readonly n?: number
  readonly when?: string
  readonly updatedAt?: string
  readonly on?: boolean
  readonly tags?: readonly string[]
  readonly nested?: { readonly value: string }
}

interface Opened extends AsyncDisposable {
  readonly things: Collection<Thing>
  /** The next calls find the store away. */
  readonly goAway: () => void
}

const implementations: Readonly<Record<string, () => Promise<Opened>>> = {
  'in memory': async () => {
    const things = memoryCollection<Thing>()
    return {
      things,
      goAway: () => things.goAway(),
      [Symbol.asyncDispose]: async () => {},
    }
  },
  'Cosmos DB': async () => {
    const cosmos = await startCosmos()
    const { COSMOS_ENDPOINT: endpoint = '', COSMOS_KEY: key = '' } = cosmos.settings
    const database = openCosmos({ endpoint, database: 'syncline', auth: { key } })
    return {
      things: database.collection('shards'),
      goAway: () => cosmos.control.fail({ operation: 'docs', times: 1_000, status: 403 }),
      [Symbol.asyncDispose]: async () => {
        database[Symbol.dispose]()
        await cosmos[Symbol.asyncDispose]()
      },
    }
  },
}

const partition = ['tenant-a', 'incident'] as const
const thing = (id: string, more: Partial<Thing> = {}): Thing => ({
  id,
  tenantId: 'tenant-a',
  entityType: 'incident',
  ...more,
})
const create = (document: Thing): Write<Thing> => ({ kind: 'create', document })

describe.for(Object.keys(implementations))('a collection %s', (name) => {
  const open = async () => {
    const opened = await implementations[name]?.()
    if (!opened) throw new Error('unknown implementation')
    return opened
  }

  test('gives back what was stored, and nothing else', async () => {
    await using here = await open()
    const document = thing('a', { n: 1, nested: { value: 'x' } })
    const written = await here.things.write(partition, [create(document)])
    const found = await here.things.get(partition, 'a')
    expect(found?.document).toEqual(document)
    expect(written).toEqual({ committed: true, etags: [found?.etag] })
    expect(await here.things.get(partition, 'b')).toBeUndefined()
    expect(await here.things.get(['tenant-b', 'incident'], 'a')).toBeUndefined()
    expect(await here.things.get(['tenant-a', 'user'], 'a')).toBeUndefined()
  })

  test('creates an id once, replaces only what has not changed, and upserts in any case', async () => {
    await using here = await open()
    await here.things.write(partition, [create(thing('a', { n: 1 }))])
    expect(await here.things.write(partition, [create(thing('a'))])).toEqual({
      committed: false,
      conflict: 0,
    })
    const first = await here.things.get(partition, 'a')
    if (!first) throw new Error('it is gone')
    const replace = (n: number): Write<Thing> => ({
      kind: 'replace',
      document: thing('a', { n }),
      etag: first.etag,
    })
    expect(await here.things.write(partition, [replace(2)])).toMatchObject({ committed: true })
    expect(await here.things.write(partition, [replace(3)])).toEqual({
      committed: false,
      conflict: 0,
    })
    expect((await here.things.get(partition, 'a'))?.document.n).toBe(2)
    const missing: Write<Thing> = { kind: 'replace', document: thing('zz'), etag: first.etag }
    expect(await here.things.write(partition, [missing])).toEqual({ committed: false, conflict: 0 })
    await here.things.write(partition, [{ kind: 'upsert', document: thing('a', { n: 4 }) }])
    await here.things.write(partition, [{ kind: 'upsert', document: thing('b', { n: 5 }) }])
    expect((await here.things.get(partition, 'a'))?.document.n).toBe(4)
    expect((await here.things.get(partition, 'b'))?.document.n).toBe(5)
  })

  test('writes several documents all or not at all, and tells which condition failed', async () => {
    await using here = await open()
    await here.things.write(partition, [create(thing('taken'))])
    const writes = [
      create(thing('x')),
      create(thing('y')),
      create(thing('taken')),
      create(thing('z')),
    ]
    expect(await here.things.write(partition, writes)).toEqual({ committed: false, conflict: 2 })
    expect(await here.things.getMany(partition, ['x', 'y', 'z'])).toEqual([])
    const many = Array.from({ length: 100 }, (_, index) => create(thing(`m${index}`)))
    const written = await here.things.write(partition, many)
    expect(written.committed && new Set(written.etags).size).toBe(100)
  })

  test('does not create one id twice in one write', async () => {
    await using here = await open()
    const writes = [create(thing('x', { n: 1 })), create(thing('y')), create(thing('x', { n: 2 }))]
    expect(await here.things.write(partition, writes)).toEqual({ committed: false, conflict: 2 })
    expect(await here.things.get(partition, 'y')).toBeUndefined()
  })

  test('gives the latest first, and no more than asked for', async () => {
    await using here = await open()
    const at = (n: number) => `2026-01-0${n}T00:00:00.000Z`
    const values = [3, 1, 4, 2, 5].map((n) => thing(`t${n}`, { updatedAt: at(n), on: true }))
    await here.things.write(partition, [...values, thing('without', { on: true })].map(create))
    const ask = async (anyOf: Query['anyOf'], limit: number) => {
      const found: string[] = []
      for await (const { document } of here.things.query({ anyOf, latestBy: 'updatedAt', limit })) {
        found.push(document.id)
      }
      return found
    }
    const all = { field: 'on', is: '=', value: true } as const
    const until = (is: '<' | '<=', n: number) => ({ field: 'updatedAt', is, value: at(n) })
    expect(await ask([[all]], 3)).toEqual(['t5', 't4', 't3'])
    expect(await ask([[all, until('<', 4)]], 9)).toEqual(['t3', 't2', 't1'])
    expect(await ask([[all, until('<=', 4)]], 2)).toEqual(['t4', 't3'])
  })

  test.for([1, 2, 5, 9])('finds the same in pages of %i', async (pageSize) => {
    await using here = await open()
    const ids = ['a', 'b', 'c', 'd', 'e']
    await here.things.write(
      partition,
      ids.map((id) => create(thing(id, { on: true }))),
    )
    const query = { anyOf: [[{ field: 'on', is: '=', value: true }]], pageSize } as const
    const found: string[] = []
    for await (const { document } of here.things.query(query, partition)) found.push(document.id)
    expect(found.sort()).toEqual(ids)
  })

  test('createOrGet tells what stood there before', async () => {
    await using here = await open()
    const first = thing('a', { n: 1 })
    expect(await createOrGet(here.things, partition, first)).toBeUndefined()
    expect(await createOrGet(here.things, partition, thing('a', { n: 2 }))).toEqual(first)
  })

  test('of many writers with one tag exactly one wins', async () => {
    await using here = await open()
    await here.things.write(partition, [create(thing('a', { n: 0 }))])
    const before = await here.things.get(partition, 'a')
    if (!before) throw new Error('it is gone')
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        here.things.write(partition, [
          { kind: 'replace', document: thing('a', { n }), etag: before.etag },
        ]),
      ),
    )
    expect(outcomes.filter(({ committed }) => committed)).toHaveLength(1)
  })

  test('finds many ids of one partition, each once, and passes over what is not there', async () => {
    await using here = await open()
    const ids = Array.from({ length: 230 }, (_, index) => `id-${index}`)
    for (let at = 0; at < ids.length; at += 100) {
      await here.things.write(
        partition,
        ids.slice(at, at + 100).map((id) => create(thing(id))),
      )
    }
    await here.things.write(
      ['tenant-b', 'incident'],
      [create({ ...thing('id-1'), tenantId: 'tenant-b' })],
    )
    const found = await here.things.getMany(partition, [...ids, 'nowhere', 'id-7'])
    expect(found.map(({ document }) => document.id).sort()).toEqual([...ids].sort())
    expect(found.every(({ document }) => document.tenantId === 'tenant-a')).toBe(true)
    expect(await here.things.getMany(partition, [])).toEqual([])
  })

  test('answers a query: all conditions of a group, any of the groups, in all partitions or one', async () => {
    await using here = await open()
    const other = { ...thing('d', { when: '2026-01-01' }), tenantId: 'tenant-b' }
    await here.things.write(partition, [
      create(thing('a', { on: true, when: '2026-01-01', nested: { value: 'p' } })),
      create(thing('b', { on: false, when: '2026-06-01' })),
      create(thing('c', { on: true, tags: ['p', 'q'] })),
    ])
    await here.things.write(['tenant-b', 'incident'], [create(other)])
    const ids = async (...asked: Parameters<Collection<Thing>['query']>) => {
      const found: string[] = []
      for await (const { document } of here.things.query(...asked)) found.push(document.id)
      return found.sort()
    }
    const early = { field: 'when', is: '<=', value: '2026-03-01' } as const
    const on = { field: 'on', is: '=', value: true } as const
    expect(await ids({ anyOf: [[early]] })).toEqual(['a', 'd'])
    expect(await ids({ anyOf: [[early]] }, partition)).toEqual(['a'])
    expect(await ids({ anyOf: [[on, early]] })).toEqual(['a'])
    expect(await ids({ anyOf: [[on], [early]] })).toEqual(['a', 'c', 'd'])
    expect(await ids({ anyOf: [[{ field: 'on', is: '!=', value: true }]] })).toEqual(['b'])
    expect(await ids({ anyOf: [[{ field: 'nested.value', is: '=', value: 'p' }]] })).toEqual(['a'])
    expect(await ids({ anyOf: [[{ field: 'on', is: '=', value: 'true' }]] })).toEqual([])
    expect(await ids({ anyOf: [[{ field: 'tags', is: 'contains', value: 'q' }]] })).toEqual(['c'])
    expect(await ids({ anyOf: [[{ field: 'tags', is: 'contains', value: 'r' }]] })).toEqual([])
  })

  test('removes what has not changed, together with other writes', async () => {
    await using here = await open()
    await here.things.write(partition, [create(thing('a')), create(thing('b'))])
    const stored = await here.things.get(partition, 'a')
    if (!stored) throw new Error('it is gone')
    const remove = (etag: string): Write<Thing> => ({ kind: 'remove', document: thing('a'), etag })
    expect(await here.things.write(partition, [remove('"other"')])).toEqual({
      committed: false,
      conflict: 0,
    })
    const both = [create(thing('c')), remove(stored.etag)]
    expect(await here.things.write(partition, both)).toMatchObject({ committed: true })
    expect(await here.things.get(partition, 'a')).toBeUndefined()
    expect(await here.things.write(partition, [remove(stored.etag)])).toMatchObject({
      committed: false,
    })
  })

  test('answers a query page by page, in the order of ids', async () => {
    await using here = await open()
    const ids = ['e', 'a', 'd', 'b', 'c']
    await here.things.write(
      partition,
      ids.map((id) => create(thing(id, { on: id !== 'c' }))),
    )
    const read = async (after: string) => {
      const found: string[] = []
      const on = { field: 'on', is: '=', value: true } as const
      const query = { anyOf: [[on]], page: { after, limit: 2 } }
      for await (const { document } of here.things.query(query, partition)) found.push(document.id)
      return found
    }
    expect(await read('')).toEqual(['a', 'b'])
    expect(await read('b')).toEqual(['d', 'e'])
    expect(await read('e')).toEqual([])
  })

  test('says store_unavailable when it is away', async () => {
    await using here = await open()
    await here.things.ping()
    here.goAway()
    const unavailable = { code: 'store_unavailable' }
    await expect(here.things.get(partition, 'a')).rejects.toMatchObject(unavailable)
    await expect(here.things.getMany(partition, ['a'])).rejects.toMatchObject(unavailable)
    await expect(here.things.write(partition, [create(thing('a'))])).rejects.toMatchObject(
      unavailable,
    )
    const iterate = async () => {
      for await (const _ of here.things.query({ anyOf: [[]] })) break
    }
    await expect(iterate()).rejects.toMatchObject(unavailable)
  })
})
