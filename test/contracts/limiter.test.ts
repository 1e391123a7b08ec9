import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRedisLimits } from '../../src/adapters/redis.ts'
import { sharing, type Gate, type Take, type Verdict } from '../../src/rate-limit/bucket.ts'
import { learning, type Lesson } from '../../src/rate-limit/learned.ts'
import { localLimits } from '../../src/rate-limit/local.ts'
import type { LimitStore } from '../../src/rate-limit/ports.ts'
import { hasRedis, startRedisServer, type RedisServer } from '../ports/redis-server.ts'

const numbers = { sharing, learning }
/** These tests are about decisions, on a machine that may be busy. */
const patienceMs = 10_000
const start = Date.parse('2026-03-01T10:00:00.000Z')
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

interface Opened extends Disposable {
  readonly store: LimitStore
  nowMs: number
}

let server: RedisServer | undefined
beforeAll(async () => {
  if (hasRedis) server = await startRedisServer()
})
afterAll(async () => server?.[Symbol.asyncDispose]())

const implementations: Readonly<Record<string, () => Opened>> = {
  'in the process': () => {
    const here: Opened = {
      nowMs: start,
      store: localLimits(() => new Date(here.nowMs)),
      [Symbol.dispose]() {},
    }
    return here
  },
  'in Redis': () => {
    const store = openRedisLimits({
      url: server?.url ?? '',
      numbers,
      patienceMs,
      now: () => here.nowMs,
    })
    const here: Opened = { nowMs: start, store, [Symbol.dispose]: () => store[Symbol.dispose]() }
    return here
  },
}

let world = 0
/** Keys that no other test has. */
function keysOf(prefix: string) {
  const key = (name: string) => `limit:{test}:${prefix}:${name}`
  return {
    key,
    keys: {
      learned: key('l'),
      queue: key('q'),
      sharedQueue: key('w'),
      share: key('s'),
      contenders: key('n'),
    },
  }
}

function fresh() {
  world += 1
  const { key, keys } = keysOf(String(world))
  const pace = (level: string, intervalMs: number, more: Partial<Gate> = {}): Gate =>
    ({
      kind: 'pace',
      level,
      key: key(level),
      intervalMs,
      allowance: 4,
      shared: false,
      learns: false,
      ...more,
    }) as Gate // the parts fit together
  const budget = (limit: number, part = 1): Gate => ({
    kind: 'budget',
    level: 'day',
    key: key('day'),
    limit,
    part,
    periodMs: DAY,
  })
  const take = (gates: readonly Gate[], more: Partial<Take> = {}): Take => ({
    gates,
    keys,
    tenant: '',
    cost: 1,
    patienceMs: 0,
    queues: false,
    ...more,
  })
  const tenant = (name: string) => ({ tenant: name, keys: { ...keys, share: key(`s:${name}`) } })
  const learn = (store: LimitStore, lesson: Lesson) =>
    store.learn({
      learnedKey: keys.learned,
      budget: { key: key('day'), periodMs: DAY },
      lesson,
    })
  return { pace, budget, take, tenant, learn }
}

async function allowedOf(store: LimitStore, take: Take, times: number): Promise<number> {
  let allowed = 0
  for (let call = 0; call < times; call += 1) {
    if ((await store.take(take)).kind === 'allowed') allowed += 1
  }
  return allowed
}

const available = Object.keys(implementations).filter((name) => hasRedis || name !== 'in Redis')

test.skipIf(!hasRedis)('this machine has a redis-server for the second implementation', () => {
  expect(available).toContain('in Redis')
})

describe.for(available)('limits kept %s', (name) => {
  const open = () => {
    const opened = implementations[name]?.()
    if (!opened) throw new Error('unknown implementation')
    return opened
  }

  test('let a burst through and then keep the pace', async () => {
    using here = open()
    const { pace, take } = fresh()
    const call = take([pace('tenant', 200)])
    expect(await allowedOf(here.store, call, 10)).toBe(4)
    expect(await here.store.take(call)).toEqual({ kind: 'wait', waitMs: 200, level: 'tenant' })
    here.nowMs += 199
    expect(await allowedOf(here.store, call, 1)).toBe(0)
    here.nowMs += 1
    expect(await allowedOf(here.store, call, 2)).toBe(1)
  })

  test('decide on calls that come at one moment one after the other, whatever their tenants are called', async () => {
    using here = open()
    const { pace, take, tenant } = fresh()
    const gates = [pace('tenant', 100, { allowance: 10 })]
    const names = ['a', '"], [', '\u0000', '{x}', 'ü€😀', '\\']
    const verdicts = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        here.store.take(take(gates, tenant(names[index % names.length] ?? ''))),
      ),
    )
    expect(verdicts.map(({ kind }) => kind)).toEqual([
      ...Array.from({ length: 10 }, () => 'allowed'),
      ...Array.from({ length: 190 }, () => 'wait'),
    ])
  })

  test('take nothing from any limit when one of them refuses, and name the tightest', async () => {
    using here = open()
    const { pace, take } = fresh()
    const wide = pace('tenant', 10, { allowance: 100 })
    const both = take([wide, pace('operation', 500, { allowance: 1 }), pace('connection', 900)])
    expect(await allowedOf(here.store, both, 50)).toBe(1)
    expect(await here.store.take(both)).toEqual({ kind: 'wait', waitMs: 500, level: 'operation' })
    expect(await allowedOf(here.store, take([wide]), 200)).toBe(99)
  })

  test('hold a place for a caller that can wait, but not for longer than it can', async () => {
    using here = open()
    const { pace, take } = fresh()
    const gates = [pace('tenant', 400)]
    await allowedOf(here.store, take(gates), 4)
    const patient = take(gates, { patienceMs: 1_000 })
    expect(await here.store.take(patient)).toEqual({ kind: 'allowed', delayMs: 400 })
    expect(await here.store.take(patient)).toEqual({ kind: 'allowed', delayMs: 800 })
    expect(await here.store.take(patient)).toMatchObject({ kind: 'wait', level: 'tenant' })
  })

  test('send those who must wait back one after the other', async () => {
    using here = open()
    const { pace, take } = fresh()
    const call = take([pace('tenant', 1_000)], { queues: true })
    await allowedOf(here.store, call, 4)
    const waits = [1, 2, 3].map(() => here.store.take(call))
    const told = (await Promise.all(waits)).map((one) => (one.kind === 'wait' ? one.waitMs : 0))
    // A little closer than the pace: rather one question too many than a call too few.
    expect(told.map(Math.round)).toEqual([1_000, 1_909, 2_818])
  })

  test('let a call that costs more than the burst through when nothing else went before', async () => {
    using here = open()
    const { pace, take } = fresh()
    const heavy = take([pace('tenant', 100)], { cost: 10 })
    expect(await allowedOf(here.store, heavy, 2)).toBe(1)
    here.nowMs += 999
    expect(await here.store.take(heavy)).toMatchObject({ waitMs: 1 })
    here.nowMs += 1
    expect(await allowedOf(here.store, heavy, 1)).toBe(1)
  })

  test('S54: keep the last calls of the day from lanes that may not have them', async () => {
    using here = open()
    const { budget, take } = fresh()
    expect(await allowedOf(here.store, take([budget(100, 0.8)]), 100)).toBe(80)
    expect(await allowedOf(here.store, take([budget(100)]), 100)).toBe(20)
    expect(await here.store.take(take([budget(100)]))).toEqual({
      kind: 'wait',
      level: 'day',
      // The day has fourteen hours to go; nobody is sent away for longer than this.
      waitMs: 15 * MINUTE,
    })
    here.nowMs += 14 * 60 * MINUTE
    expect(await allowedOf(here.store, take([budget(100)]), 200)).toBe(100)
  })

  test("believe the vendor's count of the day, when it is higher, and its limit, when it is lower", async () => {
    using here = open()
    const { budget, take, learn } = fresh()
    await allowedOf(here.store, take([budget(100)]), 10)
    await learn(here.store, { refused: false, day: { used: 60, limit: 90 } })
    await learn(here.store, { refused: false, day: { used: 30, limit: 90 } })
    expect(await allowedOf(here.store, take([budget(100)]), 100)).toBe(30)
  })

  test('S53: pause until the instant that a vendor named, and begin again slowly', async () => {
    using here = open()
    const { pace, take, learn } = fresh()
    const call = take([pace('connection', 100, { learns: true, allowance: 1 })])
    await learn(here.store, { refused: true, pausedUntil: start + 30_000 })
    await learn(here.store, { refused: true, pausedUntil: start + 10_000 })
    expect(await here.store.take(call)).toEqual({ kind: 'wait', waitMs: 30_000, level: 'pause' })
    here.nowMs = start + 30_000
    expect(await allowedOf(here.store, call, 5)).toBe(1)
    expect(await here.store.take(call)).toEqual({ kind: 'wait', waitMs: 200, level: 'connection' })
    here.nowMs += 10 * MINUTE
    await allowedOf(here.store, call, 1)
    expect(await here.store.take(call)).toMatchObject({ waitMs: 100 })
  })

  test('S53: wait longer after each refusal that names no time, and go on at half the rate, down to a floor', async () => {
    using here = open()
    const { pace, take, learn } = fresh()
    const call = take([pace('connection', 100, { learns: true, allowance: 1 })])
    const intervalNow = async () => {
      await here.store.take(call)
      const verdict = await here.store.take(call)
      return verdict.kind === 'wait' ? Math.round(verdict.waitMs) : 0
    }
    // Calls that were under way together are refused together: that is one refusal.
    for (let at = 0; at < 10; at += 1) await learn(here.store, { refused: true })
    expect(await intervalNow()).toBe(4_000)
    here.nowMs += 4_000
    expect(await intervalNow()).toBe(200)
    await learn(here.store, { refused: true })
    expect(await intervalNow()).toBe(16_000)
    for (let at = 0; at < 10; at += 1) {
      here.nowMs += 400_000 - (at === 0 ? 0 : 1)
      await learn(here.store, { refused: true })
    }
    expect(await intervalNow()).toBeLessThanOrEqual(400_000)
    here.nowMs += 400_000
    expect(await intervalNow()).toBeLessThanOrEqual(2_000)
    here.nowMs += 20 * MINUTE
    expect(await intervalNow()).toBe(100)
  })

  test('S53: begin with the shortest wait again when calls went well for as long as the last wait', async () => {
    using here = open()
    const { pace, take, learn } = fresh()
    const call = take([pace('connection', 1, { learns: true, allowance: 1_000_000 })])
    const waitAfter = async (quietMs: number) => {
      here.nowMs += quietMs
      await learn(here.store, { refused: true })
      const verdict = await here.store.take(call)
      const waitMs = verdict.kind === 'wait' ? Math.round(verdict.waitMs) : 0
      here.nowMs += waitMs
      return waitMs
    }
    const waits = []
    for (const quietMs of [0, 1, 29_000, 63_000, 1, 399_000, 401_000, 31_000]) {
      waits.push(await waitAfter(quietMs))
    }
    expect(waits).toEqual([4_000, 16_000, 64_000, 256_000, 400_000, 400_000, 4_000, 4_000])
  })

  test('S53: never go slower than a twentieth, however often they are refused', async () => {
    using here = open()
    const { pace, take, learn } = fresh()
    const call = take([pace('connection', 100, { learns: true, allowance: 1 })])
    for (let at = 0; at < 12; at += 1) {
      await learn(here.store, { refused: true, pausedUntil: here.nowMs + 1_000 })
      here.nowMs += 2_000
    }
    expect(await allowedOf(here.store, call, 1)).toBe(1)
    expect(await here.store.take(call)).toMatchObject({ kind: 'wait', waitMs: 2_000 })
  })

  test("keep a vendor's own pace as long as it is said to hold", async () => {
    using here = open()
    const { pace, take, learn } = fresh()
    const call = take([pace('connection', 100, { learns: true, allowance: 1 })])
    await learn(here.store, { refused: false, pace: { intervalMs: 5_000, until: start + 20_000 } })
    expect(await allowedOf(here.store, call, 3)).toBe(1)
    expect(await here.store.take(call)).toMatchObject({ waitMs: 5_000 })
    here.nowMs += 20_000
    await here.store.take(call)
    expect(await here.store.take(call)).toMatchObject({ waitMs: 100 })
  })

  test('S54: give a tenant that comes after a flood its calls at once', async () => {
    using here = open()
    const { pace, take, tenant } = fresh()
    const gates = [pace('integration', 200, { shared: true, allowance: 8 })]
    const flood = take(gates, { ...tenant('heavy'), queues: true })
    const light = take(gates, { ...tenant('light'), queues: true })
    // Half of the burst is for those who come seldom, even when nobody else is there.
    expect(await allowedOf(here.store, flood, 1_000)).toBe(4)
    expect(await allowedOf(here.store, light, 5)).toBe(3)
    let flooded = 0
    let atOnce = 0
    for (let step = 1; step <= 100; step += 1) {
      here.nowMs += 200
      flooded += await allowedOf(here.store, flood, 10)
      if (step % 25 === 0) atOnce += await allowedOf(here.store, light, 1)
    }
    // And what nobody else wants is not lost: a hundred calls fit, and the light tenant had four.
    expect(atOnce).toBe(4)
    expect(flooded).toBeGreaterThan(85)
    expect(flooded).toBeLessThanOrEqual(96)
  })

  test('S54: share what all want about equally, though one asks five times as often', async () => {
    using here = open()
    const { pace, take, tenant } = fresh()
    const gates = [pace('integration', 100, { shared: true, allowance: 6 })]
    const had = new Map<string, number>()
    for (let step = 0; step < 1_200; step += 1) {
      here.nowMs += 50
      for (const [name, times] of [
        ['often', 5],
        ['seldom', 1],
        ['sometimes', 2],
      ] as const) {
        const call = take(gates, { ...tenant(name), queues: true })
        had.set(name, (had.get(name) ?? 0) + (await allowedOf(here.store, call, times)))
      }
    }
    const counts = [...had.values()]
    expect(Math.max(...counts) / Math.min(...counts)).toBeLessThan(1.5)
    expect(counts.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(0.97 * 600)
  })
})

/** Milliseconds between two verdicts of one kind. */
function distance(a: Verdict, b: Verdict): number {
  if (a.kind === 'allowed' && b.kind === 'allowed') return Math.abs(a.delayMs - b.delayMs)
  const alike = a.kind === 'wait' && b.kind === 'wait' && a.level === b.level
  return alike ? Math.abs(a.waitMs - b.waitMs) : Infinity
}

describe.skipIf(!hasRedis)('limits in Redis and in the process', () => {
  const command = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('take' as const),
        gates: fc.uniqueArray(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 5 }),
        tenant: fc.integer({ min: 0, max: 3 }),
        cost: fc.integer({ min: 1, max: 3 }),
        patienceMs: fc.constantFrom(0, 0, 700),
        queues: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('wait' as const),
        ms: fc.integer({ min: 1, max: 9_000 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('learn' as const),
        refused: fc.boolean(),
        pauseMs: fc.option(fc.integer({ min: 1, max: 5_000 }), { nil: undefined }),
        paceMs: fc.option(fc.integer({ min: 1, max: 900 }), { nil: undefined }),
        used: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }),
      }),
    },
  )

  test('decide the same about any sequence of calls, answers and times', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 60 }), async (commands) => {
        using local = implementations['in the process']?.()
        using redis = implementations['in Redis']?.()
        if (!local || !redis) throw new Error('unknown implementation')
        const { pace, budget, take, tenant, learn } = fresh()
        const all = [
          pace('integration', 150.5, { shared: true, allowance: 5.2 }),
          pace('operation', 210, { shared: true, allowance: 3 }),
          pace('tenant', 20.25),
          pace('connection', 333, { learns: true, allowance: 1.6 }),
          budget(70, 0.9),
        ]
        const distances = [0]
        for (const one of commands) {
          if (one.do === 'wait') {
            local.nowMs += one.ms
            redis.nowMs += one.ms
          } else if (one.do === 'learn') {
            const lesson: Lesson = {
              refused: one.refused,
              ...(one.pauseMs === undefined ? {} : { pausedUntil: local.nowMs + one.pauseMs }),
              ...(one.paceMs === undefined
                ? {}
                : { pace: { intervalMs: one.paceMs, until: local.nowMs + 4_000 } }),
              ...(one.used === undefined ? {} : { day: { used: one.used, limit: 65 } }),
            }
            await learn(local.store, lesson)
            await learn(redis.store, lesson)
          } else {
            const { cost, patienceMs, queues } = one
            const who = one.tenant === 0 ? {} : tenant(`t${one.tenant}`)
            const gates = all.filter((_, index) => one.gates.includes(index))
            const call = take(gates, { cost, patienceMs, queues, ...who })
            const [here, there] = [await local.store.take(call), await redis.store.take(call)]
            distances.push(distance(here, there))
          }
        }
        expect(Math.max(...distances)).toBeLessThan(0.01)
      }),
      { numRuns: 100 },
    )
  })
})
