/** A callback armed on a virtual clock; calling it disarms the callback. */
export type Disarm = () => void

interface Timer {
  readonly dueMs: number
  readonly callback: () => void
}

/**
 * Real time plus an offset that tests push forward. Callbacks are due in virtual time, so stepping the clock by an hour
 * runs everything that falls due within it, in order, without waiting.
 */
export class VirtualClock implements Disposable {
  #offsetMs = 0
  #handle: NodeJS.Timeout | undefined
  readonly #timers = new Set<Timer>()

  /** Milliseconds since the epoch. */
  now(): number {
    return Date.now() + this.#offsetMs
  }

  /** Calls back once the clock has reached `dueMs` (milliseconds since the epoch). Never keeps the process alive. */
  at(dueMs: number, callback: () => void): Disarm {
    const timer = { dueMs, callback }
    this.#timers.add(timer)
    this.#arm()
    return () => this.#timers.delete(timer)
  }

  /** Steps the clock; whatever falls due on the way has run when it returns. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`a clock is stepped forward by milliseconds, not by ${ms}`)
    const target = this.now() + ms
    for (let next = this.#next(); next && next.dueMs <= target; next = this.#next()) {
      this.#offsetMs += Math.max(0, next.dueMs - this.now())
      this.#run(next)
    }
    this.#offsetMs += Math.max(0, target - this.now())
    this.#arm()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#handle)
    this.#timers.clear()
  }

  #next(): Timer | undefined {
    let earliest: Timer | undefined
    for (const timer of this.#timers) {
      if (!earliest || timer.dueMs < earliest.dueMs) earliest = timer
    }
    return earliest
  }

  #run(timer: Timer): void {
    this.#timers.delete(timer)
    timer.callback()
  }

  #arm(): void {
    clearTimeout(this.#handle)
    const next = this.#next()
    if (!next) return
    const waitMs = Math.min(Math.max(0, next.dueMs - this.now()), MAX_TIMEOUT_MS)
    this.#handle = setTimeout(() => {
      for (let due = this.#next(); due && due.dueMs <= this.now(); due = this.#next())
        this.#run(due)
      this.#arm()
    }, waitMs)
    this.#handle.unref()
  }
}

/** setTimeout takes at most a signed 32-bit number of milliseconds; a later timer is armed again on the way. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1
