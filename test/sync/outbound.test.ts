import { describe, expect, test } from 'vitest'
import { linkOf } from '../../src/sync/draft.ts'
import { deleteLocally } from '../../src/sync/deletion.ts'
import { parkPush } from '../../src/sync/push.ts'
import type { RecordDocument } from '../../src/sync/record.ts'
import { pushWorld } from './push-world.ts'

const values = (here: ReturnType<typeof pushWorld>) => here.vendor.alive().map((row) => row.values)
const link = (record: RecordDocument | undefined) => record && linkOf(record, 'there')

async function pushed(here: ReturnType<typeof pushWorld>, name = 'a') {
  await here.addTask()
  const record = await here.add(name, { title: `title ${name}`, note: null })
  await here.drain(record.id)
  return record
}

describe('a record', () => {
  test('is created, then changed by the smallest patch, and each push leaves its result', async () => {
    const here = pushWorld()
    const { id } = await pushed(here)
    await here.change(id, { note: 'new' })
    await here.drain(id)
    expect(
      here.calls.map((call) => call.map(({ operation, values }) => [operation, values])),
    ).toEqual([[['create', { title: 'title a' }]], [['update', { note: 'new' }]]])
    expect(here.results.all()).toMatchObject([
      {
        operation: 'create',
        success: true,
        entityId: id,
        externalId: 'there-1',
        integrationId: 'vendor',
        ttl: 2_592_000,
      },
      { operation: 'update', success: true },
    ])
    expect(here.record(id)?.pending).toEqual([])
  })

  test('that changed ten times is pushed once', async () => {
    const here = pushWorld()
    const { id } = await pushed(here)
    for (let nth = 0; nth < 10; nth += 1) await here.change(id, { note: `note ${nth}` })
    await here.drain(id)
    expect(here.calls).toHaveLength(2)
    expect(values(here)).toEqual([{ title: 'title a', note: 'note 9' }])
  })

  test('a message that comes again finds nothing to do', async () => {
    const here = pushWorld()
    const { id } = await pushed(here)
    expect(await here.drain(id)).toEqual([{ kind: 'finished', pushed: 0, failed: 0 }])
    expect(here.calls).toHaveLength(1)
  })

  test('S38: created, changed and deleted while the vendor is away never existed there', async () => {
    const here = pushWorld()
    await here.addTask()
    const record = await here.add('a', { title: 'title a' })
    here.answer.write = async () => ({ kind: 'retry', reason: 'it hibernates' })
    await here.drain(record.id)
    await here.change(record.id, { note: 'new' })
    const now = here.record(record.id)
    if (now) await here.store(deleteLocally(now, { by: 'local', now: here.ports.clock() }).record)
    here.answer.write = async (_write, does) => does()
    here.advance(3_600_000)
    await here.drain(record.id)
    expect(here.vendor.writes).toEqual([])
    expect(here.record(record.id)?.pending).toEqual([])
  })
})

describe('S37: an answer that was lost after the row was created', () => {
  test.for(['correlation', 'external_id'] as const)(
    'is found by its marker (%s): one row',
    async (marker) => {
      const here = pushWorld({ marker })
      await here.addTask()
      const record = await here.add('a', { title: 'title a' })
      here.answer.write = async (_write, does) => {
        await does()
        return { kind: 'unknown', reason: 'timeout' }
      }
      await here.drain(record.id)
      here.answer.write = async (_write, does) => does()
      here.advance(60_000)
      await here.relay()
      await here.drain(record.id)
      expect(here.vendor.alive()).toHaveLength(1)
      expect(link(here.record(record.id))).toMatchObject({ externalId: 'there-1' })
      expect(here.shards.all().filter(({ kind }) => kind === 'link')).toHaveLength(1)
    },
  )

  test('and the worker that died before it stored the answer: one row', async () => {
    const here = pushWorld()
    await here.addTask()
    const record = await here.add('a', { title: 'title a' })
    here.answer.write = async (_write, does) => {
      await does()
      throw new Error('the process died')
    }
    await expect(here.work(here.message(record.id))).rejects.toThrow('died')
    here.answer.write = async (_write, does) => does()
    // Whoever comes while the lease of the dead one has not run out waits for it.
    expect(await here.work(here.message(record.id))).toMatchObject({ kind: 'continued' })
    here.advance(60_000)
    await here.drain(record.id)
    expect(here.vendor.alive()).toHaveLength(1)
    expect(link(here.record(record.id))).toMatchObject({ externalId: 'there-1' })
  })
})

test('S36: of a call with 200 rows each outcome is its own, and what succeeded is never sent again', async () => {
  const here = pushWorld()
  await here.addTask()
  const kinds = new Map<string, number>()
  for (let nth = 0; nth < 200; nth += 1) {
    const { id } = await here.add(`row ${nth}`, { title: `title ${nth}` })
    kinds.set(id, nth)
  }
  const tries = new Map<string, number>()
  here.answer.write = async (write, does) => {
    const nth = kinds.get(write.marker) ?? 0
    const tried = (tries.get(write.marker) ?? 0) + 1
    tries.set(write.marker, tried)
    if (nth < 30)
      return { kind: 'rejected', code: 'FIELD_CUSTOM_VALIDATION', reason: 'not like this' }
    if (nth < 45 && tried === 1) return { kind: 'retry', reason: `row ${nth} is locked` }
    if (nth < 47 && tried === 1) {
      await does()
      return { kind: 'unknown', reason: 'the answer was lost' }
    }
    return does()
  }
  const [first] = here.records()
  await here.drain(first?.id ?? '')
  for (let round = 0; round < 4; round += 1) {
    here.advance(60_000)
    await here.drain(first?.id ?? '')
  }
  expect(here.vendor.alive()).toHaveLength(170)
  const triesOf = (from: number, to: number) =>
    [...kinds].filter(([, nth]) => nth >= from && nth < to).map(([id]) => tries.get(id))
  expect(new Set(triesOf(0, 30))).toEqual(new Set([1]))
  expect(new Set(triesOf(30, 45))).toEqual(new Set([2]))
  // Resolved by a look, not by a second try.
  expect(new Set(triesOf(45, 200))).toEqual(new Set([1]))
  expect(here.parked.all()).toHaveLength(30)
  expect(here.parked.all()[0]).toMatchObject({
    kind: 'push',
    reason: { code: 'FIELD_CUSTOM_VALIDATION', message: 'not like this' },
  })
})

test('S22: a call that is refused because of one row is halved until that row stands alone, and only it is parked', async () => {
  const here = pushWorld()
  await here.addTask()
  for (let nth = 0; nth < 16; nth += 1)
    await here.add(`row ${nth}`, { title: nth === 11 ? 'poison' : `title ${nth}` })
  const push = here.vendor.source.push
  if (!push) throw new Error('the vendor cannot be written')
  const refused = { kind: 'refused', code: 'vendor_failed', reason: 'it refuses the call' } as const
  const sizes: number[] = []
  const openSource = async () => ({
    ...here.vendor.source,
    push: {
      ...push,
      write: async (...[writes, signal]: Parameters<typeof push.write>) => {
        sizes.push(writes.length)
        return writes.some((one) => one.values['title'] === 'poison')
          ? writes.map(() => refused)
          : push.write(writes, signal)
      },
    },
  })
  const [first] = here.records()
  Object.assign(here.ports, { openSource })
  await here.drain(first?.id ?? '')
  expect(here.vendor.alive()).toHaveLength(15)
  expect(here.parked.all()).toMatchObject([{ reason: { code: 'vendor_failed' } }])
  expect(sizes).toHaveLength(9)
})

describe('S40: the row has changed there since we last agreed', () => {
  test.for([true, false])(
    'and the vendor compares %j: nothing is written over blindly',
    async (comparesAndSets) => {
      const here = pushWorld({ comparesAndSets })
      const { id } = await pushed(here)
      here.advance(10_000)
      here.vendor.edit('there-1', { title: 'by a person' })
      await here.change(id, { note: 'ours' })
      await here.drain(id)
      expect(values(here)).toEqual([{ title: 'by a person', note: 'ours' }])
      expect(here.record(id)?.fields).toEqual({ title: 'by a person', note: 'ours' })
    },
  )

  test('in the same field: decided by the strategy, and the loser is stored before it is written over', async () => {
    const here = pushWorld()
    const { id } = await pushed(here)
    here.advance(10_000)
    here.vendor.edit('there-1', { title: 'by a person' })
    await here.change(id, { title: 'ours' })
    here.answer.write = async (write, does) => {
      const outcome = await does()
      // Whenever our value stands there, the other one is in the store already.
      const kept = here.shards
        .all()
        .some((one) => one.kind === 'conflict' && one.external === 'by a person')
      expect([
        write.operation,
        outcome.kind === 'done',
        outcome.kind === 'done' && kept,
      ]).not.toEqual(['update', true, false])
      return outcome
    }
    await here.drain(id)
    expect(values(here)).toEqual(
      [{ title: 'ours', note: undefined }].map(({ title }) => ({ title })),
    )
    expect(here.shards.all().filter(({ kind }) => kind === 'conflict')).toMatchObject([
      { local: 'ours', external: 'by a person', winner: 'local', status: 'resolved' },
    ])
  })

  test('S43: deleted there while changed here: it is created anew, and the old row stays another', async () => {
    const here = pushWorld()
    const { id } = await pushed(here)
    await here.change(id, { note: 'ours' })
    here.vendor.remove('there-1')
    await here.drain(id)
    expect(here.vendor.alive()).toMatchObject([
      { id: 'there-2', values: { title: 'title a', note: 'ours' } },
    ])
    expect(link(here.record(id))).toMatchObject({ externalId: 'there-2', generation: 1 })
  })
})

describe('what cannot go on', () => {
  test('S23: a vendor that asks to wait pauses the connection; no record’s tries are counted', async () => {
    const here = pushWorld()
    await here.addTask()
    const { id } = await here.add('a', { title: 'title a' })
    here.answer.write = async () => ({
      kind: 'retry',
      reason: 'too many requests',
      afterMs: 90_000,
    })
    const [outcome] = await here.drain(id)
    expect(outcome).toMatchObject({
      kind: 'continued',
      notBefore: new Date(here.ports.clock().getTime() + 90_000),
    })
    expect(link(here.record(id))?.attempts).toBeUndefined()
    here.advance(89_000)
    expect(await here.work(here.message(id))).toMatchObject({ kind: 'continued' })
    expect(here.calls).toHaveLength(1)
  })

  test('a field that the vendor requires and we do not have parks the record, until it has it', async () => {
    const here = pushWorld()
    await here.addTask()
    const { id } = await here.add('a', { title: null })
    await here.drain(id)
    expect(here.parked.all()).toMatchObject([{ recordId: id, reason: { code: 'mapping_failed' } }])
    expect(here.record(id)?.pending).toEqual([])
    await here.change(id, { title: 'at last' })
    await here.drain(id)
    expect(values(here)).toEqual([{ title: 'at last' }])
  })

  test('a record that fails again and again is parked at last, with what the vendor said', async () => {
    const here = pushWorld()
    await here.addTask()
    const { id } = await here.add('a', { title: 'poison' })
    await here.add('b', { title: 'fine' })
    here.answer.write = async (write, does) =>
      write.values['title'] === 'poison' ? { kind: 'unknown', reason: 'it broke off' } : does()
    for (let round = 0; round < 6; round += 1) {
      await here.drain(id)
      here.advance(3_600_000)
    }
    expect(here.parked.all()).toMatchObject([{ recordId: id, reason: { code: 'outcome_unknown' } }])
    expect(values(here)).toEqual([{ title: 'fine' }])
  })

  test('S21: a worker whose lease was taken stores nothing more', async () => {
    const here = pushWorld()
    await here.addTask()
    const { id } = await here.add('a', { title: 'title a' })
    let second: Promise<unknown> | undefined
    here.answer.write = async (_write, does) => {
      const outcome = await does()
      if (!second) {
        // The worker stalls here until its lease is over, and another one does the work.
        here.advance(61_000)
        second = here.work(here.message(id))
        await second
      }
      return outcome
    }
    expect(await here.work(here.message(id))).toEqual({ kind: 'stale' })
    expect(await second).toMatchObject({ kind: 'finished' })
    expect(here.vendor.alive()).toHaveLength(1)
    expect(link(here.record(id))).toMatchObject({ externalId: 'there-1' })
  })
})

test('what waits in an outbox after a crash is announced again, once a minute and connection', async () => {
  const here = pushWorld()
  await here.addTask()
  await here.add('a', { title: 'title a' })
  await here.add('b', { title: 'title b' })
  expect(here.outbound.waiting).toEqual([])
  expect(await here.relay()).toEqual({ relayed: 1 })
  await here.relay()
  expect(here.outbound.waiting).toHaveLength(1)
})

test('a parked record is not pushed, and a task that only pulls pushes nothing', async () => {
  const here = pushWorld()
  await here.addTask()
  const record = await here.add('a', { title: 'title a' })
  const [side] = await here.sides()
  if (!side) throw new Error('no task pushes')
  await here.store(parkPush(record, { code: 'x', message: 'y' }, { side, now: new Date() }).record)
  await here.drain(record.id)
  expect(here.calls).toEqual([])
  const pulling = pushWorld({ task: { syncMode: 'pull' } })
  await pulling.addTask()
  const { id, pending } = await pulling.add('a', { title: 'title a' })
  expect(pending).toEqual([])
  expect(await pulling.work(pulling.message(id))).toEqual({ kind: 'stale' })
})

test('what a person has to mend is looked at again soon at first, then ever more seldom, and says why it waits', async () => {
  const here = pushWorld()
  await here.addTask()
  const record = await here.add('a', { title: 'title a' })
  const openSource = here.ports.openSource.bind(here.ports)
  const refusal = { kind: 'refused', code: 'reauth_required', reason: 'its consent has ended' }
  Object.assign(here.ports, { openSource: async () => refusal })
  const waits: number[] = []
  for (let nth = 0; nth < 12; nth += 1) {
    const outcome = await here.work(here.message(record.id))
    const until = outcome.kind === 'continued' ? outcome.notBefore : undefined
    const wait = (until?.getTime() ?? 0) - here.ports.clock().getTime()
    waits.push(wait)
    here.advance(wait)
  }
  expect(waits[0]).toBeLessThanOrEqual(10_000)
  expect(waits.at(-1)).toBeGreaterThan(600_000)
  expect(waits.at(-1)).toBeLessThanOrEqual(900_000)
  const pusher = () => here.shards.all().find(({ kind }) => kind === 'pusher')
  expect(pusher()).toMatchObject({ waitsFor: 'its consent has ended', failures: 12 })
  expect(here.record(record.id)?.links['there']?.attempts).toBeUndefined()
  Object.assign(here.ports, { openSource })
  await here.drain(record.id)
  expect(here.vendor.alive()).toHaveLength(1)
  expect(pusher()).toMatchObject({ waitsFor: null, failures: 0 })
})

test('rows that must be read before they are written are read in one call, whatever their number', async () => {
  const here = pushWorld({ comparesAndSets: false })
  await here.addTask()
  const ids: string[] = []
  for (let nth = 0; nth < 30; nth += 1) {
    ids.push((await here.add(`r${nth}`, { title: `title ${nth}` })).id)
  }
  await here.drain(ids[0] ?? '')
  const { push } = here.vendor.source
  const reads = { one: 0, many: 0 }
  const ask = push?.fetchMany
  if (!push || !ask) throw new Error('the vendor reads no rows')
  const [side] = await here.sides()
  if (!side) throw new Error('nobody is pushed to')
  const source = await here.ports.openSource(side.task)
  if (source.kind !== 'source' || !source.push) throw new Error('no source')
  Object.assign(source.push, {
    fetchOne: async () => {
      reads.one += 1
      return { kind: 'hidden' }
    },
    fetchMany: async (...asked: Parameters<typeof ask>) => {
      reads.many += 1
      return ask(...asked)
    },
  })
  for (const id of ids) await here.change(id, { note: `note of ${id}` })
  await here.drain(ids[0] ?? '')
  expect(reads).toEqual({ one: 0, many: 1 })
  expect(values(here).every((row) => row['note'] !== null)).toBe(true)
})

test('what was refused is off the list of what is parked as soon as a change of it is taken', async () => {
  const here = pushWorld()
  const { id } = await pushed(here)
  here.answer.write = async () => ({ kind: 'rejected', code: 'TOO_LONG', reason: 'too long' })
  await here.change(id, { note: 'a very long note' })
  await here.drain(id)
  expect(here.parked.all()).toMatchObject([{ recordId: id, reason: { code: 'TOO_LONG' } }])
  await here.change(id, { note: 'still a long note' })
  await here.drain(id)
  expect(here.parked.all()).toHaveLength(1)
  here.answer.write = async (_write, does) => does()
  await here.change(id, { note: 'short' })
  await here.drain(id)
  expect(here.parked.all()).toEqual([])
  expect(values(here)).toEqual([{ title: 'title a', note: 'short' }])
})
