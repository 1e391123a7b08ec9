import { expect, test } from 'vitest'
import { laneOf } from '../../src/rate-limit/quota.ts'
import type { Task } from '../../src/sync/task.ts'
import { rowsOf, world } from './world.ts'

test.for<Partial<Task>>([{ priority: 'high' }, { type: 'manual' }, { type: 'webhook' }])(
  'S54: a first pull reads in the lane of backfills until its end, later ones in their own: %o',
  async (some) => {
    const here = world(rowsOf(60, 3), { pageSize: 10, sliceMs: 0 })
    const before = { ...here.ports }
    const lanes: string[] = []
    Object.assign(here.ports, {
      openSource: async (task: Task) => {
        const source = await before.openSource(task)
        const lane = laneOf(task)
        return source.kind === 'refused'
          ? source
          : {
              ...source,
              fetchPage: (...request: Parameters<typeof source.fetchPage>) => {
                lanes.push(lane)
                return source.fetchPage(...request)
              },
            }
      },
    })
    await here.addTask(some)
    await here.tick()
    await here.drain()
    expect(lanes).toEqual(Array.from({ length: 6 }, () => 'backfill'))
    lanes.length = 0
    here.advance(3_600_000)
    await here.tick()
    await here.drain()
    const { type = 'scheduled', priority = 'normal' } = some
    expect(new Set(lanes)).toEqual(new Set([laneOf({ type, priority })]))
    expect(lanes).not.toContain('backfill')
  },
)

test('a first pull whose vendor refuses as it begins ends, and lets the stream go', async () => {
  const here = world(rowsOf(3, 1))
  const before = { ...here.ports }
  let opened = 0
  Object.assign(here.ports, {
    openSource: async (task: Task) => {
      opened += 1
      const refused = { kind: 'refused', code: 'reauth_required', reason: 'a person must act' }
      return opened === 2 ? refused : before.openSource(task)
    },
  })
  await here.addTask()
  await here.tick()
  expect(await here.drain()).toMatchObject([
    { kind: 'finished', result: { status: 'failed', error: { code: 'reauth_required' } } },
  ])
  expect(here.stream()?.run?.finished).toBe(true)
})
