import { describe, expect, test } from 'vitest'
import { isSchedule, nextSlot } from '../../src/sync/schedule.ts'
import { byUrgency, ended, offerOf, startedBy, type Task } from '../../src/sync/task.ts'
import { start, task, world } from './world.ts'

const at = (minutes: number) => new Date(start.getTime() + minutes * 60_000)
const slot = at(-5).toISOString()

describe('a task is due', () => {
  test.for<[string, Partial<Task>, string]>([
    ['when it is pending', { status: 'pending' }, 'claim'],
    ['when its slot has come', { status: 'completed', nextScheduled: slot }, 'claim'],
    [
      'at the instant of its slot',
      { status: 'completed', nextScheduled: start.toISOString() },
      'claim',
    ],
    ['after a failure, at its slot', { status: 'failed', nextScheduled: slot }, 'claim'],
    ['not before its slot', { status: 'completed', nextScheduled: at(1).toISOString() }, 'none'],
    ['not without a slot', { status: 'completed', nextScheduled: null }, 'none'],
    ['never when disabled', { status: 'disabled', nextScheduled: slot }, 'none'],
    ['never when switched off', { status: 'pending', enabled: false }, 'none'],
  ])('%s', ([, some, kind]) => {
    expect(offerOf({ ...task, ...some }, start).kind).toBe(kind)
  })
})

test('S18: a scheduler that died between the claim and the message is mended by the next tick', async () => {
  const here = world([])
  await here.addTask()
  here.inbound.before = () => {
    throw new Error('the process died')
  }
  await expect(here.tick()).rejects.toThrow('died')
  delete here.inbound.before
  here.advance(60_000)
  expect(await here.tick()).toMatchObject({ queued: 0, relayed: 1 })
  expect(await here.drain()).toMatchObject([{ kind: 'finished' }])
})

test('S18: a scheduler that died after the message sends it again; the bus drops it', async () => {
  const here = world([])
  await here.addTask()
  here.inbound.after = () => {
    throw new Error('the process died')
  }
  await expect(here.tick()).rejects.toThrow('died')
  delete here.inbound.after
  here.advance(60_000)
  await here.tick()
  expect(here.inbound.duplicates()).toBe(1)
  expect(await here.drain()).toHaveLength(1)
})

test('S19: two schedulers at once queue a task once', async () => {
  const here = world([])
  for (let index = 0; index < 5; index += 1) await here.addTask({ id: `task-${index}` })
  const [one, two] = await Promise.all([here.tick(), here.tick()])
  expect(one.queued + two.queued).toBe(5)
  expect(here.inbound.waiting).toHaveLength(5)
})

test('S19: five missed slots are one run, and the next slot lies ahead', () => {
  const now = at(5 * 60 + 20)
  const offer = offerOf({ ...task, status: 'completed', nextScheduled: slot }, now)
  if (offer.kind !== 'claim') throw new Error('not claimed')
  expect(offer.task.claim?.slot).toBe(slot)
  expect(ended(offer.task, 'completed', now).nextScheduled).toBe('2026-03-01T16:00:00.000Z')
})

test('S20: a claim whose message expired unread is offered again under another id', () => {
  const first = offerOf(task, start)
  if (first.kind !== 'claim') throw new Error('not claimed')
  expect(offerOf(first.task, at(69)).kind).toBe('relay')
  const again = offerOf(first.task, at(70))
  if (again.kind !== 'claim') throw new Error('not claimed')
  expect(again.task.claim).toMatchObject({ offer: 2, slot: first.task.claim?.slot })
  expect(again.message.correlationId).not.toBe(first.message.correlationId)
})

test('a run asked for ahead of its slot does not take the slot away', () => {
  const later = at(30).toISOString()
  const manual = offerOf({ ...task, nextScheduled: later }, start)
  const scheduled = offerOf({ ...task, status: 'completed', nextScheduled: later }, at(30))
  if (manual.kind !== 'claim' || scheduled.kind !== 'claim') throw new Error('not claimed')
  expect(manual.message.correlationId).not.toBe(scheduled.message.correlationId)
})

test('a message of an earlier run finds that it is stale', () => {
  const offer = offerOf(task, start)
  if (offer.kind !== 'claim') throw new Error('not claimed')
  expect(startedBy(offer.task, 'run-other', start)).toBeUndefined()
  const running = startedBy(offer.task, offer.message.correlationId, start)
  expect(running?.status).toBe('running')
  expect(
    startedBy(ended(offer.task, 'completed', start), offer.message.correlationId, start),
  ).toBeUndefined()
})

test('messages go out high before normal before low, the longest waiting first, for one hour', async () => {
  const here = world([])
  await here.addTask({ id: 'a-low', priority: 'low' })
  await here.addTask({
    id: 'b-normal-late',
    status: 'completed',
    nextScheduled: at(-1).toISOString(),
  })
  await here.addTask({
    id: 'c-normal-early',
    status: 'completed',
    nextScheduled: at(-9).toISOString(),
  })
  await here.addTask({ id: 'd-high', priority: 'high' })
  await here.addTask({ id: 'e-off', enabled: false })
  await here.tick()
  expect(
    here.inbound.waiting.map(({ body, timeToLiveMs }) => [
      Reflect.get(body, 'taskId'),
      timeToLiveMs,
    ]),
  ).toEqual([
    ['d-high', 3_600_000],
    ['c-normal-early', 3_600_000],
    ['b-normal-late', 3_600_000],
    ['a-low', 3_600_000],
  ])
  expect(byUrgency(task, task)).toBe(0)
})

describe('a schedule', () => {
  test.for<[string, string, string]>([
    ['0 0 * * * *', '2026-03-01T10:00:00.000Z', '2026-03-01T11:00:00.000Z'],
    ['*/15 * * * *', '2026-03-01T10:00:00.000Z', '2026-03-01T10:15:00.000Z'],
    ['0 30 9 * * 1', '2026-03-01T10:00:00.000Z', '2026-03-02T09:30:00.000Z'],
  ])('%s goes on from %s at %s', ([schedule, after, next]) => {
    expect(nextSlot(schedule, new Date(after))?.toISOString()).toBe(next)
  })

  test.for(['', 'hourly', '99 * * * *', '0 0 30 2 *'])('%j is none', (text) => {
    expect(isSchedule(text)).toBe(false)
  })
})

test('S59: a slot that a scheduler with a clock an hour ahead has taken is not given out a second time', () => {
  const early = offerOf(
    { ...task, status: 'completed', nextScheduled: at(60).toISOString() },
    at(65),
  )
  if (early.kind !== 'claim') throw new Error('it was not offered')
  const done = ended(early.task, 'completed', at(6))
  expect(done.nextScheduled).toBe(at(120).toISOString())
  const next = offerOf(done, at(121))
  if (next.kind !== 'claim') throw new Error('it was not offered')
  expect(next.message.correlationId).not.toBe(early.message.correlationId)
})
