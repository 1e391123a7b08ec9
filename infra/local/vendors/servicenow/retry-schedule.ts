import type { VirtualClock } from '../../clock.ts'

/**
 * Jobs that wait for their next attempt. All of one attempt wait equally long, so each attempt has a queue in due order,
 * and the clock holds one timer however many jobs wait.
 */
export class RetrySchedule<Job> implements Disposable {
  readonly #clock: VirtualClock
  readonly #waits: readonly number[]
  readonly #run: (job: Job) => void
  readonly #queues: { readonly dueMs: number; readonly job: Job }[][]
  #disarm: (() => void) | undefined
  #size = 0

  /** `waits`: milliseconds before the second, third, … attempt. */
  constructor(clock: VirtualClock, waits: readonly number[], run: (job: Job) => void) {
    this.#clock = clock
    this.#waits = waits
    this.#run = run
    this.#queues = waits.map(() => [])
  }

  get size(): number {
    return this.#size
  }

  /** Whether there is another attempt after this one; if so the job waits for it. */
  add(job: Job, attempt: number): boolean {
    const waitMs = this.#waits[attempt - 1]
    const queue = this.#queues[attempt - 1]
    if (waitMs === undefined || !queue) return false
    queue.push({ dueMs: this.#clock.now() + waitMs, job })
    this.#size += 1
    if (queue.length === 1) this.#arm()
    return true
  }

  [Symbol.dispose](): void {
    this.#disarm?.()
    for (const queue of this.#queues) queue.length = 0
    this.#size = 0
  }

  #arm(): void {
    this.#disarm?.()
    const heads = this.#queues.flatMap(([head]) => (head ? [head.dueMs] : []))
    this.#disarm =
      heads.length === 0 ? undefined : this.#clock.at(Math.min(...heads), () => this.#release())
  }

  #release(): void {
    for (const queue of this.#queues) {
      const later = queue.findIndex(({ dueMs }) => dueMs > this.#clock.now())
      const due = queue.splice(0, later < 0 ? queue.length : later)
      this.#size -= due.length
      for (const { job } of due) this.#run(job)
    }
    this.#arm()
  }
}
