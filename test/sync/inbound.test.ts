import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { inboundMessageShape } from '../../src/sync/task.ts'
import { rowsOf, start, task, world, type Row } from './world.ts'

const titles = (records: readonly { fields: unknown }[]) => records.map(({ fields }) => fields)

test('a run brings every row into the store and says so in its result', async () => {
  const here = world(rowsOf(57, 3))
  await here.addTask()
  await here.tick()
  expect(await here.drain()).toMatchObject([
    { kind: 'finished', result: { status: 'success', recordsProcessed: 57, recordsCreated: 57 } },
  ])
  expect(here.records()).toHaveLength(57)
  expect(here.links()).toHaveLength(57)
  expect(here.tasks.all()).toMatchObject([
    { status: 'completed', claim: null, nextScheduled: '2026-03-01T11:00:00.000Z' },
  ])
})

test('S25: rows that share a second across page edges all arrive, whatever page the run is killed after', async () => {
  const rows = rowsOf(125, 25)
  for (let killed = 0; killed < 13; killed += 1) {
    const here = world([...rows], { pageSize: 10, sliceMs: 0 })
    await here.addTask()
    await here.tick()
    let slices = 0
    for (let next = here.take(); next; next = here.take()) {
      // The worker dies after its work and before the message is completed: the bus delivers it again.
      if (slices === killed) await here.work(next)
      await here.work(next)
      slices += 1
    }
    expect(here.records()).toHaveLength(125)
    expect(here.results.all()).toMatchObject([{ recordsProcessed: 125, recordsCreated: 125 }])
  }
})

test('nothing changed: a second run writes no record and no link', async () => {
  const here = world(rowsOf(40, 4), { pageSize: 20 })
  await here.addTask()
  await here.tick()
  await here.drain()
  const before = here.shards.all().filter(({ kind }) => kind !== 'stream')
  here.advance(3_600_000)
  await here.tick()
  expect(await here.drain()).toMatchObject([
    { result: { status: 'success', recordsCreated: 0, recordsUpdated: 0 } },
  ])
  expect(here.shards.all().filter(({ kind }) => kind !== 'stream')).toEqual(before)
})

test('S27: a row that was committed while the run waited longer than the overlap is picked up by the next', async () => {
  const at = (minute: number) => new Date(start.getTime() + minute * 60_000).toISOString()
  const here = world([{ id: 'a', time: at(0) }], { pageSize: 1 })
  await here.addTask()
  await here.tick()
  here.vendor.rows.push({ id: 'c', time: at(1) })
  const page = await here.vendor.source.fetchPage(
    { after: null, skip: 0, limit: 1 },
    new AbortController().signal,
  )
  here.vendor.answers.push(page, { kind: 'retry', reason: 'wait', afterMs: 20 * 60_000 })
  await here.drain()
  here.advance(20 * 60_000)
  here.vendor.rows.push({ id: 'late', time: at(-0.5) }, { id: 'new', time: at(20) })
  await here.drain()
  expect(here.records()).toHaveLength(3)
  here.advance(60 * 60_000)
  await here.tick()
  await here.drain()
  expect(here.records().map(({ fields }) => fields['title'])).toContain('row late')
})

test('S27: a row committed late with an older stamp is picked up by the overlap', async () => {
  const here = world(rowsOf(30, 1))
  await here.addTask()
  await here.tick()
  await here.drain()
  const newest = here.stream()?.cursor?.time ?? ''
  here.vendor.rows.push({ id: 'late', time: new Date(Date.parse(newest) - 30_000).toISOString() })
  here.advance(3_600_000)
  await here.tick()
  await here.drain()
  expect(here.records()).toHaveLength(31)
  expect(here.stream()?.cursor?.time).toBe(newest)
})

test('S33: a version older than the one seen is ignored', async () => {
  const rows: Row[] = [{ id: 'a', time: '2026-03-01T09:00:05.000Z', count: 7, title: 'new' }]
  const here = world(rows)
  await here.addTask()
  await here.tick()
  await here.drain()
  rows[0] = { id: 'a', time: '2026-03-01T09:00:05.000Z', count: 6, title: 'old' }
  here.advance(3_600_000)
  await here.tick()
  await here.drain()
  expect(titles(here.records())).toEqual([{ title: 'new' }])
})

test('a page of which every row is hidden is not the end', async () => {
  const here = world(rowsOf(35, 1), { pageSize: 5 })
  for (const { id } of here.vendor.rows.slice(3, 22)) here.vendor.hidden.add(id)
  await here.addTask()
  await here.tick()
  await here.drain()
  expect(here.records()).toHaveLength(16)
})

test('hidden rows that fill more than one message are passed over in the next', async () => {
  const here = world(rowsOf(35, 1), { pageSize: 5, sliceMs: 0 })
  for (const { id } of here.vendor.rows.slice(3, 22)) here.vendor.hidden.add(id)
  await here.addTask()
  await here.tick()
  for (let slices = 0; slices < 12; slices += 1) {
    const next = here.take()
    if (next) await here.work(next)
  }
  expect(here.records()).toHaveLength(16)
  expect(here.inbound.waiting).toEqual([])
})

test('rows that leave the hidden ones between two messages make the run miss none of the others', async () => {
  const farApart = rowsOf(35, 1).map((row, index) => ({
    ...row,
    time: new Date(start.getTime() + (index - 35) * 3_600_000).toISOString(),
  }))
  const here = world(farApart, { pageSize: 5, sliceMs: 0 })
  const hidden = here.vendor.rows.slice(3, 22).map(({ id }) => id)
  for (const id of hidden) here.vendor.hidden.add(id)
  await here.addTask()
  await here.tick()
  for (let slices = 0; slices < 4; slices += 1) {
    const next = here.take()
    if (next) await here.work(next)
  }
  const gone = new Set(hidden.slice(0, 8))
  const left = here.vendor.rows.filter(({ id }) => !gone.has(id))
  here.vendor.rows.splice(0, here.vendor.rows.length, ...left)
  await here.drain()
  expect(here.records()).toHaveLength(16)
})

test('a row that does not fit the mapping is parked with its reason, and the run goes on', async () => {
  const rows = rowsOf(12, 1)
  rows[4] = { ...rows[4], id: 'bad', time: rows[4]?.time ?? '', title: '' }
  const here = world(rows)
  await here.addTask()
  await here.tick()
  expect(await here.drain()).toMatchObject([
    { result: { status: 'partial', recordsProcessed: 12, recordsFailed: 1, recordsCreated: 11 } },
  ])
  expect(here.parked.all()).toMatchObject([
    {
      externalId: 'bad',
      reason: { code: 'mapping_failed', message: 'title is empty but required' },
      payload: { title: '' },
    },
  ])
})

test('S23: a vendor that asks to wait is asked again later by a scheduled message', async () => {
  const here = world(rowsOf(25, 1))
  here.vendor.answers.push({ kind: 'retry', reason: 'too many requests', afterMs: 90_000 })
  await here.addTask()
  await here.tick()
  expect(await here.drain()).toEqual([
    { kind: 'continued', notBefore: new Date(start.getTime() + 90_000) },
  ])
  here.advance(89_999)
  expect(await here.drain()).toEqual([])
  here.advance(1)
  expect(await here.drain()).toMatchObject([{ kind: 'finished', result: { status: 'success' } }])
  expect(here.records()).toHaveLength(25)
})

test('tries that get nowhere end the run; the next one goes on where it came', async () => {
  const here = world(rowsOf(25, 1))
  const down = { kind: 'retry', reason: 'it hibernates' } as const
  await here.addTask()
  await here.tick()
  here.vendor.answers.push(down, down, down)
  const outcomes = await here.drain()
  for (let waited = 0; waited < 2; waited += 1) {
    here.advance(60_000)
    outcomes.push(...(await here.drain()))
  }
  expect(outcomes.at(-1)).toMatchObject({
    kind: 'finished',
    result: { status: 'failed', error: { code: 'vendor_failed', message: 'it hibernates' } },
  })
  expect(here.tasks.all()).toMatchObject([{ status: 'failed', claim: null }])
  here.advance(3_600_000)
  await here.tick()
  expect(await here.drain()).toMatchObject([{ result: { status: 'success', recordsCreated: 25 } }])
})

test('S23: waiting for quota is no failed try, however often', async () => {
  const here = world(rowsOf(25, 1))
  const limited = { kind: 'retry', reason: 'the limit', afterMs: 60_000, limited: true } as const
  here.vendor.answers.push(...Array.from({ length: 10 }, () => limited))
  await here.addTask()
  await here.tick()
  for (let waited = 0; waited < 10; waited += 1) {
    expect(await here.drain()).toMatchObject([{ kind: 'continued' }])
    expect(here.inbound.waiting).toMatchObject([{ body: { attempt: 1, slice: waited + 1 } }])
    here.advance(60_000)
  }
  expect(await here.drain()).toMatchObject([{ kind: 'finished', result: { status: 'success' } }])
  expect(here.records()).toHaveLength(25)
})

test('S21: of two workers with one message the first can write nothing more once the second has begun', async () => {
  const here = world(rowsOf(30, 1), { pageSize: 10 })
  await here.addTask()
  await here.tick()
  const message = here.take()
  if (!message) throw new Error('no message')
  const ask = here.vendor.source.fetchPage
  let second: Promise<unknown> | undefined
  here.vendor.source.fetchPage = async (request, signal) => {
    const page = await ask(request, signal)
    // The first worker stalls here, between reading its second page and storing it.
    if (!second && request.after !== null) {
      second = here.work(message)
      await second
    }
    return page
  }
  expect(await here.work(message)).toEqual({ kind: 'stale' })
  expect(await second).toMatchObject({ kind: 'finished', result: { recordsCreated: 30 } })
  expect(here.records()).toHaveLength(30)
  expect(here.stream()?.epoch).toBe(2)
})

test('a message that comes again after its run went on in the next one does not take it back', async () => {
  const here = world(rowsOf(30, 1), { pageSize: 10, sliceMs: 0 })
  await here.addTask()
  await here.tick()
  const first = here.take()
  if (!first) throw new Error('no message')
  await here.work(first)
  const second = here.take()
  if (!second) throw new Error('no message')
  const ask = here.vendor.source.fetchPage
  let again: Promise<unknown> | undefined
  here.vendor.source.fetchPage = async (request, signal) => {
    const page = await ask(request, signal)
    again ??= here.work(first)
    await again
    return page
  }
  expect(await here.work(second)).toMatchObject({ kind: 'continued' })
  expect(await again).toMatchObject({ kind: 'continued' })
  expect((await here.drain()).at(-1)).toMatchObject({ kind: 'finished' })
  expect(here.records()).toHaveLength(30)
})

test('another run waits for the lease of the one that works', async () => {
  const here = world(rowsOf(30, 1), { sliceMs: 0 })
  await here.addTask()
  await here.tick()
  const first = here.take()
  if (!first) throw new Error('no message')
  await here.work(first)
  const other = { ...task, id: 'task-2', status: 'pending' } as const
  await here.addTask(other)
  await here.tick()
  const messages = here.inbound.waiting.map(({ body }) => inboundMessageShape.parse(body))
  const second = messages.find(({ taskId }) => taskId === 'task-2')
  if (!second) throw new Error('no message')
  expect(await here.work(second)).toMatchObject({
    kind: 'continued',
    notBefore: new Date(start.getTime() + 120_000),
  })
})

test('two connections that meet in one record both get their write, whoever reads first', async () => {
  const here = world(rowsOf(20, 1), { pageSize: 20 })
  await here.addTask()
  await here.tick()
  await here.drain()
  for (const row of here.vendor.rows.slice()) {
    here.vendor.rows.push({
      ...row,
      time: new Date(Date.parse(row.time) + 7_200_000).toISOString(),
      title: 'changed',
    })
  }
  here.advance(3_600_000)
  await here.tick()
  let raced = false
  here.shards.before = async (operation) => {
    const record = here.records()[5]
    if (operation !== 'write' || raced || !record || here.stream()?.run?.counts.processed !== 0)
      return
    raced = true
    delete here.shards.before
    await here.shards.write(
      [record.tenantId, record.entityType],
      [
        {
          kind: 'upsert',
          document: { ...record, fields: { ...record.fields, note: 'by another' } },
        },
      ],
    )
  }
  await here.drain()
  expect(here.records().every(({ fields }) => fields['title'] === 'changed')).toBe(true)
  expect(here.records().filter(({ fields }) => fields['note'] === 'by another')).toHaveLength(
    raced ? 1 : 0,
  )
  expect(raced).toBe(true)
})

/** Stands for the death of the process: whatever was under way is gone. */
class Crash extends Error {}

test('whatever call the worker dies before or after, every row arrives once and no run is stuck', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 40 }), { maxLength: 6 }),
      fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
      fc.integer({ min: 1, max: 30 }),
      async (crashes, afterwards, perSecond) => {
        const here = world(rowsOf(60, perSecond), { pageSize: 7, sliceMs: 0 })
        await here.addTask()
        let countdown = crashes.shift()
        const die = (side: 'before' | 'after') => () => {
          if (countdown === undefined) return
          if ((side === 'after') !== afterwards[crashes.length % 6]) return
          countdown -= 1
          if (countdown >= 0) return
          countdown = crashes.shift()
          throw new Crash('the process died')
        }
        for (const port of [here.tasks, here.shards, here.results, here.parked, here.inbound]) {
          port.before = die('before')
          port.after = die('after')
        }
        // Ticks of the scheduler and deliveries, each again when the process died in it.
        for (let round = 0; round < 40; round += 1) {
          await here.tick().catch(rethrowUnlessCrash)
          for (let message = here.take(); message;) {
            const outcome = await here.work(message).catch(rethrowUnlessCrash)
            if (outcome) message = here.take()
          }
          here.advance(20 * 60_000)
          if (here.results.all().length > 0) break
        }
        expect(here.records()).toHaveLength(60)
        expect(here.links()).toHaveLength(60)
        expect(here.results.all()[0]).toMatchObject({
          status: 'success',
          recordsProcessed: 60,
          recordsCreated: 60,
        })
      },
    ),
    { numRuns: 150 },
  )
})

function rethrowUnlessCrash(error: unknown): undefined {
  if (!(error instanceof Crash)) throw error
  return undefined
}
