import { z } from 'zod'
import { MINUTE_MS } from '../core/time.ts'
import type { PaceGate } from './bucket.ts'

export const perMinute = z.number().int().min(1).max(1_000_000)

/** The part of every limit that a process may use by itself while it cannot ask the others, in (0, 1]. */
export interface Share {
  readonly part: number
}

/** Of a limit so much may come at once; the pace is as much slower, so that no minute ever sees more than the limit. */
const BURST_PART = 0.025
const LEAST_BURST = 4

/** A gate that lets at most `limit` calls through in any minute, whenever it begins. */
export function paceGate(
  gate: Pick<PaceGate, 'level' | 'key' | 'shared' | 'learns'>,
  { limit, part, burst = BURST_PART }: { limit: number; part: number; burst?: number },
): PaceGate {
  const most = Math.max(LEAST_BURST, Math.ceil(limit * burst))
  const calls = Math.max(1, Math.min(most, Math.floor(limit / 2)))
  return {
    kind: 'pace',
    ...gate,
    intervalMs: MINUTE_MS / (limit - calls + 1),
    allowance: Math.max(1, calls * part),
  }
}

/** No part can pretend to be another's: everything but letters, digits and a few signs is escaped, and half characters go. */
export function key(tag: 'in' | 'out', ...parts: readonly string[]): string {
  return `limit:{${tag}}:${parts.map((part) => encodeURIComponent(part.toWellFormed())).join(':')}`
}
