import { expect, test } from 'vitest'
import type { SliceOutcome } from '../../src/sync/inbound.ts'
import { checkpoint, takeLease } from '../../src/sync/lease.ts'
import type { ShardDocument } from '../../src/sync/record.ts'
import { resultOf, type SyncResult } from '../../src/sync/result.ts'
import { inboundMessageShape } from '../../src/sync/task.ts'
import { memoryCollection } from '../ports/memory-collection.ts'
import { rowsOf, task, world } from './world.ts'

const titles = (records: readonly { fields: unknown }[]) => records.map(({ fields }) => fields)

test('S35: while everything is read for the first time, a row that changes now is there at once, and no deploy takes the reading back', async () => {
  const rows = rowsOf(200, 5)
  const here = world(rows, { pageSize: 10, sliceMs: 0 })
  const readOne = async (id: string) => {
    const row = rows.find((one) => one.id === id)
    if (!row) return { kind: 'gone' } as const
    const { time, count = 0, title = '' } = row
    const found = {
      externalId: id,
      cursor: { time, id },
      version: { time, count },
      values: { title },
    }
    return { kind: 'row', row: found } as const
  }
  here.vendor.source.fetchOne = readOne
  await here.addTask()
  await here.tick()
  const taken: NonNullable<ReturnType<typeof here.take>>[] = []
  const replayed: SliceOutcome[] = []
  let furthest = ''
  for (let next = here.take(); next; next = here.take()) {
    taken.push(next)
    await here.work(next)
    const { time = '', id = '' } = here.stream()?.cursor ?? {}
    expect(`${time} ${id}` >= furthest).toBe(true)
    furthest = `${time} ${id}`
    const nth = taken.length
    // Somebody edits the last row of all, which the run has not come to yet.
    const last = rows.at(-1)
    if (last) rows[rows.length - 1] = { ...last, count: nth, title: `live ${nth}` }
    const live = inboundMessageShape.parse({
      ...next,
      correlationId: `live-${nth}`,
      record: { entityType: 'incident', externalId: last?.id },
    })
    expect(await here.work(live)).toMatchObject({ kind: 'record' })
    expect(titles(here.records())).toContainEqual({ title: `live ${nth}` })
    // The former build is put back, and its worker has an old message of the same run.
    if (nth > 3) replayed.push(await here.work(taken[nth - 3] ?? next))
  }
  expect(replayed.length).toBeGreaterThan(10)
  expect(replayed.some(({ kind }) => kind === 'finished')).toBe(false)
  expect(here.records()).toHaveLength(200)
  expect(here.results.all()).toMatchObject([{ recordsProcessed: 200, status: 'success' }])
})

test('a page is looked up once, however many writes it takes to store it', async () => {
  const here = world(rowsOf(100, 5), { pageSize: 100 })
  await here.addTask()
  await here.tick()
  let looks = 0
  here.shards.before = (operation) => {
    if (operation === 'getMany') looks += 1
  }
  await here.drain()
  expect(here.records()).toHaveLength(100)
  expect(looks).toBe(1)
})

test('a row that finds no room in a commit is stored by the next one, and so is what it changes', async () => {
  const rows = rowsOf(99, 5)
  const here = world(rows, { pageSize: 200 })
  await here.addTask()
  await here.tick()
  await here.drain()
  here.advance(3_600_000)
  const time = here.ports.clock().toISOString()
  // Changed rows take one write, new ones two: the commit is full in the middle of a row.
  for (const [at, row] of rows.entries()) rows[at] = { ...row, time, count: 1, title: `new ${at}` }
  for (let nth = 0; nth < 40; nth += 1) rows.splice(nth * 2, 0, { id: `n${nth}`, time })
  await here.tick()
  await here.drain()
  expect(here.records()).toHaveLength(139)
  expect(here.links()).toHaveLength(139)
  const changed = here.records().filter(({ fields }) => JSON.stringify(fields).includes('new '))
  expect(changed).toHaveLength(99)
})

test('S34: a field that the vendor has stopped to give is told once, and what we have of it stays', async () => {
  const rows = rowsOf(6, 3)
  const here = world(rows)
  const { source } = here.vendor
  const read = source.fetchPage
  let note: string | undefined = 'a note'
  source.mapping = {
    entityType: 'incident',
    fields: [...source.mapping.fields, { local: 'note', external: 'u_note', type: 'text' }],
  }
  source.fetchPage = async (request, signal) => {
    const page = await read(request, signal)
    if (page.kind !== 'page') return page
    const more = note === undefined ? {} : { u_note: note }
    return {
      ...page,
      rows: page.rows.map((row) => ({ ...row, values: { ...row.values, ...more } })),
    }
  }
  await here.addTask()
  const told: unknown[] = []
  const run = async () => {
    here.advance(3_600_000)
    const time = here.ports.clock().toISOString()
    for (const [at, row] of rows.entries()) rows[at] = { ...row, time, title: `${time} ${at}` }
    await here.tick()
    const [outcome] = await here.drain()
    told.push(outcome?.kind === 'finished' ? outcome.result.fieldsMissing : outcome)
  }
  await run()
  note = undefined
  await run()
  await run()
  expect(here.records().map(({ fields }) => fields['note'])).toEqual(rows.map(() => 'a note'))
  note = 'another'
  await run()
  note = undefined
  await run()
  expect(told).toEqual([undefined, ['u_note'], undefined, undefined, ['u_note']])
  expect(here.records().map(({ fields }) => fields['note'])).toEqual(rows.map(() => 'another'))
  expect(here.parked.all()).toEqual([])
})

test('S34: a run that is taken over leaves it to the next one to tell of a missing field', async () => {
  const shards = memoryCollection<ShardDocument>()
  let nowMs = Date.parse('2026-03-01T10:00:00.000Z')
  const results = memoryCollection<SyncResult>()
  const ports = { shards, results, clock: () => new Date(nowMs) }
  const key = { tenantId: 't', entityType: 'incident', connectionId: 'c' }
  const take = async (runId: string) => {
    nowMs += 3_600_000
    const lease = await takeLease(ports, key, { runId, slice: 0, overlapMs: 0 })
    if (lease.kind !== 'held') throw new Error(lease.kind)
    return lease.held
  }
  const first = await take('first')
  const found = { missing: ['u_note'], newlyMissing: ['u_note'] }
  await checkpoint(ports, { ...first, run: { ...first.run, ...found } })
  const second = await take('second')
  expect(second.run).toMatchObject(found)
  await checkpoint(ports, { ...second, run: { ...second.run, finished: true } })
  const third = await take('third')
  expect(third.run).toMatchObject(found)
  const reported = { ...third.run, finished: true }
  await checkpoint(ports, { ...third, run: reported })
  const message = {
    ...task,
    correlationId: 'third',
    taskId: task.id,
    tenantId: 't',
    enqueuedAt: third.run.startedAt,
  }
  const result = resultOf(inboundMessageShape.parse(message), reported, ports.clock())
  await results.write(['t'], [{ kind: 'create', document: result }])
  const fourth = await take('fourth')
  expect(fourth.run).not.toHaveProperty('newlyMissing')
  // The message of the third run comes again, after the run was over and told of, and finds more.
  const more = { missing: ['u_note', 'u_size'], newlyMissing: ['u_note', 'u_size'] }
  await checkpoint(ports, { ...fourth, run: { ...reported, ...more } })
  expect((await take('fifth')).run).toMatchObject({ newlyMissing: ['u_size'] })
})
