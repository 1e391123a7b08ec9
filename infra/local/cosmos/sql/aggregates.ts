import { finite } from './operators.ts'
import { compare, typeRank } from './value.ts'

/** Takes the values of a group one by one, and then says the result. */
export interface Accumulator {
  readonly add: (value: unknown) => void
  readonly result: () => unknown
}

/** Undefined is never counted. A value that cannot be summed makes the whole result undefined. */
const AGGREGATES: ReadonlyMap<string, () => Accumulator> = new Map([
  ['COUNT', count],
  ['SUM', () => sum((total) => total)],
  ['AVG', () => sum((total, counted) => (counted === 0 ? undefined : total / counted))],
  ['MIN', () => extreme((order) => order < 0)],
  ['MAX', () => extreme((order) => order > 0)],
])

export function isAggregate(name: string): boolean {
  return AGGREGATES.has(name)
}

export function accumulator(name: string): Accumulator {
  const start = AGGREGATES.get(name)
  if (start === undefined) throw new TypeError(`${name} is no aggregate`)
  return start()
}

function count(): Accumulator {
  let counted = 0
  return {
    add: (value) => {
      if (value !== undefined) counted += 1
    },
    result: () => counted,
  }
}

function sum(finish: (total: number, counted: number) => number | undefined): Accumulator {
  let total: number | undefined = 0
  let counted = 0
  return {
    add: (value) => {
      if (value === undefined || total === undefined) return
      counted += 1
      total = typeof value === 'number' ? total + value : undefined
    },
    result: () => {
      const finished = total === undefined ? undefined : finish(total, counted)
      return finished === undefined ? undefined : finite(finished)
    },
  }
}

/** Over several types the order of types decides; an array or object makes the result undefined. */
function extreme(better: (order: number) => boolean): Accumulator {
  let best: unknown
  let comparable = true
  return {
    add: (value) => {
      if (value === undefined) return
      if (typeRank(value) > 4) comparable = false
      if (best === undefined || better(compare(value, best))) best = value
    },
    result: () => (comparable ? best : undefined),
  }
}
