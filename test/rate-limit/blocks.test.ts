import { expect, test } from 'vitest'
import { AppError } from '../../src/core/errors.ts'
import type { Take } from '../../src/rate-limit/bucket.ts'
import type { IncomingCall } from '../../src/rate-limit/incoming.ts'
import { limiter } from '../../src/rate-limit/limiter.ts'
import { limitOverridesShape } from '../../src/rate-limit/limits.ts'
import { localLimits } from '../../src/rate-limit/local.ts'

/** Instances over one shared store that takes a turn of the event loop to answer, and counts what it is asked. */
function world(instances: number, incoming: object = {}) {
  const start = Date.parse('2026-03-01T10:00:00.000Z')
  const here = { nowMs: start, asked: 0, away: false }
  const clock = () => new Date(here.nowMs)
  const store = localLimits(clock)
  const shared = {
    ...store,
    take: async (take: Take) => {
      here.asked += 1
      await Promise.resolve()
      if (here.away) throw new AppError('limits_unavailable', 'it is away')
      return store.take(take)
    },
  }
  const log = { info() {}, warn() {}, error() {}, metric() {} }
  const overrides = limitOverridesShape.parse({ incoming })
  const open = () =>
    limiter({ shared, overrides, partAlone: 0.1, clock, sleep: async () => {}, log })
  const all = Array.from({ length: instances }, open)
  let turn = 0
  const admit = (call: IncomingCall) => {
    turn += 1
    return all[turn % instances]?.admit(call)
  }
  const isAllowed = async (call: IncomingCall) => (await admit(call))?.kind === 'allowed'
  return { here, admit, isAllowed, start }
}

const webhook = (
  registration: string,
  registrationPerMinute: number,
  tenantId = 't',
): IncomingCall => ({
  endpoint: 'webhooks',
  registration,
  registrationPerMinute,
  tenantId,
})

test('S17: a sender that floods fifty times its pace over twenty instances gets its pace and no more, for few questions', async () => {
  const { here, isAllowed, start } = world(20)
  const flood = webhook('heavy', 1_200)
  const allowedAt: number[] = []
  let calls = 0
  let refusedOther = 0
  for (; here.nowMs < start + 150_000; here.nowMs += 20) {
    const verdicts = await Promise.all(Array.from({ length: 20 }, () => isAllowed(flood)))
    calls += verdicts.length
    for (const isIn of verdicts) if (isIn) allowedAt.push(here.nowMs)
    // A light one of another tenant, once a second.
    if (here.nowMs % 1_000 === 0 && !(await isAllowed(webhook('light', 1_200, 'other')))) {
      refusedOther += 1
    }
  }
  const inMinute = (from: number) =>
    allowedAt.filter((at) => at >= from && at < from + 60_000).length
  const minutes = Array.from({ length: 90 }, (_, second) => inMinute(start + second * 1_000))
  // Each instance may hold a few calls that it took and has not used yet.
  expect(minutes[0]).toBeLessThanOrEqual(1_800 * 1.03)
  expect(Math.max(...minutes.slice(30))).toBeLessThanOrEqual(1_200 * 1.03)
  expect(Math.min(...minutes.slice(30))).toBeGreaterThanOrEqual(1_200 * 0.95)
  expect(refusedOther).toBe(0)
  // Five questions a second of each instance, however hard the flood is.
  expect(here.asked).toBeLessThan(5 * 20 * 150)
  expect(here.asked).toBeLessThan(calls / 8)
})

test('many calls at once cost a few questions and are counted to the last', async () => {
  const { here, isAllowed } = world(1)
  const verdicts = await Promise.all(
    Array.from({ length: 5_000 }, () => isAllowed(webhook('r', 6_000))),
  )
  expect(verdicts.filter(Boolean)).toHaveLength(3_000)
  expect(here.asked).toBeLessThan(60)
})

test('a steady sender is asked about twice a second, however many calls it makes', async () => {
  const { here, isAllowed, start } = world(1)
  let refused = 0
  for (; here.nowMs < start + 20_000; here.nowMs += 2) {
    if (!(await isAllowed(webhook('r', 60_000)))) refused += 1
  }
  expect(refused).toBe(0)
  expect(here.asked).toBeLessThan(60)
})

test('where few calls are allowed each is taken by itself: no instance keeps any from the others', async () => {
  const { isAllowed } = world(10)
  const call = { endpoint: 'oauth-refresh', tenantId: 't', userId: 'u' } as const
  let allowed = 0
  for (let at = 0; at < 60; at += 1) if (await isAllowed(call)) allowed += 1
  expect(allowed).toBe(15)
})

test('what one limit refuses uses nothing of another', async () => {
  const { isAllowed } = world(1, { webhooks: { tenant: 40 } })
  let ofOne = 0
  for (let at = 0; at < 50; at += 1) if (await isAllowed(webhook('a', 20))) ofOne += 1
  let ofOther = 0
  for (let at = 0; at < 50; at += 1) if (await isAllowed(webhook('b', 1_000))) ofOther += 1
  // Twenty may come at once for the tenant, ten for the first registration.
  expect([ofOne, ofOther]).toEqual([10, 10])
})

test('a refusal names the limit and the wait, is not asked about again, and ends', async () => {
  const { here, admit, isAllowed } = world(1)
  const call = webhook('r', 60)
  while (await isAllowed(call));
  const asked = here.asked
  const refusal = { kind: 'denied', level: 'registration', waitMs: 1_000 }
  expect(await admit(call)).toEqual(refusal)
  for (let at = 0; at < 100; at += 1) await admit(call)
  expect(here.asked).toBe(asked)
  here.nowMs += 500
  expect(await admit(call)).toEqual({ ...refusal, waitMs: 500 })
  here.nowMs += 500
  expect(await isAllowed(call)).toBe(true)
})

test('while the shared limits are away a process lets its part through', async () => {
  const { here, isAllowed } = world(1)
  here.away = true
  const verdicts = await Promise.all(
    Array.from({ length: 5_000 }, () => isAllowed(webhook('r', 6_000))),
  )
  expect(verdicts.filter(Boolean)).toHaveLength(300)
})

test.for<[string, object, Partial<IncomingCall>, number]>([
  ['an address', { source: 10 }, { source: '192.0.2.1' }, 5],
  ['a tenant', { tenant: 12 }, { tenantId: 't' }, 6],
  ['a user', { user: 8 }, { tenantId: 't', userId: 'u' }, 4],
])('settings override what %s may send', async ([, some, call, atOnce]) => {
  const { isAllowed } = world(1, { 'signalr-negotiate': some })
  let allowed = 0
  for (let at = 0; at < 100; at += 1) {
    if (await isAllowed({ endpoint: 'signalr-negotiate', ...call })) allowed += 1
  }
  expect(allowed).toBe(atOnce)
})

test.for<object>([
  { 'signalr-negotiate': { usr: 8 } },
  { nowhere: { user: 8 } },
  { webhooks: { source: 0 } },
])('settings of incoming limits that make no sense are refused: %o', (incoming) => {
  expect(limitOverridesShape.safeParse({ incoming }).success).toBe(false)
})
