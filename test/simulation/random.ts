/** A reproducible source of chance (mulberry32). */
export interface Chance {
  /** In [0, 1). */
  next(): number
  below(count: number): number
  is(probability: number): boolean
  pick<T>(items: readonly T[]): T | undefined
}

export function chanceOf(seed: number): Chance {
  let state = seed >>> 0
  return chanceFrom(() => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  })
}

export function chanceFrom(next: () => number): Chance {
  return {
    next,
    below: (count) => Math.floor(next() * count),
    is: (probability) => next() < probability,
    pick: (items) => items[Math.floor(next() * items.length)],
  }
}
