import { expect, test } from 'vitest'
import { changeTask, runTask } from '../../src/sync/tasks.ts'
import { start, task, world, type Row } from './world.ts'

const key = { tenantId: task.tenantId, id: task.id }

/** One an hour, the last of them an hour ago: none but the last lies in the overlap. */
const rowsOf = (count: number): Row[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `r${String(index).padStart(3, '0')}`,
    time: new Date(start.getTime() - (count - index) * 3_600_000).toISOString(),
  }))

async function readOnce(count: number, hidden: readonly number[] = [], sliceMs = 60_000) {
  const here = world(rowsOf(count), { sliceMs })
  for (const index of hidden) here.vendor.hidden.add(here.vendor.rows[index]?.id ?? '')
  await here.addTask()
  await here.tick()
  await here.drain()
  here.vendor.asked.length = 0
  return here
}

test('rows that may be seen only since lately are read when somebody asks for everything, once', async () => {
  const here = await readOnce(35, [3, 4, 20])
  expect(here.records()).toHaveLength(32)
  here.vendor.hidden.clear()
  here.advance(3_600_000)
  await here.tick()
  await here.drain()
  expect(here.records()).toHaveLength(32)
  here.advance(1_000)
  await runTask(here.ports, key, { fromStart: true })
  expect(await here.drain()).toMatchObject([
    { result: { recordsProcessed: 35, recordsCreated: 3, recordsUpdated: 0 } },
  ])
  expect(here.records()).toHaveLength(35)
  here.vendor.asked.length = 0
  here.advance(3_600_000)
  await here.tick()
  await here.drain()
  expect(here.vendor.asked[0]?.after).not.toBeNull()
})

test('what was asked while a run is under way is done by the next', async () => {
  const here = await readOnce(5)
  here.advance(3_600_000)
  await here.tick()
  await runTask(here.ports, key, { fromStart: true })
  await here.drain()
  here.advance(1_000)
  await runTask(here.ports, key, { fromStart: true })
  await here.tick()
  await here.drain()
  expect(here.vendor.asked.filter(({ after }) => after === null)).toHaveLength(2)
})

test('reading everything goes on in further messages, and begins anew after a run that was given up', async () => {
  const here = await readOnce(35, [], 0)
  here.advance(1_000)
  await runTask(here.ports, key, { fromStart: true })
  const first = here.take()
  if (first) await here.work(first)
  here.vendor.answers.push({ kind: 'refused', code: 'vendor_failed', reason: 'not today' })
  await here.drain()
  expect(here.vendor.asked.filter(({ after }) => after === null)).toHaveLength(1)
  here.advance(3_600_000)
  await here.tick()
  await here.drain()
  expect(here.vendor.asked.filter(({ after }) => after === null)).toHaveLength(2)
  here.vendor.asked.length = 0
  here.advance(3_600_000)
  await here.tick()
  await here.drain()
  expect(here.vendor.asked.filter(({ after }) => after === null)).toHaveLength(0)
})

test('S34: what was read under another mapping is read again, and takes what the new one names', async () => {
  const here = await readOnce(3)
  const { source } = here.vendor
  const fields = [
    ...source.mapping.fields,
    { local: 'title2', external: 'title', type: 'text' } as const,
  ]
  const mapping = { ...source.mapping, fields }
  await changeTask(here.ports, key, { mapping })
  source.mapping = mapping
  here.advance(3_600_000)
  await here.tick()
  await here.drain()
  expect(here.records().map(({ fields: of }) => of)).toMatchObject(
    here.vendor.rows.map(({ id }) => ({ title: `row ${id}`, title2: `row ${id}` })),
  )
  const asked = here.vendor.asked.filter(({ after }) => after === null).length
  await changeTask(here.ports, key, { mapping })
  here.advance(3_600_000)
  await here.tick()
  await here.drain()
  expect(here.vendor.asked.filter(({ after }) => after === null)).toHaveLength(asked)
})
