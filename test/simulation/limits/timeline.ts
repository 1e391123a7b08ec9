import { setImmediate as turn } from 'node:timers/promises'

/** A number in [0, 1) that follows from the seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Event {
  readonly at: number
  readonly run: () => void
}

/** Virtual time: sleepers wake in the order of their times, one after the other, and nobody really waits. */
export class Timeline {
  nowMs: number
  readonly #heap: Event[] = []

  constructor(startMs: number) {
    this.nowMs = startMs
  }

  readonly sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      this.#push({ at: this.nowMs + Math.max(0, ms), run: resolve })
    })

  /** Runs everything that is due until then. */
  async runUntil(endMs: number): Promise<void> {
    for (;;) {
      await turn()
      const event = this.#heap[0]
      if (!event || event.at > endMs) break
      this.#pop()
      this.nowMs = event.at
      event.run()
    }
    this.nowMs = endMs
  }

  #push(event: Event): void {
    const heap = this.#heap
    heap.push(event)
    for (let child = heap.length - 1; child > 0;) {
      const parent = (child - 1) >> 1
      if (!this.#isEarlier(child, parent)) return
      this.#swap(child, parent)
      child = parent
    }
  }

  #pop(): void {
    const last = this.#heap.pop()
    if (this.#heap.length === 0 || !last) return
    this.#heap[0] = last
    for (let parent = 0; ;) {
      const [left, right] = [parent * 2 + 1, parent * 2 + 2]
      const least = this.#isEarlier(right, left) ? right : left
      if (!this.#isEarlier(least, parent)) return
      this.#swap(least, parent)
      parent = least
    }
  }

  #isEarlier(a: number, b: number): boolean {
    return (this.#heap[a]?.at ?? Infinity) < (this.#heap[b]?.at ?? Infinity)
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#heap[a], this.#heap[b]]
    if (!first || !second) return
    this.#heap[a] = second
    this.#heap[b] = first
  }
}
