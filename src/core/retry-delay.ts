export interface Backoff {
  /** The first delay's ceiling. */
  readonly baseMs: number
  /** No delay is longer. */
  readonly capMs: number
}

/**
 * Exponential back-off with full jitter: anything from half a step to the whole step, the step doubling with every
 * attempt. `attempt` counts from 1; `random` is in [0, 1).
 */
export function retryDelayMs(attempt: number, random: number, { baseMs, capMs }: Backoff): number {
  const step = Math.min(capMs, baseMs * 2 ** Math.max(0, attempt - 1))
  return Math.round(step / 2 + (step / 2) * random)
}
