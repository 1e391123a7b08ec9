import type { Level } from './compare.ts'

/** How often a field agrees to each level among compared records that are one thing, and among those that are not. */
export interface FieldWeights {
  readonly match: readonly number[]
  readonly random: readonly number[]
}

/** A Fellegi-Sunter model: what the agreement of each field says, and how many of the compared pairs match at all. */
export interface Weights {
  readonly fields: readonly FieldWeights[]
  /** Share of matches among the compared pairs. */
  readonly prior: number
}

/** The levels of one pair, field by field. */
export type Pattern = readonly Level[]

const ROUNDS = 60
/** No level is impossible: one more observation than was made keeps every weight finite. */
const SMOOTHING = 0.5
const START_PRIOR = 0.2

/**
 * Learns the weights without being told which pairs match (expectation maximisation, Fellegi-Sunter with conditional
 * independence), from pairs that share a key. What unrelated pairs look like is learned from the same pairs: those that
 * share a key agree more often than any two. Pairs with the same pattern are counted, not repeated.
 */
export function learnWeights(levels: readonly number[], pairs: readonly Pattern[]): Weights {
  const patterns = distinct(pairs)
  let weights = hopefulWeights(levels)
  for (let round = 0; round < ROUNDS; round += 1) {
    const chances = patterns.map(({ pattern, times }) => {
      const probability = probabilityOf(weights, pattern)
      return { pattern, match: times * probability, random: times * (1 - probability) }
    })
    const matches = chances.reduce((sum, { match }) => sum + match, 0)
    const of = (kind: 'match' | 'random') =>
      chances.map((chance) => ({ pattern: chance.pattern, times: chance[kind] }))
    weights = {
      prior: Math.min(0.99, Math.max(1e-6, matches / Math.max(1, pairs.length))),
      fields: levels.map((top, field) => ({
        match: shares(top, countedIn(of('match'), field)),
        random: shares(top, countedIn(of('random'), field)),
      })),
    }
  }
  return weights
}

/** Careful weights for records of which nothing was learned. */
export function hopefulWeights(levels: readonly number[]): Weights {
  return {
    prior: START_PRIOR,
    fields: levels.map((top) => ({ match: hopeful(top), random: hopeful(top).toReversed() })),
  }
}

/** Where learning begins: the higher the level, the likelier among matches. */
function hopeful(top: number): readonly number[] {
  const raw = Array.from({ length: top + 1 }, (_, level) => 2 ** (2 * level))
  const sum = raw.reduce((total, one) => total + one, 0)
  return raw.map((one) => one / sum)
}

function shares(top: number, counts: ReadonlyMap<number, number>): readonly number[] {
  const smooth = Array.from({ length: top + 1 }, (_, level) => (counts.get(level) ?? 0) + SMOOTHING)
  const sum = smooth.reduce((total, one) => total + one, 0)
  return smooth.map((one) => one / sum)
}

interface Counted {
  readonly pattern: Pattern
  readonly times: number
}

function countedIn(patterns: readonly Counted[], field: number): ReadonlyMap<number, number> {
  const counts = new Map<number, number>()
  for (const { pattern, times } of patterns) {
    const level = pattern[field]
    if (level !== undefined) counts.set(level, (counts.get(level) ?? 0) + times)
  }
  return counts
}

function distinct(patterns: readonly Pattern[]): readonly Counted[] {
  const counts = new Map<string, { pattern: Pattern; times: number }>()
  for (const pattern of patterns) {
    const key = pattern.map((level) => level ?? '-').join()
    const known = counts.get(key)
    if (known) known.times += 1
    else counts.set(key, { pattern, times: 1 })
  }
  return [...counts.values()]
}

/** How likely a pair with this pattern is one thing, in [0, 1]. An empty field says nothing. */
export function probabilityOf({ fields, prior }: Weights, pattern: Pattern): number {
  let odds = Math.log(prior / (1 - prior))
  for (const [field, level] of pattern.entries()) {
    const weight = fields[field]
    if (level === undefined || !weight) continue
    odds += Math.log((weight.match[level] ?? 1e-9) / (weight.random[level] ?? 1e-9))
  }
  return 1 / (1 + Math.exp(-odds))
}
