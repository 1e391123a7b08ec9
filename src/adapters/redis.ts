import { Redis, type Result } from 'ioredis'
import { AppError } from '../core/errors.ts'
import type { Gate, Take, Verdict } from '../rate-limit/bucket.ts'
import type { Learning, LimitStore } from '../rate-limit/ports.ts'
import { learnScript, takeScript, type LimitNumbers } from './rate-limit-scripts.ts'

declare module 'ioredis' {
  interface RedisCommander<Context> {
    takeLimits(
      keyCount: number,
      ...args: (string | number)[]
    ): Result<number | [number, number], Context>
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

/** Limits shared by all instances: one script call a decision, loaded again by ioredis when the server has lost it. */
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
  return {
    take: (take) =>
      guard(async () => {
        await ready()
        return verdictOf(
          await client.takeLimits(take.gates.length + 5, ...argumentsOf(take, stamp())),
          take,
        )
      }),
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

function argumentsOf(
  { gates, keys, tenant, cost, patienceMs, queues }: Take,
  now: string | number,
) {
  return [
    keys.learned,
    keys.queue,
    keys.sharedQueue,
    keys.share,
    keys.contenders,
    ...gates.map(({ key }) => key),
    now,
    tenant,
    cost,
    patienceMs,
    queues ? 1 : 0,
    ...gates.flatMap(gateArguments),
  ]
}

function gateArguments(gate: Gate): readonly (string | number)[] {
  return gate.kind === 'pace'
    ? ['p', gate.intervalMs, gate.allowance, (gate.shared ? 1 : 0) + (gate.learns ? 2 : 0)]
    : ['b', gate.limit, gate.part, gate.periodMs]
}

function lessonArguments({ learnedKey, budget, lesson }: Learning, now: string | number) {
  const { refused, pausedUntil, pace, day } = lesson
  return [
    learnedKey,
    budget?.key ?? learnedKey,
    now,
    refused ? 1 : 0,
    pausedUntil ?? '',
    pace?.intervalMs ?? '',
    pace?.until ?? '',
    day && budget ? day.used : '',
    day?.limit ?? '',
    budget?.periodMs ?? '',
  ]
}

const MICROSECONDS = 1_000

function verdictOf(answer: number | [number, number], { gates }: Take): Verdict {
  if (typeof answer === 'number') return { kind: 'allowed', delayMs: answer / MICROSECONDS }
  const [wait, index] = answer
  const level = index === 0 ? 'pause' : (gates[index - 1]?.level ?? 'share')
  return { kind: 'wait', waitMs: wait / MICROSECONDS, level }
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
