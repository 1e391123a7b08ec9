import { describe, expect, test } from 'vitest'
import { inboundMessageShape, type InboundMessage } from '../../src/sync/task.ts'
import type { FoundOne } from '../../src/sync/ports.ts'
import { task, world, start } from './world.ts'

type World = ReturnType<typeof world>

const version = (count: number) => ({ time: '2026-03-01T09:00:00.000Z', count })

function rowOf(id: string, count: number, title: unknown = `${id} ${count}`): FoundOne {
  return {
    kind: 'row',
    row: {
      externalId: id,
      cursor: { time: version(count).time, id },
      version: version(count),
      values: { title: title as string }, // some are wrong on purpose
    },
  }
}

/** A world whose vendor answers for single records what stands in `rows`. */
async function targeted(rows: Record<string, FoundOne>) {
  const here = world([])
  await here.addTask({ status: 'completed', nextScheduled: '2026-03-01T11:00:00.000Z' })
  here.vendor.source.fetchOne = async (id) => rows[id] ?? { kind: 'gone' }
  return here
}

function message(record: InboundMessage['record'], more: Partial<InboundMessage> = {}) {
  return inboundMessageShape.parse({
    integrationId: task.integrationId,
    tenantId: task.tenantId,
    connectionId: task.connectionId,
    syncMode: 'pull',
    priority: 'normal',
    correlationId: 'delivery-1',
    enqueuedAt: start.toISOString(),
    taskId: task.id,
    record,
    ...more,
  })
}

const pull = (
  here: World,
  externalId: string,
  operation: 'create' | 'update' | 'delete' = 'update',
) => here.work(message({ entityType: 'incident', externalId, operation }))

describe('a message that names a record', () => {
  test('S12: becomes no record when it was read long ago: its deletion may have been told since', async () => {
    const here = await targeted({ a: rowOf('a', 1) })
    const fetchOne = here.vendor.source.fetchOne
    here.vendor.source.fetchOne = async (id, signal) => {
      const found = await fetchOne?.(id, signal)
      here.advance(40_000)
      return found ?? { kind: 'gone' }
    }
    await expect(pull(here, 'a')).rejects.toMatchObject({ code: 'conflict' })
    expect(here.records()).toEqual([])
  })

  test('S12: read before a deletion that was stored first does not bring its record back', async () => {
    const rows: Record<string, FoundOne> = { a: rowOf('a', 1) }
    const here = await targeted(rows)
    await pull(here, 'a')
    rows['a'] = rowOf('a', 2)
    // It is read, and before what was read is stored it is deleted, and that told and stored.
    let overtake: (() => Promise<unknown>) | undefined = async () => {
      delete rows['a']
      await pull(here, 'a', 'delete')
    }
    const fetchOne = here.vendor.source.fetchOne
    here.vendor.source.fetchOne = async (id, signal) => {
      const found = await fetchOne?.(id, signal)
      const first = overtake
      overtake = undefined
      await first?.()
      return found ?? { kind: 'gone' }
    }
    expect(await pull(here, 'a')).toMatchObject({ kind: 'record' })
    expect(here.records()).toMatchObject([{ deleted: { by: task.connectionId } }])
  })

  test('S60: is looked at once more where it tells of a deletion and a lagging replica has no such record', async () => {
    const here = await targeted({})
    expect(await pull(here, 'a', 'delete')).toEqual({ kind: 'record', result: 'put_off' })
    const [later] = here.inbound.waiting
    expect(later?.notBefore).toEqual(new Date(start.getTime() + 60_000))
    expect(await here.work(inboundMessageShape.parse(later?.body))).toEqual({
      kind: 'record',
      result: 'absent',
    })
  })

  test('has that record fetched and stored, once however often it comes', async () => {
    const here = await targeted({ a: rowOf('a', 1) })
    expect(await pull(here, 'a')).toEqual({ kind: 'record', result: 'created' })
    expect(await pull(here, 'a')).toEqual({ kind: 'record', result: 'unchanged' })
    expect(here.records()).toMatchObject([{ fields: { title: 'a 1' } }])
    expect(here.vendor.asked).toEqual([])
    expect(here.stream()).toBeUndefined()
  })

  test('S33: an older version never replaces a newer one', async () => {
    const rows = { a: rowOf('a', 2) }
    const here = await targeted(rows)
    await pull(here, 'a')
    rows.a = rowOf('a', 1)
    expect(await pull(here, 'a')).toEqual({ kind: 'record', result: 'outdated' })
    expect(here.records()).toMatchObject([{ fields: { title: 'a 2' } }])
  })

  test.for([
    ['delete', 'update', 'create'],
    ['create', 'update', 'delete'],
    ['update', 'delete', 'create'],
  ] as const)(
    'S12: what was deleted ends deleted when its events come as %s, %s, %s',
    async (order) => {
      const rows: Record<string, FoundOne> = { a: rowOf('a', 1) }
      const here = await targeted(rows)
      await pull(here, 'a')
      delete rows['a']
      for (const operation of order) await pull(here, 'a', operation)
      expect(here.records()).toMatchObject([{ deleted: { at: start.toISOString() } }])
    },
  )

  test('S12: a row read before the delete does not bring the record back; one restored and changed does', async () => {
    const rows: Record<string, FoundOne> = { a: rowOf('a', 1) }
    const here = await targeted(rows)
    await pull(here, 'a')
    delete rows['a']
    await pull(here, 'a', 'delete')
    rows['a'] = rowOf('a', 1)
    expect(await pull(here, 'a')).toMatchObject({ result: 'outdated' })
    rows['a'] = rowOf('a', 3)
    expect(await pull(here, 'a')).toMatchObject({ result: 'updated' })
    expect(here.records()[0]?.deleted).toBeNull()
  })

  test('deletes nothing that the vendor still has, nor what only cannot be found', async () => {
    const rows: Record<string, FoundOne> = { a: rowOf('a', 1) }
    const here = await targeted(rows)
    await pull(here, 'a', 'delete')
    expect(here.records()[0]?.deleted).toBeNull()
    delete rows['a']
    expect(await pull(here, 'a', 'update')).toMatchObject({ result: 'absent' })
    expect(here.records()[0]?.deleted).toBeNull()
  })

  test('that somebody else wrote meanwhile is read again', async () => {
    const rows = { a: rowOf('a', 1) }
    const here = await targeted(rows)
    await pull(here, 'a')
    rows.a = rowOf('a', 2)
    let races = 1
    here.shards.before = async (operation) => {
      if (operation !== 'write' || races === 0) return
      races -= 1
      const [link] = here.links()
      if (link)
        await here.shards.write(
          [link.tenantId, link.entityType],
          [{ kind: 'upsert', document: link }],
        )
    }
    expect(await pull(here, 'a')).toMatchObject({ result: 'updated' })
    expect(here.records()).toMatchObject([{ fields: { title: 'a 2' } }])
  })

  test('that does not fit its mapping is parked', async () => {
    const here = await targeted({ a: rowOf('a', 1, { not: 'a text' }) })
    expect(await pull(here, 'a')).toMatchObject({ result: 'parked' })
    expect(here.parked.all()).toMatchObject([
      { externalId: 'a', reason: { code: 'mapping_failed' } },
    ])
  })

  test('comes again when the vendor says later, and is parked after the last try', async () => {
    const here = await targeted({ a: { kind: 'retry', reason: 'busy', afterMs: 60_000 } })
    expect(await pull(here, 'a')).toMatchObject({ result: 'put_off' })
    for (const attempt of [2, 3]) {
      expect(here.take()).toBeUndefined()
      here.advance(60_000)
      const next = here.take()
      expect(next).toMatchObject({ attempt, record: { externalId: 'a' } })
      if (next) await here.work(next)
    }
    expect(here.parked.all()).toMatchObject([
      { externalId: 'a', reason: { code: 'vendor_failed' } },
    ])
  })

  test('S23: that only waits for quota loses no try, however often', async () => {
    const rows: Record<string, FoundOne> = {
      a: { kind: 'retry', reason: 'no quota', afterMs: 1_000, limited: true },
    }
    const here = await targeted(rows)
    await pull(here, 'a')
    for (let times = 0; times < 10; times += 1) {
      here.advance(1_000)
      const next = here.take()
      expect(next).toMatchObject({ attempt: 1, record: { externalId: 'a' } })
      if (times === 9) rows['a'] = rowOf('a', 1)
      if (next) await here.work(next)
    }
    expect(here.parked.all()).toEqual([])
    expect(here.records()).toHaveLength(1)
  })

  test('has no work when its task is switched off', async () => {
    const here = world([])
    await here.addTask({ enabled: false })
    expect(await pull(here, 'a')).toMatchObject({ result: 'stale' })
  })
})

describe('a source that cannot read one record', () => {
  const rows = [{ id: 'a', time: '2026-03-01T09:00:00.000Z' }]

  test('is read ahead of its slot, once for many messages', async () => {
    const here = world(rows)
    await here.addTask({ status: 'completed', nextScheduled: '2026-03-01T11:00:00.000Z' })
    for (const id of ['a', 'b', 'c']) {
      expect(await pull(here, id)).toMatchObject({ result: 'asked_for_run' })
    }
    expect(here.inbound.waiting).toHaveLength(1)
    await here.drain()
    expect(here.records()).toHaveLength(1)
  })

  test('that is being read may be past the record: the message comes again', async () => {
    const here = world(rows)
    await here.addTask({
      status: 'running',
      claim: {
        runId: 'run-1',
        slot: start.toISOString(),
        offer: 1,
        expiresAt: '2026-03-01T11:00:00.000Z',
      },
    })
    await expect(pull(here, 'a')).rejects.toMatchObject({ code: 'conflict' })
  })
})

test('a message that names no record but its kind has the stream read', async () => {
  const here = await targeted({})
  expect(await here.work(message({ entityType: 'incident' }))).toMatchObject({
    result: 'asked_for_run',
  })
})
