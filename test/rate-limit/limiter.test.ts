import { describe, expect, test } from 'vitest'
import { AppError } from '../../src/core/errors.ts'
import { limiter } from '../../src/rate-limit/limiter.ts'
import { limitOverridesShape, type OutgoingCall } from '../../src/rate-limit/limits.ts'
import { localLimits } from '../../src/rate-limit/local.ts'
import { quotaOf } from '../../src/rate-limit/quota.ts'

const call: OutgoingCall = {
  integrationId: 'salesforce',
  operation: 'fetch',
  tenantId: 'tenant-1',
  connectionId: 'conn-1',
  lane: 'incremental',
}

function world({ alone = false }: { alone?: boolean } = {}) {
  let nowMs = Date.parse('2026-03-01T10:00:00.000Z')
  const clock = () => new Date(nowMs)
  const lines: string[] = []
  const metrics: { name: string; fields: unknown }[] = []
  const common = localLimits(clock)
  const state = { away: false, asked: 0, slept: 0 }
  const ask = async <T>(work: () => Promise<T>) => {
    state.asked += 1
    if (state.away) throw new AppError('limits_unavailable', 'it is away')
    return work()
  }
  const ports = {
    shared: alone
      ? undefined
      : {
          take: (take: Parameters<typeof common.take>[0]) => ask(() => common.take(take)),
          learn: (learning: Parameters<typeof common.learn>[0]) =>
            ask(() => common.learn(learning)),
        },
    overrides: limitOverridesShape.parse({}),
    partAlone: 0.1,
    clock,
    sleep: async (ms: number) => {
      state.slept += ms
      nowMs += ms
    },
    log: {
      info: (message: string) => lines.push(`info ${message}`),
      warn: (message: string) => lines.push(`warn ${message}`),
      error: (message: string) => lines.push(`error ${message}`),
      metric: (name: string, _value: number, fields: unknown) => metrics.push({ name, fields }),
    },
  }
  return {
    state,
    lines,
    metrics,
    instance: (skewMs = 0) =>
      limiter({ ...ports, clock: () => new Date(clock().getTime() + skewMs) }),
    advance: (ms: number) => {
      nowMs += ms
    },
  }
}

const answer = (status: number, headers: Record<string, string> = {}) => ({
  status,
  headers: new Headers(headers),
})

test('what comes at once is limited; who would wait less than a second waits for it', async () => {
  const here = world()
  const { checkRateLimit } = here.instance()
  for (let at = 0; at < 6; at += 1) {
    expect(await checkRateLimit(call)).toEqual({ kind: 'allowed' })
  }
  expect(here.state.slept).toBeGreaterThan(0)
  expect(here.state.slept).toBeLessThan(2_000)
})

test('S23: longer waits are told, not slept through', async () => {
  const here = world()
  const instance = here.instance()
  await instance.learnFrom(call, answer(429, { 'retry-after': '90' }))
  expect(await instance.checkRateLimit(call)).toEqual({
    kind: 'queued',
    waitMs: 90_000,
    level: 'pause',
  })
  expect(here.state.slept).toBe(0)
  expect(here.metrics).toContainEqual({
    name: 'rate_limit_queued',
    fields: { level: 'pause', integrationId: 'salesforce' },
  })
})

test('a person who waits is told at once that there is no room', async () => {
  const here = world()
  const instance = here.instance()
  await instance.learnFrom(call, answer(429, { 'retry-after': '90' }))
  expect(await instance.checkRateLimit({ ...call, lane: 'person' })).toMatchObject({
    kind: 'denied',
    waitMs: 90_000,
  })
})

test('S53: what one instance learned holds for all of them', async () => {
  const here = world()
  await here.instance().learnFrom(call, answer(429, { 'retry-after': '30' }))
  const other = here.instance()
  expect(await other.checkRateLimit(call)).toMatchObject({ kind: 'queued', level: 'pause' })
  expect(await other.checkRateLimit({ ...call, connectionId: 'conn-2' })).toEqual({
    kind: 'allowed',
  })
  here.advance(31_000)
  expect(await other.checkRateLimit(call)).toEqual({ kind: 'allowed' })
})

test('an answer that teaches nothing costs no question', async () => {
  const here = world()
  await here.instance().learnFrom(call, answer(200, { 'content-type': 'application/json' }))
  expect(here.state.asked).toBe(0)
})

describe('while the shared limits are away', () => {
  test('calls go on at a small part of the limits, one line says so, and each call is counted', async () => {
    const here = world()
    const { checkRateLimit } = here.instance()
    here.state.away = true
    let allowed = 0
    // A tenth of 200 a minute is a call every three seconds and more.
    for (let second = 0; second < 60; second += 1) {
      if ((await checkRateLimit(call)).kind === 'allowed') allowed += 1
      here.advance(1_000)
    }
    const minutes = 1 + here.state.slept / 60_000
    expect(allowed / minutes).toBeGreaterThan(10)
    expect(allowed / minutes).toBeLessThanOrEqual(20)
    expect(here.lines).toHaveLength(1)
    expect(here.lines[0]).toMatch(/^warn each process keeps a part of the limits/)
    const fallbacks = here.metrics.filter(({ name }) => name === 'rate_limit_fallback')
    expect(fallbacks.length).toBeGreaterThanOrEqual(60)
  })

  test('they are asked again once a second, not by every call', async () => {
    const here = world()
    const { checkRateLimit } = here.instance()
    here.state.away = true
    await checkRateLimit(call)
    for (let at = 0; at < 3; at += 1) await checkRateLimit({ ...call, connectionId: `c${at}` })
    expect(here.state.asked).toBe(1)
    here.advance(1_000)
    await checkRateLimit({ ...call, connectionId: 'c9' })
    expect(here.state.asked).toBe(2)
  })

  test('it heals by itself, and says that as well', async () => {
    const here = world()
    const { checkRateLimit } = here.instance()
    here.state.away = true
    await checkRateLimit(call)
    here.state.away = false
    here.advance(1_000)
    await checkRateLimit({ ...call, connectionId: 'c2' })
    expect(here.lines.at(-1)).toBe('info the shared limits are back')
    const asked = here.state.asked
    await checkRateLimit({ ...call, connectionId: 'c3' })
    await checkRateLimit({ ...call, connectionId: 'c4' })
    expect(here.state.asked).toBe(asked + 2)
    expect(here.lines).toHaveLength(2)
  })

  test('nobody is sent away for longer than they may be gone, but for a pause', async () => {
    const here = world()
    const { checkRateLimit, learnFrom } = here.instance()
    here.state.away = true
    const waits: number[] = []
    for (let at = 0; at < 200; at += 1) {
      const decision = await checkRateLimit(call)
      if (decision.kind !== 'allowed') waits.push(decision.waitMs)
    }
    expect(waits.length).toBeGreaterThan(100)
    expect(Math.max(...waits)).toBe(30_000)
    await learnFrom(call, answer(429, { 'retry-after': '600' }))
    expect(await checkRateLimit(call)).toMatchObject({ level: 'pause', waitMs: 600_000 })
  })

  test('a pause that was learned before still holds', async () => {
    const here = world()
    const instance = here.instance()
    await instance.learnFrom(call, answer(429, { 'retry-after': '30' }))
    here.state.away = true
    expect(await instance.checkRateLimit(call)).toMatchObject({ kind: 'queued', level: 'pause' })
  })

  test('a fault of another kind is not hidden', async () => {
    const here = world()
    const broken = limiter({
      shared: {
        take: () => Promise.reject(new TypeError('a bug')),
        learn: () => Promise.resolve(),
      },
      overrides: limitOverridesShape.parse({}),
      partAlone: 0.1,
      clock: () => new Date(0),
      sleep: () => Promise.resolve(),
      log: { info() {}, warn() {}, error() {}, metric() {} },
    })
    await expect(broken.checkRateLimit(call)).rejects.toThrow('a bug')
    expect(here.lines).toEqual([])
  })
})

test('without shared limits a process has the whole of them', async () => {
  const here = world({ alone: true })
  const { checkRateLimit } = here.instance()
  let allowed = 0
  for (let tenth = 0; tenth < 600; tenth += 1) {
    if ((await checkRateLimit({ ...call, connectionId: `c${tenth}` })).kind === 'allowed')
      allowed += 1
    here.advance(100)
  }
  expect(allowed).toBeGreaterThan(150)
  expect(here.metrics.filter(({ name }) => name === 'rate_limit_fallback')).toEqual([])
})

test('callers from outside are denied with the wait, each address by itself', async () => {
  const here = world()
  const { admit } = here.instance()
  const from = (source: string) => admit({ endpoint: 'signalr-negotiate', source })
  let allowed = 0
  while ((await from('192.0.2.1')).kind === 'allowed') allowed += 1
  expect(allowed).toBe(300)
  expect(await from('192.0.2.1')).toMatchObject({ kind: 'denied', level: 'source' })
  expect(await from('192.0.2.2')).toEqual({ kind: 'allowed' })
  expect(here.state.slept).toBe(0)
})

test("a vendor's client is told to come later, and that no try was lost", async () => {
  const here = world()
  const instance = here.instance()
  const { operation: _, ...work } = call
  const quota = quotaOf(instance, work)
  expect(await quota.admit({ method: 'GET' })).toBeUndefined()
  await quota.learnFrom({ method: 'GET' }, answer(429, { 'retry-after': '60' }))
  expect(await quota.admit({ method: 'PATCH' })).toEqual({
    kind: 'retry',
    limited: true,
    afterMs: 60_000,
    reason: 'the limit of its pause is reached',
  })
})

describe('S53: what one instance hears, all do, whatever its clock shows', () => {
  const told = ['in seconds', 'by a date'] as const
  const skews = [-3_600_000, 3_600_000] as const
  test.for(told.flatMap((how) => skews.map((skewMs) => [how, skewMs] as const)))(
    '%s, its clock %i ms off',
    async ([how, skewMs]) => {
      const here = world()
      const [wrong, right] = [here.instance(skewMs), here.instance()]
      const nowMs = Date.parse('2026-03-01T10:00:00.000Z')
      const date = new Date(nowMs).toUTCString()
      const after = how === 'in seconds' ? '30' : new Date(nowMs + 30_000).toUTCString()
      const headers = new Headers({ date, 'retry-after': after })
      await wrong.learnFrom(call, { status: 429, headers })
      expect(await right.checkRateLimit(call)).toMatchObject({ kind: 'queued', waitMs: 30_000 })
      here.advance(30_000)
      expect(await right.checkRateLimit(call)).toEqual({ kind: 'allowed' })
    },
  )
})
