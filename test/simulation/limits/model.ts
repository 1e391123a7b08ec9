import type { Take } from '../../../src/rate-limit/bucket.ts'
import { limiter } from '../../../src/rate-limit/limiter.ts'
import type { Lane, LimitOverrides, OutgoingCall } from '../../../src/rate-limit/limits.ts'
import { localLimits } from '../../../src/rate-limit/local.ts'
import { provider, type Quota } from './provider.ts'
import { randomFrom, Timeline } from './timeline.ts'

/** What a tenant wants. */
export interface Load {
  readonly tenant: string
  readonly lane: Lane
  /** Jobs at work at once; each wants its next call as soon as one is done. */
  readonly jobs?: number
  /** Or calls at random times, so far apart on average. */
  readonly everyMs?: number
  /** Wants nothing any more from this minute on. */
  readonly untilMinute?: number
}

export interface ModelOptions extends Quota {
  readonly instances: number
  readonly loads: readonly Load[]
  readonly minutes: number
  /** The quota that the settings name, where it is not the true one. */
  readonly toldPerMinute?: number
  readonly seed: number
}

export interface TenantReport {
  calls: number
  /** Milliseconds from wanting a call until it was allowed. */
  readonly waitsMs: number[]
}

export interface ModelReport {
  readonly calls: number
  /** Calls that the provider answered 429. */
  readonly refused: number
  /** The part of the provider's quota that was used. */
  readonly utilisation: number
  /** Jain's index of the calls of those who wanted more all the time. */
  readonly fairness: number
  /** How often the limiter was asked for each call, and how many messages were sent to come back later. */
  readonly questionsPerCall: number
  readonly messagesPerCall: number
  readonly tenants: ReadonlyMap<string, TenantReport>
}

const silentLog = { info() {}, warn() {}, error() {}, metric() {} }
const MINUTE_MS = 60_000
const START = Date.parse('2026-03-01T10:00:00.000Z')
/** Not counted: everybody begins at once. */
const WARM_UP_MINUTES = 2

/**
 * Instances of the functions in front of one provider, in virtual time. They are the real limiter over one shared store;
 * around it messages take up to half a second to arrive, and calls some tenths.
 */
export async function runModel(options: ModelOptions): Promise<ModelReport> {
  const { instances, loads, minutes, perMinute, seed } = options
  const time = new Timeline(START)
  const random = randomFrom(seed)
  const vendor = provider(options)
  const store = localLimits(() => new Date(time.nowMs))
  const count = { questions: 0, messages: 0, calls: 0, refused: 0, accepted: 0 }
  const tenants = new Map<string, TenantReport>()
  const ports = {
    shared: {
      ...store,
      take: (take: Take) => {
        count.questions += 1
        return store.take(take)
      },
    },
    overrides: overridesFor(options.toldPerMinute ?? perMinute),
    partAlone: 0.1,
    clock: () => new Date(time.nowMs),
    sleep: time.sleep,
    log: silentLog,
  }
  const limiters = Array.from({ length: instances }, () => limiter(ports))
  const anInstance = () => limiters[Math.floor(random() * instances)] ?? limiter(ports)
  const endMs = START + (minutes + WARM_UP_MINUTES) * MINUTE_MS
  const counts = () => time.nowMs >= START + WARM_UP_MINUTES * MINUTE_MS

  const callOnce = async (call: OutgoingCall) => {
    const wantedAt = time.nowMs
    for (;;) {
      const instance = anInstance()
      const decision = await instance.checkRateLimit(call)
      if (decision.kind !== 'allowed') {
        count.messages += 1
        await time.sleep(decision.waitMs + random() * 500)
        continue
      }
      const report = tenants.get(call.tenantId) ?? { calls: 0, waitsMs: [] }
      tenants.set(call.tenantId, report)
      const waitMs = time.nowMs - wantedAt
      await time.sleep(5 + random() * 45)
      const answer = vendor.call(time.nowMs)
      if (counts()) {
        count.calls += 1
        count[answer.status === 200 ? 'accepted' : 'refused'] += 1
        report.calls += answer.status === 200 ? 1 : 0
        report.waitsMs.push(waitMs)
      }
      await time.sleep(50 + random() * 250)
      await instance.learnFrom(call, answer)
      if (answer.status === 200) return
    }
  }
  const work = async (load: Load, callOf: () => OutgoingCall) => {
    const until = load.untilMinute === undefined ? endMs : START + load.untilMinute * MINUTE_MS
    await time.sleep(random() * 1_000)
    while (time.nowMs < until) {
      if (load.everyMs === undefined) await callOnce(callOf())
      else {
        await time.sleep(-Math.log(1 - random()) * load.everyMs)
        void callOnce(callOf())
      }
    }
  }
  for (const load of loads) {
    for (let job = 0; job < (load.jobs ?? 1); job += 1) void work(load, () => callFrom(load))
  }
  await time.runUntil(endMs)
  const greedy = loads.filter(
    ({ everyMs, untilMinute }) => everyMs === undefined && untilMinute === undefined,
  )
  return {
    calls: count.calls,
    refused: count.refused,
    utilisation: count.accepted / (perMinute * minutes),
    fairness: jain(greedy.map(({ tenant }) => tenants.get(tenant)?.calls ?? 0)),
    questionsPerCall: count.questions / Math.max(1, count.calls),
    messagesPerCall: count.messages / Math.max(1, count.calls),
    tenants,
  }
}

function callFrom({ tenant, lane }: Load): OutgoingCall {
  return {
    integrationId: 'provider',
    operation: 'fetch',
    tenantId: tenant,
    connectionId: `conn-${tenant}`,
    lane,
  }
}

function overridesFor(perMinute: number): LimitOverrides {
  const operations = { fetch: perMinute }
  const shared = { integration: perMinute, operations, quotaOf: 'integration' } as const
  const own = { connection: perMinute, day: 100_000_000 }
  return {
    tenant: 1_000_000,
    integrations: { provider: { ...shared, ...own } },
    incoming: {},
  }
}

/** 1 when all have the same, 1/n when one has everything (Jain, Chiu and Hawe 1984). */
export function jain(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0)
  const squares = shares.reduce((total, share) => total + share * share, 0)
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares)
}

/** The value that this part of the values does not exceed. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0
}
