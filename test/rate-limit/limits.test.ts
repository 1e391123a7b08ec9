import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { localLimits } from '../../src/rate-limit/local.ts'
import {
  integrationLimits,
  limitOverridesShape,
  takeOutgoing,
  type Lane,
  type OutgoingCall,
} from '../../src/rate-limit/limits.ts'
import { incomingLimits, takeIncoming } from '../../src/rate-limit/incoming.ts'
import { laneOf } from '../../src/rate-limit/quota.ts'
import { networkOf, withoutPort } from '../../src/rate-limit/source.ts'

const whole = { part: 1 }
const none = limitOverridesShape.parse({})
const call: OutgoingCall = {
  integrationId: 'salesforce',
  operation: 'fetch',
  tenantId: 'tenant-1',
  connectionId: 'conn-1',
  lane: 'person',
}
const start = Date.parse('2026-03-01T10:00:00.000Z')

/** How many calls a minute lets through when somebody asks every ten milliseconds, for some minutes. */
async function mostInAMinute(some: Partial<OutgoingCall>, overrides = none, minutes = 3) {
  let nowMs = start
  const store = localLimits(() => new Date(nowMs))
  const allowedAt: number[] = []
  for (; nowMs < start + minutes * 60_000; nowMs += 10) {
    const verdict = await store.take(takeOutgoing({ ...call, ...some }, overrides, whole))
    if (verdict.kind === 'allowed') allowedAt.push(nowMs)
  }
  const inMinute = (from: number) => allowedAt.filter((at) => at >= from && at < from + 60_000)
  return {
    most: Math.max(...allowedAt.map((at) => inMinute(at).length)),
    last: inMinute(start + (minutes - 1) * 60_000).length,
  }
}

test.for<[string, Partial<OutgoingCall>, number]>([
  ['Salesforce, fetch', { operation: 'fetch' }, 200],
  ['Salesforce, update', { operation: 'update' }, 150],
  ['Salesforce, create', { operation: 'create' }, 100],
  ['a connection that names its own limit', { limits: { connection: 30 } }, 30],
  ['a connection whose document holds nonsense', { limits: { connection: -5 } }, 200],
  ['GitHub, a connection', { integrationId: 'github' }, 80],
])('no minute sees more calls than the limit, and few fewer: %s', async ([, some, limit]) => {
  const { most, last } = await mostInAMinute(some)
  expect(most).toBeLessThanOrEqual(limit)
  expect(last).toBeGreaterThanOrEqual(Math.floor(limit * (limit < 100 ? 0.9 : 0.96)))
})

test('the limits of an integration are those of all its operations and tenants together', async () => {
  const overrides = limitOverridesShape.parse({
    integrations: { salesforce: { integration: 120 } },
  })
  const { most, last } = await mostInAMinute({}, overrides)
  expect(most).toBeLessThanOrEqual(120)
  expect(last).toBeGreaterThan(115)
  expect(integrationLimits).toMatchObject({
    salesforce: { integration: 300, operations: { fetch: 200, update: 150, create: 100 } },
    github: { integration: 360 },
  })
})

test('a tenant has one limit over all its integrations', async () => {
  const overrides = limitOverridesShape.parse({ tenant: 100 })
  const store = localLimits(() => new Date(start))
  const allowed = { salesforce: 0, github: 0 }
  for (const integrationId of ['salesforce', 'github'] as const) {
    for (let at = 0; at < 10; at += 1) {
      const take = takeOutgoing({ ...call, integrationId }, overrides, whole)
      if ((await store.take(take)).kind === 'allowed') allowed[integrationId] += 1
    }
  }
  // By itself each would let three through.
  expect(allowed).toEqual({ salesforce: 3, github: 1 })
})

test('S54: the lower the lane, the less it may take at once, and the more of the day it leaves', async () => {
  const order: Lane[] = ['person', 'webhook', 'incremental', 'backfill']
  const taken: number[] = []
  for (const lane of order) {
    const store = localLimits(() => new Date(start))
    let allowed = 0
    const take = takeOutgoing({ ...call, lane }, none, whole)
    while ((await store.take(take)).kind === 'allowed') allowed += 1
    taken.push(allowed)
  }
  expect(taken).toEqual(taken.toSorted((a, b) => b - a))
  expect(taken[0]).toBeGreaterThan(taken[3] ?? 0)
  const parts = order.map((lane) => {
    const gate = takeOutgoing({ ...call, lane }, none, whole).gates.at(-1)
    return gate?.kind === 'budget' ? gate.part : 0
  })
  expect(parts).toEqual([1, 0.95, 0.9, 0.8])
})

test('a person goes through while a backfill is kept waiting', async () => {
  let nowMs = start
  const store = localLimits(() => new Date(nowMs))
  const backfill = takeOutgoing({ ...call, lane: 'backfill', connectionId: 'c2' }, none, whole)
  const waits: number[] = []
  for (; nowMs < start + 60_000; nowMs += 50) {
    for (let at = 0; at < 5; at += 1) await store.take(backfill)
    if (nowMs % 5_000 !== 0) continue
    const verdict = await store.take(takeOutgoing(call, none, whole))
    waits.push(verdict.kind === 'wait' ? verdict.waitMs : 0)
  }
  expect(waits).toHaveLength(12)
  expect(Math.max(...waits)).toBe(0)
})

test('no tenant, connection or user can be named so that it shares a key with another', () => {
  const keysOf = (tenantId: string, connectionId: string) => {
    const { gates, keys } = takeOutgoing({ ...call, tenantId, connectionId }, none, whole)
    return [gates[2]?.key, gates[3]?.key, gates[4]?.key, keys.queue, keys.learned, keys.share]
  }
  fc.assert(
    fc.property(
      fc.tuple(fc.string({ unit: 'binary-ascii' }), fc.string({ unit: 'binary-ascii' })),
      fc.tuple(fc.string({ unit: 'binary-ascii' }), fc.string({ unit: 'binary-ascii' })),
      ([tenantA, connectionA], [tenantB, connectionB]) => {
        fc.pre(tenantA !== tenantB)
        const a = keysOf(tenantA, connectionA)
        expect(keysOf(tenantB, connectionB).filter((key) => a.includes(key))).toEqual([])
      },
    ),
  )
  const keys = keysOf('a:b', '{c}')
  expect(keysOf('a', 'b:{c}').filter((key) => keys.includes(key))).toEqual([])
  expect(() => keysOf('\ud800', 'c')).not.toThrow()
  // One hash tag, or a cluster refuses the script.
  expect(keys.every((key) => /^limit:\{out\}:[^{}]*$/.test(key ?? ''))).toBe(true)
})

test('a caller is limited by as much as is known of it', () => {
  const levels = (some: object) =>
    takeIncoming({ endpoint: 'signalr-negotiate', ...some }, {}, whole).gates.map(
      ({ level }) => level,
    )
  expect(levels({ source: '192.0.2.7' })).toEqual(['source'])
  expect(levels({ source: null, tenantId: 't', userId: 'u' })).toEqual(['tenant', 'user'])
  expect(levels({ registration: 'r' })).toEqual(['registration'])
  expect(incomingLimits['signalr-negotiate'].user).toBe(60)
})

test.for<[string, string]>([
  ['192.0.2.7', '192.0.2.7'],
  ['192.0.2.7:50123', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['[2001:db8:1:2::9]:443', '2001:db8:1:2::/64'],
  ['2001:0DB8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('the address %s is limited as %s', ([address, network]) => {
  expect(networkOf(address)).toBe(network)
})

test('whatever stands where an address should makes a short key', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 500 }), (text) => {
      expect(networkOf(text).length).toBeLessThanOrEqual(50)
      expect(withoutPort(text).length).toBeLessThanOrEqual(text.length)
    }),
  )
})

test.for<[Parameters<typeof laneOf>[0], Lane]>([
  [{ type: 'manual', priority: 'low' }, 'person'],
  [{ type: 'webhook', priority: 'low' }, 'webhook'],
  [{ type: 'scheduled', priority: 'high' }, 'incremental'],
  [{ type: 'scheduled', priority: 'normal' }, 'incremental'],
  [{ type: 'scheduled', priority: 'low' }, 'backfill'],
])('the calls of %o go in the lane %s', ([task, lane]) => {
  expect(laneOf(task)).toBe(lane)
})
