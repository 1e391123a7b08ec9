import { describe, expect, test } from 'vitest'
import topology from '../../src/topology.json' with { type: 'json' }
import { buses, failureOf, partition, safes, stores, thing } from './faulty-ports.ts'

// What the simulator does to its ports happens to the adapters too, and there means the same.

describe.for(Object.entries(stores))('a collection %s', ([, open]) => {
  test('that refuses a write has not done it, and does it when it is asked again', async () => {
    await using here = await open()
    const create = () => here.things.write(partition, [{ kind: 'create', document: thing('a', 1) }])
    here.fail('refused')
    expect(await failureOf(create())).toBe('store_unavailable')
    expect(await here.things.get(partition, 'a')).toBeUndefined()
    expect(await create()).toMatchObject({ committed: true })
  })

  test('that loses the answer to a create has it once, and whoever tries again is refused', async () => {
    await using here = await open()
    const create = (n: number) =>
      here.things.write(partition, [{ kind: 'create', document: thing('a', n) }])
    here.fail('answer lost')
    expect(['store_unavailable', undefined]).toContain(await failureOf(create(1)))
    expect(await create(2)).toEqual({ committed: false, conflict: 0 })
    expect((await here.things.get(partition, 'a'))?.document.n).toBe(1)
  })

  test('that loses the answer to a conditional write has done it, and its tag is another', async () => {
    await using here = await open()
    await here.things.write(partition, [{ kind: 'create', document: thing('a', 1) }])
    const before = await here.things.get(partition, 'a')
    const replace = (n: number) =>
      here.things.write(partition, [
        { kind: 'replace', document: thing('a', n), etag: before?.etag ?? '' },
      ])
    here.fail('answer lost')
    expect(['store_unavailable', undefined]).toContain(await failureOf(replace(2)))
    expect(await replace(3)).toEqual({ committed: false, conflict: 0 })
    const after = await here.things.get(partition, 'a')
    expect(after?.document.n).toBe(2)
    expect(after?.etag).not.toBe(before?.etag)
  })

  test('that loses the answer to several writes has done all of them', async () => {
    await using here = await open()
    const writes = ['a', 'b', 'c'].map(
      (id) => ({ kind: 'create', document: thing(id, 1) }) as const,
    )
    here.fail('answer lost')
    expect(['store_unavailable', undefined]).toContain(
      await failureOf(here.things.write(partition, writes)),
    )
    expect(await here.things.getMany(partition, ['a', 'b', 'c'])).toHaveLength(3)
  })
})

const LOCK_MS = 5 * 60_000

describe.for(Object.entries(buses))('a queue %s', ([, open]) => {
  const message = { id: 'm-1', body: { n: 1 } }

  test('that refuses a message does not have it', async () => {
    await using here = await open()
    here.fail('refused')
    expect(await failureOf(here.queue.send([message]))).toBe('queue_unavailable')
    expect(await here.take()).toBeUndefined()
  })

  test('that loses the answer to a message has it once, however often it is sent again', async () => {
    await using here = await open()
    here.fail('answer lost')
    expect(['queue_unavailable', undefined]).toContain(await failureOf(here.queue.send([message])))
    await here.queue.send([message])
    const first = await here.take()
    expect(first?.id).toBe('m-1')
    expect(await first?.complete()).toBe(true)
    expect(await here.take()).toBeUndefined()
  })

  test('gives a message to somebody else when its lock ends, and the first can settle it no more', async () => {
    await using here = await open()
    await here.queue.send([message])
    const first = await here.take()
    here.advance(LOCK_MS + 1_000)
    const second = await here.take()
    expect(second).toMatchObject({ id: 'm-1', deliveryCount: 1 })
    expect(await first?.complete()).toBe(false)
    expect(await second?.complete()).toBe(true)
  })

  test('gives a message again when nobody ever said that it is done', async () => {
    await using here = await open()
    await here.queue.send([message])
    expect(await here.take()).toMatchObject({ id: 'm-1', deliveryCount: 0 })
    here.advance(LOCK_MS + 1_000)
    expect(await here.take()).toMatchObject({ id: 'm-1', deliveryCount: 1 })
  })

  test('counts what is given back, and takes it out of the way in the end', async () => {
    await using here = await open()
    await here.queue.send([message])
    const counts: number[] = []
    for (let taken = await here.take(); taken && counts.length < 20; taken = await here.take()) {
      counts.push(taken.deliveryCount)
      await taken.abandon()
    }
    const { maxDeliveryCount } = topology.queues.inbound
    expect(counts).toEqual(Array.from({ length: maxDeliveryCount }, (_, index) => index))
  })
})

describe.for(Object.entries(safes))('a vault %s', ([, open]) => {
  test('that refuses a secret keeps what it had', async () => {
    await using here = await open()
    const first = await here.vault.set('credential-a', 'one')
    here.fail('refused')
    expect(await failureOf(here.vault.set('credential-a', 'two'))).toBe('vault_unavailable')
    expect(await here.vault.latest('credential-a')).toEqual({ value: 'one', version: first })
  })

  test('that loses the answer has the secret all the same, as its latest version', async () => {
    await using here = await open()
    const first = await here.vault.set('credential-a', 'one')
    here.fail('answer lost')
    expect(['vault_unavailable', undefined]).toContain(
      await failureOf(here.vault.set('credential-a', 'two')),
    )
    const latest = await here.vault.latest('credential-a')
    expect(latest?.value).toBe('two')
    expect(latest?.version).not.toBe(first)
    expect(await here.vault.get('credential-a', first)).toBe('one')
  })
})
