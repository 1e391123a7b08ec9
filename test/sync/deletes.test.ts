import { describe, expect, test } from 'vitest'
import { redrive } from '../../src/sync/parked.ts'
import type { FoundOne, PushAbilities, Source } from '../../src/sync/ports.ts'
import { rowsOf, task, world, type Row } from './world.ts'

type World = ReturnType<typeof world>

/** A vendor that does not tell of deletions: only its ids do. `there` is what a point read says of a row. */
function withIds(rows: Row[], there: (id: string) => FoundOne['kind'] = () => 'gone') {
  const here = world(rows)
  const asked: string[] = []
  const fetchOne: PushAbilities['fetchOne'] = async (id) => {
    asked.push(id)
    const found = rows.find((row) => row.id === id)
    const kind = found ? 'row' : there(id)
    if (kind === 'gone' || kind === 'hidden') return { kind }
    const { time = '', count = 0, title = `row ${id}` } = found ?? {}
    return {
      kind: 'row',
      row: { externalId: id, cursor: { time, id }, version: { time, count }, values: { title } },
    }
  }
  const ids: { list: string[] | undefined } = { list: undefined }
  const more: Partial<Source> = {
    fetchOne,
    push: {
      batchSize: 1,
      marker: 'none',
      comparesAndSets: true,
      write: async () => [],
      fetchOne,
      findByMarker: async () => ({ kind: 'found', rows: new Map() }),
    },
    fetchIds: async ({ after, limit }) => {
      const all = (ids.list ?? rows.map(({ id }) => id))
        .filter((id) => after === null || id > after)
        .sort()
      return { kind: 'page', ids: all.slice(0, limit), more: all.length > limit }
    },
  }
  Object.assign(here.vendor.source, more)
  return { here, ids, asked }
}

async function run(here: World): Promise<void> {
  here.advance(25 * 3_600_000)
  await here.tick()
  await here.drain()
}

const living = (here: World) => here.records().filter(({ deleted }) => !deleted).length

test('a row that is missing among the ids and confirmed to be gone is deleted', async () => {
  const rows = rowsOf(40, 4)
  const { here, asked } = withIds(rows)
  await here.addTask()
  await run(here)
  rows.splice(5, 3)
  await run(here)
  expect(living(here)).toBe(37)
  expect(asked).toHaveLength(3)
  await run(here)
  expect(asked).toHaveLength(3)
})

test.for<[string, (ids: string[]) => string[]]>([
  ['nothing at all', () => []],
  ['60 % of the rows', (ids) => ids.slice(0, Math.floor(ids.length * 0.6))],
])(
  'S31: a scan that returns %s deletes nothing, and is held until a person approves',
  async ([, cut]) => {
    const rows = rowsOf(40, 4)
    const { here, ids, asked } = withIds(rows)
    await here.addTask()
    await run(here)
    ids.list = cut(rows.map(({ id }) => id))
    await run(here)
    expect(living(here)).toBe(40)
    expect(asked).toEqual([])
    expect(here.parked.all()).toMatchObject([
      { kind: 'deletes', known: 40, reason: { code: 'deletes_held' } },
    ])
    // Approved; but the rows are there, and each is asked for first.
    await redrive(here.ports, task.tenantId, here.parked.all()[0]?.id ?? '')
    await here.tick()
    await here.drain()
    expect(asked.length).toBeGreaterThan(0)
    expect(living(here)).toBe(40)
    expect(here.parked.all()).toEqual([])
    expect(here.tasks.all()[0]).not.toHaveProperty('deletesApproved')
  },
)

test('S31: what an approval meets and a point read confirms is deleted', async () => {
  const rows = rowsOf(40, 4)
  const { here } = withIds(rows)
  await here.addTask()
  await run(here)
  rows.splice(0, 30)
  await run(here)
  expect(living(here)).toBe(40)
  await redrive(here.ports, task.tenantId, here.parked.all()[0]?.id ?? '')
  await here.tick()
  await here.drain()
  expect(living(here)).toBe(10)
})

test('S31: a row that we may not see any more is not taken for deleted', async () => {
  const rows = rowsOf(40, 4)
  const { here } = withIds(rows, () => 'hidden')
  await here.addTask()
  await run(here)
  rows.splice(5, 3)
  await run(here)
  expect(living(here)).toBe(40)
})

test('S26: a vendor that sends one page for ever is left, and the run says why', async () => {
  const rows = rowsOf(30, 30)
  const here = world(rows, { pageSize: 10, sliceMs: 86_400_000 })
  const ask = here.vendor.source.fetchPage
  let asked = 0
  here.vendor.source.fetchPage = async (_request, signal) => {
    asked += 1
    const page = await ask({ after: null, skip: 0, limit: 10 }, signal)
    return page.kind === 'page' ? { ...page, more: true } : page
  }
  await here.addTask()
  await here.tick()
  expect((await here.drain()).at(-1)).toMatchObject({
    result: { status: 'partial', error: { code: 'stream_stalled' } },
  })
  expect(asked).toBeLessThan(1_100)
  expect(here.records()).toHaveLength(10)
})

test('S32: a row that comes back after its deletion is the same record; another with the same content is another', async () => {
  const rows = rowsOf(20, 4)
  const { here } = withIds(rows)
  await here.addTask()
  await run(here)
  const [gone] = rows.splice(3, 1)
  if (!gone) throw new Error('there is no row')
  await run(here)
  expect(living(here)).toBe(19)
  rows.push({ ...gone, time: new Date(here.ports.clock().getTime()).toISOString(), count: 1 })
  await run(here)
  expect(living(here)).toBe(20)
  expect(here.records()).toHaveLength(20)
  rows.push({
    ...gone,
    id: 'another',
    title: `row ${gone.id}`,
    time: new Date(here.ports.clock().getTime()).toISOString(),
  })
  await run(here)
  expect(here.records()).toHaveLength(21)
})

test('S32: of two rows that were merged there the winner goes on, the loser’s record is deleted, and nothing is linked across', async () => {
  const rows = rowsOf(20, 4)
  const { here } = withIds(rows)
  await here.addTask()
  await run(here)
  const links = here.links()
  const [winner] = rows
  const [loser] = rows.splice(7, 1)
  if (!winner || !loser) throw new Error('there are no rows')
  // The winner has what the loser had.
  const time = here.ports.clock().toISOString()
  rows[0] = { ...winner, time, count: 1, title: `row ${loser.id}` }
  await run(here)
  const recordOf = (id: string) => {
    const link = here.links().find(({ externalId }) => externalId === id)
    return here.records().find((record) => record.id === link?.recordId)
  }
  expect(recordOf(winner.id)).toMatchObject({ deleted: null, fields: { title: `row ${loser.id}` } })
  expect(recordOf(loser.id)?.deleted).not.toBeNull()
  expect(recordOf(loser.id)?.id).not.toBe(recordOf(winner.id)?.id)
  expect(here.links()).toEqual(links)
  expect(here.records()).toHaveLength(20)
})

describe('S30: a place that the vendor does not reach back to', () => {
  test('among the deletions: whoever was away longer than they are listed compares the ids', async () => {
    const rows = rowsOf(40, 4)
    const { here, asked } = withIds(rows)
    const listed: { externalId: string; time: string }[] = []
    here.vendor.source.fetchDeleted = async () => ({ kind: 'page', rows: listed, more: false })
    await here.addTask()
    await run(here)
    const [told] = rows.splice(5, 1)
    listed.push({ externalId: told?.id ?? '', time: here.ports.clock().toISOString() })
    await run(here)
    expect(living(here)).toBe(39)
    // What is deleted now has been forgotten when we come back.
    rows.splice(8, 2)
    await run(here)
    expect(living(here)).toBe(39)
    here.advance(20 * 24 * 3_600_000)
    await run(here)
    expect(living(here)).toBe(37)
    expect(asked).toHaveLength(3)
  })

  test('within a run: a page that is too old is asked for again behind the last row', async () => {
    const rows = rowsOf(60, 4)
    const here = world(rows, { pageSize: 20 })
    const ask = here.vendor.source.fetchPage
    let pages = 0
    here.vendor.source.fetchPage = async (request, signal) => {
      pages += 1
      return pages === 2 ? { kind: 'retry', reason: 'the page is too old' } : ask(request, signal)
    }
    await here.addTask()
    await here.tick()
    await here.drain()
    here.advance(60_000)
    await here.drain()
    expect(here.results.all()).toMatchObject([{ status: 'success', recordsProcessed: 60 }])
    expect(pages).toBe(4)
  })

  test('a vendor that never gives more than so many rows at once is read to its end', async () => {
    const here = world(rowsOf(95, 5), { pageSize: 500 })
    const ask = here.vendor.source.fetchPage
    here.vendor.source.fetchPage = (request, signal) => ask({ ...request, limit: 10 }, signal)
    await here.addTask()
    await here.tick()
    await here.drain()
    expect(here.records()).toHaveLength(95)
  })
})

test('S31: where the log of deletions is not ours to read, the ids tell', async () => {
  const rows = rowsOf(40, 4)
  const { here } = withIds(rows)
  const fetchDeleted: NonNullable<Source['fetchDeleted']> = async () => ({ kind: 'unavailable' })
  Object.assign(here.vendor.source, { fetchDeleted })
  await here.addTask()
  await run(here)
  rows.splice(5, 3)
  await run(here)
  expect(living(here)).toBe(37)
  expect(here.tasks.all()[0]).toMatchObject({ status: 'completed' })
})
