import type { LocalResponse } from '../../http-server.ts'
import { failure } from './answers.ts'

const HOUR_MS = 3_600_000
const WINDOW_HOURS = 24
const DEFAULT_LIMIT = 100_000

/** The daily quota, which rolls by the hour (facts B2, `Sforce-Limit-Info`). */
export class Usage {
  limit = DEFAULT_LIMIT
  readonly #now: () => number
  readonly #hours = new Map<number, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** Counts a call; false when the quota was used up before it. */
  count(): boolean {
    if (this.#used() >= this.limit) return false
    const hour = this.#hour()
    this.#hours.set(hour, (this.#hours.get(hour) ?? 0) + 1)
    return true
  }

  refusal(): LocalResponse {
    return failure(403, 'REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.')
  }

  headers(): Readonly<Record<string, string>> {
    return { 'Sforce-Limit-Info': `api-usage=${this.#used()}/${this.limit}` }
  }

  #hour(): number {
    return Math.floor(this.#now() / HOUR_MS)
  }

  #used(): number {
    const first = this.#hour() - WINDOW_HOURS
    for (const hour of this.#hours.keys()) if (hour <= first) this.#hours.delete(hour)
    return [...this.#hours.values()].reduce((sum, calls) => sum + calls, 0)
  }
}
