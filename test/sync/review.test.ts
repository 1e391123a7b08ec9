import { expect, test } from 'vitest'
import { deleteLocally, mergeDeletion } from '../../src/sync/deletion.ts'
import { linkOf } from '../../src/sync/draft.ts'
import { findConflict, resolveOpenConflict, type Choice } from '../../src/sync/review.ts'
import { redrive, redriveMany } from '../../src/sync/parked.ts'
import type { ConflictDocument } from '../../src/sync/record.ts'
import { pushWorld } from './push-world.ts'

type World = ReturnType<typeof pushWorld>

const conflicts = (here: World) =>
  here.shards.all().filter((one): one is ConflictDocument => one.kind === 'conflict')

/** A record whose title both sides have changed, with a task that asks a person. */
async function contested() {
  const here = pushWorld({ task: { conflictStrategy: 'manual' } })
  await here.addTask()
  const { id } = await here.add('a', { title: 'title a', note: null })
  await here.drain(id)
  here.advance(10_000)
  here.vendor.edit('there-1', { title: 'theirs' })
  await here.change(id, { title: 'ours' })
  await here.drain(id)
  const [conflict] = conflicts(here)
  if (!conflict) throw new Error('there is no conflict')
  const key = { tenantId: 't', entityType: 'incident', id: conflict.id }
  const etag = async () => (await findConflict(here.ports, key)).etag
  const decide = async (choose: Choice, seen?: string) =>
    resolveOpenConflict(here.ports, key, { by: 'op', choose, etag: seen ?? (await etag()) })
  return { here, id, conflict, etag, decide }
}

test('a conflict waits, and neither side is written', async () => {
  const { here, conflict } = await contested()
  expect(conflict).toMatchObject({
    status: 'open',
    base: 'title a',
    local: 'ours',
    external: 'theirs',
  })
  expect(here.vendor.get('there-1')?.values['title']).toBe('theirs')
  // Created once, edited by a person once, and never written by us.
  expect(here.vendor.get('there-1')?.count).toBe(1)
})

test.for<[Choice, string]>([
  [{ choice: 'local' }, 'ours'],
  [{ choice: 'external' }, 'theirs'],
  [{ choice: 'value', value: 'between' }, 'between'],
])('decided with %j both sides read %s, and what lost is kept', async ([choice, title]) => {
  const { here, id, decide } = await contested()
  await decide(choice)
  await here.drain(id)
  expect(here.record(id)?.fields['title']).toBe(title)
  expect(here.vendor.get('there-1')?.values['title']).toBe(title)
  expect(conflicts(here)).toMatchObject([
    {
      status: 'resolved',
      winner: choice.choice,
      resolvedBy: 'op',
      local: 'ours',
      external: 'theirs',
    },
  ])
  await here.drain(id)
  expect(here.record(id)?.pending).toEqual([])
})

test('S46: a decision about values that have moved on is refused, as is one about a conflict that is over', async () => {
  const { here, id, etag, decide } = await contested()
  const seen = await etag()
  here.advance(10_000)
  here.vendor.edit('there-1', { title: 'theirs again' })
  await here.change(id, { note: 'so that it is looked at' })
  await here.drain(id)
  await expect(decide({ choice: 'external' }, seen)).rejects.toMatchObject({ code: 'conflict' })
  expect(conflicts(here)).toMatchObject([{ status: 'open', external: 'theirs again' }])
  await decide({ choice: 'external' })
  await expect(decide({ choice: 'local' })).rejects.toMatchObject({ code: 'conflict' })
  expect(here.record(id)?.fields['title']).toBe('theirs again')
})

test.for<[Choice['choice'] & ('local' | 'external'), number]>([
  ['local', 1],
  ['external', 0],
])(
  'S43: of a row that was deleted there while it changed here, %s is chosen: %i rows',
  async ([choice, rows]) => {
    const here = pushWorld({ task: { conflictStrategy: 'manual' } })
    await here.addTask()
    const { id } = await here.add('a', { title: 'title a' })
    await here.drain(id)
    here.vendor.remove('there-1')
    await here.change(id, { title: 'ours' })
    await here.drain(id)
    expect(here.vendor.alive()).toEqual([])
    const [conflict] = conflicts(here)
    const key = { tenantId: 't', entityType: 'incident', id: conflict?.id ?? '' }
    await expect(
      resolveOpenConflict(here.ports, key, { by: 'op', choose: { choice: 'value', value: 1 } }),
    ).rejects.toMatchObject({ code: 'bad_request' })
    await resolveOpenConflict(here.ports, key, { by: 'op', choose: { choice } })
    await here.drain(id)
    expect(here.vendor.alive()).toHaveLength(rows)
    expect(here.record(id)?.deleted === null).toBe(choice === 'local')
  },
)

test('a parked record is sent again on demand, alone or with all that failed alike; a dry run only counts', async () => {
  const here = pushWorld()
  await here.addTask()
  const ids: string[] = []
  for (const name of ['a', 'b', 'c']) ids.push((await here.add(name, { title: name })).id)
  here.answer.write = async () => ({ kind: 'rejected', code: 'RULE', reason: 'not on Sundays' })
  await here.drain(ids[0] ?? '')
  expect(here.parked.all()).toHaveLength(3)
  here.answer.write = async (_write, does) => does()
  const [first] = here.parked.all()
  await redrive(here.ports, 't', first?.id ?? '')
  await here.drain(ids[0] ?? '')
  expect(here.vendor.alive()).toHaveLength(1)
  const filter = { code: 'RULE', limit: 10 }
  expect(await redriveMany(here.ports, 't', { ...filter, dryRun: true })).toEqual({
    matched: 2,
    sent: 0,
    failed: [],
  })
  expect(await redriveMany(here.ports, 'another', { ...filter, dryRun: false })).toMatchObject({
    matched: 0,
  })
  expect(await redriveMany(here.ports, 't', { ...filter, limit: 1, dryRun: false })).toMatchObject({
    matched: 2,
    sent: 1,
  })
  expect(await redriveMany(here.ports, 't', { ...filter, dryRun: false })).toMatchObject({
    sent: 1,
  })
  await here.drain(ids[0] ?? '')
  expect(here.vendor.alive()).toHaveLength(3)
  expect(here.parked.all()).toEqual([])
  expect(here.records().every((record) => linkOf(record, 'there').parked === undefined)).toBe(true)
  await expect(redrive(here.ports, 't', first?.id ?? '')).rejects.toMatchObject({
    code: 'not_found',
  })
})

test('S46: a deletion there is no reason to revive a record that was deleted here too before somebody decided', async () => {
  const here = pushWorld({ task: { conflictStrategy: 'manual' } })
  await here.addTask()
  const { id } = await here.add('a', { title: 'title a', note: null })
  await here.drain(id)
  const changed = await here.change(id, { title: 'ours' })
  const [side] = await here.sides()
  if (!side) throw new Error('there is no task')
  const now = here.ports.clock()
  const { record, conflicts: opened } = mergeDeletion(changed, { side, at: now.toISOString(), now })
  const [conflict] = opened
  if (!conflict) throw new Error('there is no conflict')
  await here.store(deleteLocally(record, { by: 'force', now }).record)
  await here.shards.write(['t', 'incident'], [{ kind: 'create', document: conflict }])
  const key = { tenantId: 't', entityType: 'incident', id: conflict.id }
  const { etag } = await findConflict(here.ports, key)
  await resolveOpenConflict(here.ports, key, { by: 'op', choose: { choice: 'external' }, etag })
  await here.drain(id)
  expect(here.record(id)).toMatchObject({ deleted: { by: 'force' }, pending: [] })
  expect(conflicts(here)).toMatchObject([{ status: 'resolved', winner: 'external' }])
})
