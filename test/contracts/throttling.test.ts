import { describe, expect, test } from 'vitest'
import { buses, failureOf, partition, safes, stores, thing, type Fault } from './faulty-ports.ts'

/** The patience of a client, as set for these tests, and what a busy machine adds. */
const AT_MOST_MS = 8_000

/** The codes with which several calls are given up, each of them in time. */
async function givenUp(...calls: readonly (() => Promise<unknown>)[]) {
  const startedAt = performance.now()
  const codes = await Promise.all(calls.map((call) => failureOf(call())))
  expect(performance.now() - startedAt).toBeLessThan(AT_MOST_MS)
  return [...new Set(codes)]
}

/** A service that refuses for longer than its client tries, one that says how very long it will, one that says nothing. */
const throttled: readonly Fault[] = ['throttled', 'throttled for long', 'silent']

describe.for(Object.entries(stores))('a collection %s', ([, open]) => {
  test('that answers late has done the work once', async () => {
    await using here = await open()
    const create = () => here.things.write(partition, [{ kind: 'create', document: thing('a', 1) }])
    here.fail('late')
    expect(await create()).toMatchObject({ committed: true })
    here.fail('late')
    expect((await here.things.get(partition, 'a'))?.document).toEqual(thing('a', 1))
    expect(await create()).toEqual({ committed: false, conflict: 0 })
  })

  test.for(throttled)(
    'that is %s is given up in time, has done nothing, and works again',
    async (fault) => {
      await using here = await open()
      await here.things.write(partition, [{ kind: 'create', document: thing('kept', 1) }])
      const etag = (await here.things.get(partition, 'kept'))?.etag ?? ''
      const write = () =>
        here.things.write(partition, [
          { kind: 'replace', document: thing('kept', 2), etag },
          { kind: 'create', document: thing('a', 1) },
          { kind: 'create', document: thing('b', 1) },
        ])
      const ask = async () => {
        const query = { anyOf: [[{ field: 'n', is: '=', value: 1 } as const]] }
        for await (const { document } of here.things.query(query, partition)) return document.id
        return 'none'
      }
      here.fail(fault)
      const codes = await givenUp(
        write,
        () => here.things.get(partition, 'kept'),
        () => here.things.getMany(partition, ['kept']),
        ask,
      )
      expect(codes).toEqual(['store_unavailable'])
      here.fail('relented')
      const found = await here.things.getMany(partition, ['kept', 'a', 'b'])
      expect(found.map(({ document }) => document)).toEqual([thing('kept', 1)])
      expect(await write()).toMatchObject({ committed: true })
      expect(await ask()).toBe('a')
    },
  )
})

describe.for(Object.entries(buses))('a queue %s', ([, open]) => {
  test('that answers late has the message once', async () => {
    await using here = await open()
    here.fail('late')
    await here.queue.send([{ id: 'a', body: {} }])
    const first = await here.take()
    expect(first?.id).toBe('a')
    expect(await first?.complete()).toBe(true)
    expect(await here.take()).toBeUndefined()
  })

  test('that is throttled is given up in time, has nothing, and takes the same messages afterwards', async () => {
    await using here = await open()
    const messages = ['a', 'b'].map((id) => ({ id, body: { id } }))
    here.fail('throttled')
    expect(await givenUp(() => here.queue.send(messages))).toEqual(['queue_unavailable'])
    expect(await here.take()).toBeUndefined()
    here.fail('relented')
    await here.queue.send(messages)
    expect([(await here.take())?.id, (await here.take())?.id]).toEqual(['a', 'b'])
    expect(await here.take()).toBeUndefined()
  })
})

describe.for(Object.entries(safes))('a vault %s', ([, open]) => {
  test('that answers late has one version more', async () => {
    await using here = await open()
    const first = await here.vault.set('credential-a', 'one')
    here.fail('late')
    const version = await here.vault.set('credential-a', 'two')
    expect(version).not.toBe(first)
    expect(await here.vault.latest('credential-a')).toEqual({ value: 'two', version })
  })

  test.for(throttled)(
    'that is %s is given up in time, keeps what it had, and works again',
    async (fault) => {
      await using here = await open()
      const { vault } = here
      const first = await vault.set('credential-a', 'one')
      here.fail(fault)
      const codes = await givenUp(
        () => vault.set('credential-a', 'two'),
        () => vault.latest('credential-a'),
        () => vault.remove('credential-a'),
      )
      expect(codes).toEqual(['vault_unavailable'])
      here.fail('relented')
      expect(await vault.latest('credential-a')).toEqual({ value: 'one', version: first })
      const second = await vault.set('credential-a', 'two')
      expect(await vault.latest('credential-a')).toEqual({ value: 'two', version: second })
    },
  )
})
