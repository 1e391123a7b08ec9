import type { Decision } from '../../../src/rate-limit/limiter.ts'
import type { Lane } from '../../../src/rate-limit/limits.ts'
import type { Actor, Simulation } from '../simulation.ts'

const MINUTE_MS = 60_000
/** A check may wait a second inside the function; longer waits are messages. */
const LONGEST_CHECK_MS = 1_100
/** Whatever was learned alone is forgotten so long after the shared store failed for the last time. */
const SETTLED_MS = 3 * MINUTE_MS
/** A light tenant waits no longer, once all is well. It may lose a free place to others ten times in a row, hardly ever more. */
const LONGEST_WAIT_MS = 30_000
/** Calls that arrive a little earlier or later than they were allowed. */
const JITTER_CALLS = 3
/** With somebody who always wants more the quota is used up to this part; after refusals it is tried out again slowly. */
const LEAST_USE = 0.7
const LEAST_USE_AFTER_REFUSALS = 0.2
/** Who has found the shared store away does not ask it again sooner. */
const LONGEST_SILENCE_MS = 2_000
/** No word of a provider's sends anybody away for longer. */
const LONGEST_PAUSE_MS = 3_600_000

export type LimitsLaws = ReturnType<typeof limitsLaws>

interface Circumstances {
  readonly perMinute: number
  readonly partAlone: number
  /** Others use the same account: there are refusals. */
  readonly others: boolean
  /** When the world has come to rest, and when nobody wants anything any more. */
  readonly calmMs: number
  readonly endMs: number
  /** A day holds less than is wanted. */
  readonly isScarce: boolean
}

/** What has to hold of every call, and in the end. */
export function limitsLaws(sim: Simulation, circumstances: Circumstances) {
  const { perMinute, partAlone, others, calmMs, endMs, isScarce } = circumstances
  /** Whose calls were made after all had calmed down. */
  const served = new Set<string>()
  let failedMs = -Infinity
  let instances = 0
  let recent: number[] = []
  let pausedUntilMs = -Infinity
  /** Since when everybody can know of it. */
  let knownMs = -Infinity
  let calmCalls = 0
  const slept = new WeakMap<Actor, number>()
  const waiting = new Map<symbol, { readonly tenant: string; readonly sinceMs: number }>()
  const isSettled = () => sim.now() - failedMs > SETTLED_MS
  /** What the quota may be exceeded by while instances keep limits by themselves. */
  const mostPerMinute = () => {
    const alone = isSettled() ? 0 : instances * Math.max(2, perMinute * partAlone)
    return perMinute + alone + JITTER_CALLS
  }
  return {
    storeFailed: () => {
      failedMs = sim.now()
    },
    /** What the provider had said is forgotten with the rest. */
    storeEmptied: () => {
      failedMs = sim.now()
      pausedUntilMs = -Infinity
    },
    instanceBorn: () => {
      instances += 1
    },
    asked: (actor: Actor) => void slept.set(actor, 0),
    slept: (actor: Actor, ms: number) => {
      if (ms > LONGEST_CHECK_MS) {
        sim.violate(9, `${actor.name} sleeps ${Math.round(ms)} ms in a function that is billed`)
      }
    },
    wanted: (tenant: string) => {
      const key = Symbol(tenant)
      const sinceMs = sim.now()
      waiting.set(key, { tenant, sinceMs })
      return () => {
        waiting.delete(key)
        if (sim.now() >= calmMs) served.add(tenant)
        const isQuick = sim.now() - sinceMs <= LONGEST_WAIT_MS
        if (isQuick || sinceMs < calmMs || tenant === 'heavy' || others) return
        sim.violate(8, `${tenant} waited ${Math.round((sim.now() - sinceMs) / 1_000)} s for a call`)
      }
    },
    allowed: (actor: Actor, askedMs: number) => {
      if (askedMs > knownMs && sim.now() < pausedUntilMs - 1_000 && isSettled()) {
        sim.violate(8, `${actor.name} calls although the provider asked everybody to wait`)
      }
    },
    called: (accepted: boolean) => {
      recent = [...recent.filter((atMs) => atMs > sim.now() - MINUTE_MS), sim.now()]
      if (recent.length > mostPerMinute()) {
        sim.violate(8, `${recent.length} calls in a minute, and the quota is ${perMinute}`)
      }
      if (accepted && sim.now() >= calmMs && sim.now() < endMs) calmCalls += 1
    },
    /** What an instance learned while it could not tell the others binds nobody else. */
    refused: (refusedMs: number, pauseMs: number) => {
      if (failedMs > refusedMs - LONGEST_SILENCE_MS) return
      if (refusedMs + pauseMs <= pausedUntilMs) return
      pausedUntilMs = refusedMs + pauseMs
      knownMs = sim.now()
    },
    sentAway: ({ waitMs, level }: Exclude<Decision, { kind: 'allowed' }>, lane: Lane) => {
      const seconds = Math.round(waitMs / 1_000)
      if (waitMs > LONGEST_PAUSE_MS) sim.violate(9, `somebody is sent away for ${seconds} s`)
      if (level === 'day' && lane === 'person') {
        sim.violate(8, 'a person finds the day used up by a backfill')
      }
    },
    examine: () => {
      for (const { tenant, sinceMs } of waiting.values()) {
        const waitedMs = endMs - Math.max(sinceMs, calmMs)
        // Who was sent away for minutes while there was little room does not look again at once; others of its calls do.
        if (others && served.has(tenant)) continue
        if (tenant !== 'heavy' && waitedMs > LONGEST_WAIT_MS) {
          sim.violate(8, `${tenant} still waits after ${Math.round(waitedMs / 1_000)} s`)
        }
      }
      const most = (perMinute * (endMs - calmMs)) / MINUTE_MS
      const isBusy = [...waiting.values()].some(({ tenant }) => tenant === 'heavy')
      const least = most * (others ? LEAST_USE_AFTER_REFUSALS : LEAST_USE)
      if (isBusy && !isScarce && calmCalls < least) {
        sim.violate(9, `${calmCalls} of ${most} calls were made, and somebody wanted more`)
      }
    },
  }
}
