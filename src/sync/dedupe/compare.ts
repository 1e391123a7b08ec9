import { jaroWinkler } from '@skyra/jaro-winkler'
import type { Json } from '../../core/canonical-json.ts'
import { digits, plain, sound, wordsOf } from './normalise.ts'

export const comparisons = ['exact', 'text', 'name', 'words', 'digits', 'date'] as const
export type Comparison = (typeof comparisons)[number]

/** Prepared once for each record, compared many times. */
export interface Prepared {
  readonly text: string
  readonly sound: string
  readonly words: readonly string[]
}

const nothing: Prepared = { text: '', sound: '', words: [] }

/** How much two values agree: 0 not at all, up to `levelsOf`; undefined when one of them is empty. */
export type Level = number | undefined

interface Comparer {
  readonly levels: number
  readonly prepare: (value: Json | undefined) => Prepared
  readonly compare: (a: Prepared, b: Prepared) => number
}

const asText = (value: Json | undefined): Prepared => ({ ...nothing, text: plain(value) })

const comparers: Readonly<Record<Comparison, Comparer>> = {
  exact: { levels: 1, prepare: asText, compare: (a, b) => Number(a.text === b.text) },
  text: {
    levels: 4,
    prepare: asText,
    compare: (a, b) => stepOf(similarity(a.text, b.text), [0.7, 0.8, 0.92]) + same(a, b),
  },
  name: {
    levels: 5,
    prepare: (value) => ({ text: plain(value), sound: sound(value), words: [] }),
    compare: (a, b) => {
      if (a.text === b.text) return 5
      const close = stepOf(similarity(a.text, b.text), [0.78, 0.88, 0.94])
      return a.sound === b.sound ? Math.max(close, 2) + 1 : close
    },
  },
  words: {
    levels: 4,
    prepare: (value) => ({ text: plain(value), sound: '', words: wordsOf(value) }),
    compare: (a, b) => stepOf(overlap(a.words, b.words), [0.3, 0.55, 0.75]) + same(a, b),
  },
  digits: {
    levels: 2,
    prepare: (value) => ({ ...nothing, text: digits(value) }),
    compare: (a, b) => (a.text === b.text ? 2 : Number(isSlip(a.text, b.text))),
  },
  date: {
    levels: 2,
    prepare: (value) => ({ ...nothing, text: digits(value).slice(0, 8) }),
    compare: (a, b) => (a.text === b.text ? 2 : Number(isSlip(a.text, b.text))),
  },
}

export function levelsOf(comparison: Comparison): number {
  return comparers[comparison].levels
}

export function prepare(comparison: Comparison, value: Json | undefined): Prepared {
  return comparers[comparison].prepare(value)
}

export function compare(comparison: Comparison, a: Prepared, b: Prepared): Level {
  if (a.text === '' || b.text === '') return undefined
  return comparers[comparison].compare(a, b)
}

/** Jaro-Winkler, in [0, 1]. */
export function similarity(a: string, b: string): number {
  return a === b ? 1 : jaroWinkler(a, b)
}

function same(a: Prepared, b: Prepared): number {
  return Number(a.text === b.text)
}

/** How many of the thresholds are reached. */
function stepOf(value: number, thresholds: readonly number[]): number {
  return thresholds.filter((threshold) => value >= threshold).length
}

/** Share of words that both have, a word with a slip counting as most of one (Dice). */
function overlap(a: readonly string[], b: readonly string[]): number {
  const left = new Set(b)
  let shared = 0
  for (const word of a) {
    const found = left.has(word) ? word : [...left].find((one) => similarity(one, word) > 0.92)
    if (found === undefined) continue
    left.delete(found)
    shared += found === word ? 1 : 0.8
  }
  return (2 * shared) / (a.length + b.length)
}

/** One character changed, left out, added, or two neighbours swapped. */
function isSlip(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false
  let start = 0
  while (start < a.length && a[start] === b[start]) start += 1
  let end = 0
  const most = Math.min(a.length, b.length) - start
  while (end < most && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1
  const [restA, restB] = [a.slice(start, a.length - end), b.slice(start, b.length - end)]
  if (restA.length <= 1 && restB.length <= 1) return true
  return restA.length === 2 && restB.length === 2 && restA === `${restB[1]}${restB[0]}`
}
