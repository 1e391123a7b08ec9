import { codeOf, explain } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import { SECOND_MS, type Clock } from '../core/time.ts'
import { blockwise } from './blocks.ts'
import type { Take, Verdict } from './bucket.ts'
import type { Share } from './gates.ts'
import { lessonOf, readHint, toldAt } from './hints.ts'
import { takeIncoming, type IncomingCall } from './incoming.ts'
import { learnedFrom, takeOutgoing, type LimitOverrides, type OutgoingCall } from './limits.ts'
import { localLimits } from './local.ts'
import type { Learning, LimitStore } from './ports.ts'
import type { Answer } from './refusals.ts'

/** `level` is the limit that stands in the way, `waitMs` how long until asking again makes sense. */
export type Decision =
  | { readonly kind: 'allowed' }
  /** The work goes into a later message. */
  | { readonly kind: 'queued'; readonly waitMs: number; readonly level: string }
  /** Somebody waits for the answer: tell them. */
  | { readonly kind: 'denied'; readonly waitMs: number; readonly level: string }

export interface Limiter {
  /** Before each call to a vendor. Takes at most a second. */
  readonly checkRateLimit: (call: OutgoingCall) => Promise<Decision>
  /** After each call to a vendor. */
  readonly learnFrom: (call: OutgoingCall, answer: Answer) => Promise<void>
  /** Before anything expensive is done for a call from outside. */
  readonly admit: (call: IncomingCall) => Promise<Decision>
}

export interface LimiterPorts {
  /** Shared by all processes; without it each keeps its own limits, and there should be one. */
  readonly shared: LimitStore | undefined
  readonly overrides: LimitOverrides
  /** What of each limit a process allows itself while the shared store is away, in (0, 1]. */
  readonly partAlone: number
  readonly clock: Clock
  readonly sleep: (ms: number) => Promise<void>
  readonly log: Log
}

/** A function that waits is billed: longer waits become messages. */
const PATIENCE_MS = SECOND_MS
/** What a wait is counted as at least, so that a call asks only a few times. */
const LEAST_SLEEP_MS = SECOND_MS / 4
/** How long the shared store is left alone after it failed: then one call tries it again. */
const RETRY_MS = SECOND_MS

export function limiter(ports: LimiterPorts): Limiter {
  const { clock, sleep, log, overrides } = ports
  const store = resilient(ports)
  const takeAhead = blockwise({ take: (compose) => store.take(compose), clock })
  const takeWithin = (patienceMs: number, compose: (share: Share) => Take) =>
    store.take((share) => ({ ...compose(share), patienceMs }))
  const takePatiently = async (compose: (share: Share) => Take): Promise<Verdict> => {
    let patienceMs = PATIENCE_MS
    for (;;) {
      const verdict = await takeWithin(patienceMs, compose)
      const ms = verdict.kind === 'allowed' ? verdict.delayMs : verdict.waitMs
      if (verdict.kind === 'wait' && ms >= patienceMs) return verdict
      const sleepMs = Math.ceil(ms)
      if (sleepMs > 0) await sleep(sleepMs)
      if (verdict.kind === 'allowed') return verdict
      patienceMs = Math.max(0, patienceMs - Math.max(LEAST_SLEEP_MS, sleepMs))
    }
  }
  return {
    checkRateLimit: async (call) => {
      const verdict = await takePatiently((share) => takeOutgoing(call, overrides, share))
      if (verdict.kind === 'allowed') return { kind: 'allowed' }
      const { level, waitMs } = verdict
      const kind = call.lane === 'person' ? 'denied' : 'queued'
      log.metric(`rate_limit_${kind}`, 1, { level, integrationId: call.integrationId })
      return { kind, level, waitMs: Math.ceil(waitMs) }
    },
    learnFrom: async (call, answer) => {
      const here = clock()
      const now = toldAt(answer, here) ?? here
      const lesson = lessonOf(readHint(answer, now), now)
      const { refused, pauseMs, pace, day } = lesson
      if (refused) log.metric('rate_limit_refused', 1, { integrationId: call.integrationId })
      if (!refused && pauseMs === undefined && !pace && !day) return
      await store.learn({ ...learnedFrom(call, overrides), lesson })
    },
    admit: async (call) => {
      const verdict = await takeAhead((share) => takeIncoming(call, overrides.incoming, share))
      if (verdict.kind === 'allowed') return { kind: 'allowed' }
      const { level, waitMs } = verdict
      log.metric('rate_limit_denied', 1, { level, endpoint: call.endpoint })
      return { kind: 'denied', level, waitMs: Math.ceil(waitMs) }
    },
  }
}

/** Whoever has to wait for a part of the limits looks again so soon: the whole of them may be back by then. */
const LONGEST_ALONE_MS = 30_000

/** A pause is the vendor's word and holds whoever keeps the limits. */
function untilBack(verdict: Verdict): Verdict {
  if (verdict.kind === 'allowed' || verdict.level === 'pause') return verdict
  return { ...verdict, waitMs: Math.min(verdict.waitMs, LONGEST_ALONE_MS) }
}

interface ResilientStore {
  take(compose: (share: Share) => Take): Promise<Verdict>
  learn(learning: Learning): Promise<void>
}

const WHOLE: Share = { part: 1 }

/** Falls back on limits of this process, much smaller ones, while the shared ones are out of reach. */
function resilient({ shared, partAlone, clock, log }: LimiterPorts): ResilientStore {
  const local = localLimits(clock)
  let triedAt: number | undefined
  const mayTry = () => {
    if (triedAt === undefined) return true
    const nowMs = clock().getTime()
    if (nowMs < triedAt + RETRY_MS) return false
    triedAt = nowMs
    return true
  }
  const ask = async <T>(work: (store: LimitStore) => Promise<T>): Promise<T | undefined> => {
    if (!shared || !mayTry()) return undefined
    try {
      const result = await work(shared)
      if (triedAt !== undefined) log.info('the shared limits are back')
      triedAt = undefined
      return result
    } catch (error) {
      if (codeOf(error) !== 'limits_unavailable') throw error
      if (triedAt === undefined) {
        log.warn(`each process keeps a part of the limits by itself: ${explain(error)}`, {
          partAlone,
        })
      }
      triedAt = clock().getTime()
      return undefined
    }
  }
  return {
    take: async (compose) => {
      if (!shared) return local.take(compose(WHOLE))
      const verdict = await ask((store) => store.take(compose(WHOLE)))
      if (verdict) return verdict
      log.metric('rate_limit_fallback', 1)
      return untilBack(await local.take(compose({ part: partAlone })))
    },
    learn: async (learning) => {
      // Known here as well: a pause must hold when the shared store is gone.
      await local.learn(learning)
      await ask((store) => store.learn(learning).then(() => true))
    },
  }
}
