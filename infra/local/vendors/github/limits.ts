const HOUR_MS = 3_600_000
const DEFAULT_LIMIT = 5_000

/** The primary limit: so many calls an hour (facts E). */
export class Limits {
  limit = DEFAULT_LIMIT
  readonly #now: () => number
  #resetMs = 0
  #used = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** Counts a call; false when nothing was left. */
  count(): boolean {
    if (this.#now() >= this.#resetMs) {
      this.#resetMs = Math.ceil(this.#now() / 1000) * 1000 + HOUR_MS
      this.#used = 0
    }
    if (this.#used >= this.limit) return false
    this.#used += 1
    return true
  }

  /** An answer 304 does not count. */
  giveBack(): void {
    this.#used -= 1
  }

  headers(): Readonly<Record<string, string>> {
    return {
      'x-ratelimit-limit': String(this.limit),
      'x-ratelimit-remaining': String(Math.max(0, this.limit - this.#used)),
      'x-ratelimit-used': String(this.#used),
      'x-ratelimit-reset': String(this.#resetMs / 1000),
      'x-ratelimit-resource': 'core',
    }
  }
}
