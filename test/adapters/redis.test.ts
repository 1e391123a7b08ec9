import { codeOf } from '../../src/core/errors.ts'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { openRedisLimits } from '../../src/adapters/redis.ts'
import { sharing, type Take } from '../../src/rate-limit/bucket.ts'
import { learning } from '../../src/rate-limit/learned.ts'
import { takeIncoming } from '../../src/rate-limit/incoming.ts'
import { limitOverridesShape, takeOutgoing } from '../../src/rate-limit/limits.ts'
import { freePort, hasRedis, startRedisServer } from '../ports/redis-server.ts'

const numbers = { sharing, learning }
/** For tests that are not about time, on a machine that may be busy. */
const patienceMs = 10_000
const key = (name: string) => `limit:{test}:${name}`
const take: Take = {
  gates: [
    {
      kind: 'pace',
      level: 'tenant',
      key: key('t'),
      intervalMs: 60_000,
      allowance: 4,
      shared: false,
      learns: false,
    },
  ],
  keys: {
    learned: key('l'),
    queue: key('q'),
    sharedQueue: key('w'),
    share: key('s'),
    contenders: key('n'),
  },
  tenant: '',
  cost: 1,
  patienceMs: 0,
  queues: false,
}

/** A call may cost fifty milliseconds; the rest is for a machine with other things to do. */
const AT_MOST_MS = 1_000

async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; result: T | string }> {
  const startedAt = performance.now()
  const outcome = work().catch((error: { code: string }) => error.code)
  // A call that never ends must not keep the server and the suite with it.
  const result = await Promise.race([outcome, delay(5 * AT_MOST_MS, 'hung', { ref: false })])
  return { ms: performance.now() - startedAt, result }
}

test('a Redis that is not there is said at once', async () => {
  using limits = openRedisLimits({ url: `redis://127.0.0.1:${await freePort()}`, numbers })
  for (let at = 0; at < 3; at += 1) {
    const { ms, result } = await timed(() => limits.take(take))
    expect(result).toBe('limits_unavailable')
    expect(ms).toBeLessThan(AT_MOST_MS)
  }
  await expect(limits.ping()).rejects.toMatchObject({ code: 'limits_unavailable' })
})

describe.skipIf(!hasRedis)('with a redis-server', () => {
  test('two clients are one limit, by the time of the server', async () => {
    await using server = await startRedisServer()
    using one = openRedisLimits({ url: server.url, numbers, patienceMs })
    using two = openRedisLimits({ url: server.url, numbers, patienceMs })
    const verdicts = []
    for (let at = 0; at < 3; at += 1) verdicts.push(await one.take(take), await two.take(take))
    expect(verdicts.map(({ kind }) => kind)).toEqual([
      'allowed',
      'allowed',
      'allowed',
      'allowed',
      'wait',
      'wait',
    ])
    const client = new Redis(server.url)
    const [seconds] = await client.time()
    const state = await client.getBuffer(key('t'))
    const due = (state?.readDoubleLE() ?? 0) / 1_000
    expect(due - Number(seconds)).toBeGreaterThan(230)
    expect(due - Number(seconds)).toBeLessThanOrEqual(241)
    expect(await client.pttl(key('t'))).toBeGreaterThan(200_000)
    client.disconnect()
  })

  test('a server that has lost the script is given it again', async () => {
    await using server = await startRedisServer()
    using limits = openRedisLimits({ url: server.url, numbers, patienceMs })
    expect(await limits.take(take)).toEqual({ kind: 'allowed', delayMs: 0 })
    const client = new Redis(server.url)
    await client.script('FLUSH')
    expect(await limits.take(take)).toEqual({ kind: 'allowed', delayMs: 0 })
    client.disconnect()
  })

  test('a server that hangs costs a call little, and is asked again when it goes on', async () => {
    await using server = await startRedisServer()
    using limits = openRedisLimits({ url: server.url, numbers })
    await limits.take(take)
    server.hang()
    for (let at = 0; at < 3; at += 1) {
      const { ms, result } = await timed(() => limits.take(take))
      expect(result).toBe('limits_unavailable')
      expect(ms).toBeLessThan(AT_MOST_MS)
    }
    server.goOn()
    await expect
      .poll(() =>
        limits.ping().then(
          () => 'back',
          () => 'away',
        ),
      )
      .toBe('back')
    expect((await limits.take(take)).kind).toMatch(/allowed|wait/)
  })

  test('a server that is started again is found again', async () => {
    const first = await startRedisServer()
    using limits = openRedisLimits({ url: first.url, numbers })
    // On a busy machine an answer may come after the patience for it: then it is asked again.
    const taken = () =>
      limits.take(take).then(
        ({ kind }) => kind,
        (error: unknown) => codeOf(error),
      )
    const until = (kind: string) => expect.poll(taken, { timeout: 10_000 }).toBe(kind)
    await until('allowed')
    await first[Symbol.asyncDispose]()
    expect(await taken()).toBe('limits_unavailable')
    await using _second = await startRedisServer(first.port)
    await until('allowed')
  })

  test('everything that a decision touches lies in one slot of a cluster', async () => {
    await using server = await startRedisServer()
    using limits = openRedisLimits({ url: server.url, numbers, patienceMs })
    const call = { integrationId: 'sales{force}', tenantId: 'a}b', connectionId: 'c:d' }
    const outgoing = takeOutgoing(
      { ...call, operation: 'fetch', lane: 'backfill' },
      limitOverridesShape.parse({}),
      { part: 1 },
    )
    for (let at = 0; at < 6; at += 1) await limits.take(outgoing)
    const caller = { source: '2001:db8::/64', tenantId: 'a}b', userId: '{' }
    const incoming = takeIncoming({ endpoint: 'signalr-negotiate', ...caller }, {}, { part: 1 })
    expect(await limits.take(incoming)).toEqual({ kind: 'allowed', delayMs: 0 })
    // A cluster answers CROSSSLOT otherwise; this one node is a cluster.
    const client = new Redis(server.url)
    expect(await client.dbsize()).toBeGreaterThanOrEqual(8)
    expect(await client.keys('limit:{out}:*')).not.toEqual([])
    client.disconnect()
  })
})
