import { Redis, type Result } from 'ioredis'
import { AppError } from '../core/errors.ts'
import type { Gate, Take, Verdict } from '../rate-limit/bucket.ts'
import type { Learning, LimitStore } from '../rate-limit/ports.ts'
import { learnScript, takeScript, type LimitNumbers } from './rate-limit-scripts.ts'

declare module 'ioredis' {
  interface RedisCommander<Context> {
    takeLimits(keyCount: number, ...args: (string | number)[]): Result<number[], Context>
    learnLimits(keyCount: number, ...args: (string | number)[]): Result<number, Context>
  }
}

export interface RedisLimitsOptions {
  readonly url: string
  readonly numbers: LimitNumbers
  /** How long a call waits for the server at most. Default 50 ms. */
  readonly patienceMs?: number
  /** Milliseconds since the epoch, for tests; the server's own time without it. */
  readonly now?: () => number
}

export interface RedisLimits extends LimitStore, Disposable {
  /** Throws `limits_unavailable`. */
  ping(): Promise<void>
}

/** A limiter that hangs must not cost more than the call that it is asked for. */
const PATIENCE_MS = 50
const CONNECT_TIMEOUT_MS = 2_000
const RECONNECT_MS = 1_000

/** Limits shared by all instances: all decisions of a moment in one script call, loaded again by ioredis when the server has lost it. */
export function openRedisLimits(options: RedisLimitsOptions): RedisLimits {
  const { url, numbers, patienceMs = PATIENCE_MS, now } = options
  const client = new Redis(url, {
    lazyConnect: true,
    // A call that meets no connection fails at once instead of waiting for one.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: patienceMs,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: () => RECONNECT_MS,
  })
  // ioredis reports every lost connection here; each call that suffers from it says so itself.
  client.on('error', () => {})
  client.defineCommand('takeLimits', { lua: takeScript(numbers) })
  client.defineCommand('learnLimits', { lua: learnScript(numbers) })
  const stamp = () => now?.() ?? ''
  const ready = connection(client, patienceMs)
  const takeAll = (takes: readonly Take[]) =>
    guard(async () => {
      await ready()
      const { keys, calls } = batchOf(takes)
      return client.takeLimits(keys.length, ...keys, stamp(), calls)
    })
  return {
    take: batched(takeAll),
    learn: (learning) =>
      guard(async () => {
        await ready()
        await client.learnLimits(2, ...lessonArguments(learning, stamp()))
      }),
    ping: () =>
      guard(async () => {
        await ready()
        await client.ping()
      }),
    [Symbol.dispose]: () => client.disconnect(),
  }
}

/** Connects at the first call, which waits no longer than any other; those who come meanwhile wait with it. */
function connection(client: Redis, patienceMs: number): () => Promise<void> {
  let waiting: Promise<void> | undefined
  return async () => {
    if (client.status === 'ready') return
    if (client.status === 'wait') client.connect().catch(() => {})
    waiting ??= readyWithin(client, patienceMs).finally(() => {
      waiting = undefined
    })
    await waiting
  }
}

function readyWithin(client: Redis, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(() => {
      client.off('ready', done)
      reject(new Error(`no connection within ${ms} ms`))
    }, ms)
    client.once('ready', done)
  })
}

/** The keys and gates of a batch, each once, and its calls, which name them by their places; 0 is a key that a call leaves alone. */
function batchOf(takes: readonly Take[]) {
  const keyPlaces = new Map<string, number>()
  const gatePlaces = new Map<string, number>()
  const calls = takes.map(({ gates, keys, tenant, cost, patienceMs, queues }) => {
    const shares = tenant !== ''
    return [
      tenant,
      cost,
      patienceMs,
      queues ? 1 : 0,
      placeOf(keyPlaces, keys.learned),
      queues ? placeOf(keyPlaces, keys.queue) : 0,
      queues ? placeOf(keyPlaces, keys.sharedQueue) : 0,
      shares ? placeOf(keyPlaces, keys.share) : 0,
      shares ? placeOf(keyPlaces, keys.contenders) : 0,
      ...gates.map((gate) =>
        placeOf(gatePlaces, `[${placeOf(keyPlaces, gate.key)},${numbersOf(gate).join()}]`),
      ),
    ]
  })
  const gates = [...gatePlaces.keys()].join()
  return { keys: [...keyPlaces.keys()], calls: `[[${gates}],${JSON.stringify(calls)}]` }
}

/** From 1, as Lua counts. */
function placeOf(places: Map<string, number>, name: string): number {
  const place = places.get(name) ?? places.size + 1
  places.set(name, place)
  return place
}

function numbersOf(gate: Gate): readonly number[] {
  return gate.kind === 'pace'
    ? [gate.intervalMs, gate.allowance, gate.shared ? 1 : 0, gate.learns ? 1 : 0]
    : [gate.limit, gate.part, gate.periodMs]
}

function lessonArguments({ learnedKey, budget, lesson }: Learning, now: string | number) {
  const { refused, pauseMs, pace, day } = lesson
  return [
    learnedKey,
    budget?.key ?? learnedKey,
    now,
    refused ? 1 : 0,
    pauseMs ?? '',
    pace?.intervalMs ?? '',
    pace?.forMs ?? '',
    day && budget ? day.used : '',
    day?.limit ?? '',
    budget?.periodMs ?? '',
  ]
}

const MICROSECONDS = 1_000
const ALLOWED = -2
const PAUSE = 0

function verdictOf(micros: number, what: number, { gates }: Take): Verdict {
  const ms = micros / MICROSECONDS
  if (what === ALLOWED) return { kind: 'allowed', delayMs: ms }
  const level = what === PAUSE ? 'pause' : (gates[what - 1]?.level ?? 'share')
  return { kind: 'wait', waitMs: ms, level }
}

/**
 * What is asked together goes to the server together, up to so many calls: at once while the server is idle, else what one
 * turn of the event loop brings.
 */
const BATCH_SIZE = 64

interface Asked {
  readonly take: Take
  readonly resolve: (verdict: Verdict) => void
  readonly reject: (error: unknown) => void
}

function batched(decideAll: (takes: readonly Take[]) => Promise<readonly number[]>) {
  let asked: Asked[] = []
  let underWay = 0
  const flush = async (batch: readonly Asked[]) => {
    underWay += 1
    try {
      const answers = await decideAll(batch.map(({ take }) => take))
      for (const [index, { take, resolve }] of batch.entries()) {
        resolve(verdictOf(answers[index * 2] ?? 0, answers[index * 2 + 1] ?? PAUSE, take))
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      underWay -= 1
    }
  }
  const flushAll = () => {
    const all = asked
    asked = []
    for (let start = 0; start < all.length; start += BATCH_SIZE) {
      void flush(all.slice(start, start + BATCH_SIZE))
    }
  }
  return (take: Take): Promise<Verdict> =>
    new Promise((resolve, reject) => {
      if (asked.length === 0 && underWay === 0) process.nextTick(flushAll)
      else if (asked.length === 0) setImmediate(flushAll)
      asked.push({ take, resolve, reject })
    })
}

async function guard<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work()
  } catch (cause) {
    throw new AppError('limits_unavailable', 'Redis did not answer in time or refused the work', {
      cause,
    })
  }
}
