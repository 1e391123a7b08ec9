import type { Answer } from '../../../src/rate-limit/refusals.ts'

const MINUTE_MS = 60_000

export interface Quota {
  readonly perMinute: number
  /** Counted by the minutes of the provider's clock, or in any sixty seconds. */
  readonly window: 'fixed' | 'sliding'
}

/** A provider that counts calls, and refuses those above its quota. */
export function provider({ perMinute, window }: Quota) {
  /** When the calls of the last minute came, oldest first. */
  let recent: number[] = []
  let minute = 0
  const used = (nowMs: number) => {
    const start = window === 'fixed' ? Math.floor(nowMs / MINUTE_MS) * MINUTE_MS : nowMs - MINUTE_MS
    if (start > minute) {
      minute = start
      const first = recent.findIndex((at) => (window === 'fixed' ? at >= start : at > start))
      recent = first === -1 ? [] : recent.slice(first)
    }
    return recent.length
  }
  return {
    call: (nowMs: number): Answer => {
      if (used(nowMs) >= perMinute) {
        const freeMs = (window === 'fixed' ? minute : (recent[0] ?? nowMs)) + MINUTE_MS - nowMs
        const headers = new Headers({ 'retry-after': String(Math.ceil(freeMs / 1_000)) })
        return { status: 429, headers }
      }
      recent.push(nowMs)
      return { status: 200, headers: new Headers() }
    },
  }
}
