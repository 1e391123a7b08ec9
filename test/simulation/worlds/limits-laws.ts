import type { Actor, Simulation } from '../simulation.ts'
import { START_MS } from '../world.ts'

const MINUTE_MS = 60_000
/** A check may wait a second inside the function; longer waits are messages. */
const LONGEST_CHECK_MS = 1_100
/** Whatever was learned alone is forgotten so long after the shared store failed for the last time. */
const SETTLED_MS = 3 * MINUTE_MS
/** A light tenant waits no longer, once all is well. It may lose a free place to others ten times in a row, hardly ever more. */
const LONGEST_WAIT_MS = 30_000
/** Calls that arrive a little earlier or later than they were allowed. */
const JITTER_CALLS = 3
/** When the world has come to rest, and the middle of that rest. */
const CALM_MS = START_MS + 7 * MINUTE_MS
const END_MS = START_MS + 9 * MINUTE_MS
/** With somebody who always wants more the quota is used up to this part. */
const LEAST_USE = 0.7

export type LimitsLaws = ReturnType<typeof limitsLaws>

/** What has to hold of every call, and in the end. */
export function limitsLaws(
  sim: Simulation,
  { perMinute, partAlone }: { readonly perMinute: number; readonly partAlone: number },
) {
  let failedMs = -Infinity
  let instances = 0
  let recent: number[] = []
  let pausedUntilMs = -Infinity
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
        if (sim.now() - sinceMs <= LONGEST_WAIT_MS || sinceMs < CALM_MS || tenant === 'heavy')
          return
        sim.violate(8, `${tenant} waited ${Math.round((sim.now() - sinceMs) / 1_000)} s for a call`)
      }
    },
    allowed: (actor: Actor) => {
      if (sim.now() < pausedUntilMs - 1_000 && isSettled()) {
        sim.violate(8, `${actor.name} calls although the provider asked everybody to wait`)
      }
    },
    called: (accepted: boolean) => {
      recent = [...recent.filter((atMs) => atMs > sim.now() - MINUTE_MS), sim.now()]
      if (recent.length > mostPerMinute()) {
        sim.violate(8, `${recent.length} calls in a minute, and the quota is ${perMinute}`)
      }
      if (accepted && sim.now() >= CALM_MS) calmCalls += 1
    },
    refused: (seconds: number) => {
      pausedUntilMs = Math.max(pausedUntilMs, sim.now() + seconds * 1_000)
    },
    examine: () => {
      for (const { tenant, sinceMs } of waiting.values()) {
        const waitedMs = sim.now() - Math.max(sinceMs, CALM_MS)
        if (tenant !== 'heavy' && waitedMs > LONGEST_WAIT_MS) {
          sim.violate(8, `${tenant} still waits after ${Math.round(waitedMs / 1_000)} s`)
        }
      }
      const most = (perMinute * (END_MS - CALM_MS)) / MINUTE_MS
      const isBusy = [...waiting.values()].some(({ tenant }) => tenant === 'heavy')
      if (isBusy && calmCalls < most * LEAST_USE) {
        sim.violate(9, `${calmCalls} of ${most} calls were made, and somebody wanted more`)
      }
    },
  }
}
