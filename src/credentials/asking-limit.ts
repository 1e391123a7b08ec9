import { MINUTE_MS, type Clock } from '../core/time.ts'

/** A phone asks when its token has ended: twice an hour. */
const CALLS = 30
const WINDOW_MS = MINUTE_MS
/** Keys kept; the oldest window goes first. */
const MAX_KEYS = 10_000

/**
 * Counts calls in windows of a minute, in this process. Answers the milliseconds that a key has to wait, or undefined when
 * it may go on.
 */
export function askingLimit(clock: Clock): (key: string) => number | undefined {
  const windows = new Map<string, { readonly endsAt: number; readonly calls: number }>()
  return (key) => {
    const now = clock().getTime()
    const found = windows.get(key)
    const window = found && found.endsAt > now ? found : { endsAt: now + WINDOW_MS, calls: 0 }
    if (window.calls >= CALLS) return window.endsAt - now
    windows.delete(key)
    windows.set(key, { ...window, calls: window.calls + 1 })
    const oldest = windows.keys().next().value
    if (windows.size > MAX_KEYS && oldest !== undefined) windows.delete(oldest)
    return undefined
  }
}
