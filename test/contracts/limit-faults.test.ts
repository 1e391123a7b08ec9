import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRedisLimits } from '../../src/adapters/redis.ts'
import { AppError, codeOf } from '../../src/core/errors.ts'
import { sharing, type Take } from '../../src/rate-limit/bucket.ts'
import { learning } from '../../src/rate-limit/learned.ts'
import { localLimits } from '../../src/rate-limit/local.ts'
import type { LimitStore } from '../../src/rate-limit/ports.ts'
import { hasRedis, startRedisServer, type RedisServer } from '../ports/redis-server.ts'
import { startTcpHop } from '../ports/tcp-hop.ts'

// What the simulator's world `limits` does to its shared store happens to the one in Redis too, and there means the same.

const start = Date.parse('2026-03-01T10:00:00.000Z')
/** The burst of the one limit here. */
const ALLOWANCE = 4

/** How long a call waits for the server here; a busy machine is slow. */
const PATIENCE_MS = 1_500

interface Faulty extends AsyncDisposable {
  readonly store: LimitStore
  /** The next call finds the store away; the one after it finds it again. */
  readonly refuse: () => void
  /** The next call is done and its answer lost. */
  readonly loseAnswer: () => void
  /** It does what it is asked, and its answers are late, until it is told to give them. */
  readonly delay: () => { readonly end: () => void }
  /** Everything is forgotten. */
  readonly flush: () => Promise<void>
  /** Whoever asks next asks an empty replica. */
  readonly failOver: () => Promise<void>
}

let servers: readonly RedisServer[] = []
beforeAll(async () => {
  if (hasRedis) servers = await Promise.all([startRedisServer(), startRedisServer()])
})
afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]()
})

async function flush({ url }: RedisServer): Promise<void> {
  const client = new Redis(url)
  await client.flushall()
  client.disconnect()
}

const implementations: Readonly<Record<string, () => Promise<Faulty>>> = {
  'in the process': async () => {
    const fresh = () => localLimits(() => new Date(start))
    let store = fresh()
    let [refuses, loses, isLate] = [false, false, false]
    const away = () => new AppError('limits_unavailable', 'no answer')
    const through = async <R>(work: () => Promise<R>): Promise<R> => {
      const [refused, lost] = [refuses, loses]
      ;[refuses, loses] = [false, false]
      if (refused) throw away()
      const result = await work()
      if (lost || isLate) throw away()
      return result
    }
    return {
      store: {
        take: (take) => through(() => store.take(take)),
        learn: (lesson) => through(() => store.learn(lesson)),
      },
      refuse: () => {
        refuses = true
      },
      loseAnswer: () => {
        loses = true
      },
      delay: () => {
        isLate = true
        return {
          end: () => {
            isLate = false
          },
        }
      },
      flush: async () => {
        store = fresh()
      },
      failOver: async () => {
        store = fresh()
      },
      [Symbol.asyncDispose]: async () => {},
    }
  },
  'in Redis': async () => {
    const [first, second] = servers
    if (!first || !second) throw new Error('two servers were started')
    for (const server of servers) await flush(server)
    const hop = await startTcpHop(first.port)
    const store = openRedisLimits({
      url: `redis://127.0.0.1:${hop.port}`,
      numbers: { sharing, learning },
      patienceMs: PATIENCE_MS,
      now: () => start,
    })
    let state: 'whole' | 'struck' | 'broken' = 'whole'
    const isThere = () =>
      expect.poll(() => failureOf(store.ping()), { timeout: 10_000 }).toBeUndefined()
    /** A lost connection is made anew a second later: calls in between say so at once. */
    const through = async <R>(work: () => Promise<R>): Promise<R> => {
      if (state === 'broken') {
        hop.mode('pass')
        await isThere()
      }
      state = state === 'struck' ? 'broken' : 'whole'
      return work()
    }
    const strike = (mode: 'refuse' | 'lose') => {
      hop.mode(mode)
      state = 'struck'
    }
    await isThere()
    return {
      store: {
        take: (take) => through(() => store.take(take)),
        learn: (lesson) => through(() => store.learn(lesson)),
      },
      refuse: () => strike('refuse'),
      loseAnswer: () => strike('lose'),
      delay: () => {
        hop.mode('hold')
        return { end: () => hop.mode('pass') }
      },
      flush: () => flush(first),
      failOver: async () => {
        hop.moveTo(second.port)
        state = 'broken'
      },
      [Symbol.asyncDispose]: async () => {
        store[Symbol.dispose]()
        await hop[Symbol.asyncDispose]()
      },
    }
  },
}

async function failureOf(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => codeOf(error),
  )
}

const key = (name: string) => `limit:{faults}:${name}`
const call: Take = {
  gates: [
    {
      kind: 'pace',
      level: 'connection',
      key: key('connection'),
      intervalMs: 60_000,
      allowance: ALLOWANCE,
      shared: false,
      learns: true,
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

/** How many more calls are let through now. */
async function left(store: LimitStore): Promise<number> {
  let count = 0
  for (let at = 0; at < 2 * ALLOWANCE; at += 1) {
    if ((await store.take(call)).kind === 'allowed') count += 1
  }
  return count
}

const pauseMs = 30_000
const paused = (store: LimitStore) =>
  store.learn({
    learnedKey: key('l'),
    lesson: { refused: true, pauseMs },
  })

const available = Object.keys(implementations).filter((name) => hasRedis || name !== 'in Redis')

describe.for(available)('limits kept %s', (name) => {
  const open = async () => {
    const opened = await implementations[name]?.()
    if (!opened) throw new Error('unknown implementation')
    return opened
  }

  test('that are away have taken nothing', async () => {
    await using here = await open()
    here.refuse()
    expect(await failureOf(here.store.take(call))).toBe('limits_unavailable')
    expect(await left(here.store)).toBe(ALLOWANCE)
  })

  test('that are away have learned nothing', async () => {
    await using here = await open()
    here.refuse()
    expect(await failureOf(paused(here.store))).toBe('limits_unavailable')
    expect(await left(here.store)).toBe(ALLOWANCE)
  })

  test('that lose an answer have taken once: a call less goes through, never one more', async () => {
    await using here = await open()
    here.loseAnswer()
    expect(await failureOf(here.store.take(call))).toBe('limits_unavailable')
    expect(await left(here.store)).toBe(ALLOWANCE - 1)
  })

  test('that lose the answer to a lesson have learned it', async () => {
    await using here = await open()
    here.loseAnswer()
    expect(await failureOf(paused(here.store))).toBe('limits_unavailable')
    expect(await here.store.take(call)).toEqual({ kind: 'wait', waitMs: pauseMs, level: 'pause' })
  })

  test('that answer too late have taken, and no later call gets the late answer', async () => {
    await using here = await open()
    const late = here.delay()
    const codes = [1, 2].map(() => failureOf(here.store.take(call)))
    expect(await Promise.all(codes)).toEqual(['limits_unavailable', 'limits_unavailable'])
    late.end()
    expect(await left(here.store)).toBe(ALLOWANCE - 2)
    expect((await here.store.take(call)).kind).toBe('wait')
  })

  test.for(['flush', 'failOver'] as const)(
    'that have forgotten everything (%s) begin anew: one burst more, and no pause',
    async (how) => {
      await using here = await open()
      expect(await left(here.store)).toBe(ALLOWANCE)
      await paused(here.store)
      await here[how]()
      expect(await left(here.store)).toBe(ALLOWANCE)
      expect(await here.store.take(call)).toMatchObject({ kind: 'wait', level: 'connection' })
    },
  )
})
