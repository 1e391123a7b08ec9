import type { JsonObject } from '../../core/canonical-json.ts'
import { compare, levelsOf, prepare, type Comparison, type Prepared } from './compare.ts'
import { learnWeights, probabilityOf, type Pattern, type Weights } from './weights.ts'

export interface ComparedField {
  readonly field: string
  readonly by: Comparison
}

export interface Candidate {
  readonly id: string
  readonly prepared: readonly Prepared[]
}

/** A record ready to be compared. */
export function candidateOf(
  id: string,
  fields: JsonObject,
  compared: readonly ComparedField[],
): Candidate {
  return { id, prepared: compared.map(({ field, by }) => prepare(by, fields[field])) }
}

const absent: Prepared = { text: '', sound: '', words: [] }

export function patternOf(a: Candidate, b: Candidate, compared: readonly ComparedField[]): Pattern {
  return compared.map(({ by }, index) =>
    compare(by, a.prepared[index] ?? absent, b.prepared[index] ?? absent),
  )
}

/** Weights for these fields from pairs of records of which nobody said whether they match. */
export function learn(compared: readonly ComparedField[], pairs: readonly Pattern[]): Weights {
  return learnWeights(
    compared.map(({ by }) => levelsOf(by)),
    pairs,
  )
}

export interface Thresholds {
  /** From here on a pair is one thing without asking. */
  readonly sure: number
  /** From here on a person is asked. */
  readonly likely: number
}

export type Verdict = 'sure' | 'likely' | 'new'

export function verdictOf(probability: number, { sure, likely }: Thresholds): Verdict {
  if (probability >= sure) return 'sure'
  return probability >= likely ? 'likely' : 'new'
}

/** The best of the candidates. Where another one is likely, too, nothing is sure: a person has to say which. */
export function bestOf(
  row: Candidate,
  candidates: readonly Candidate[],
  by: { compared: readonly ComparedField[]; weights: Weights; thresholds: Thresholds },
): { readonly verdict: Verdict; readonly id?: string; readonly probability: number } {
  const scored = candidates
    .map((candidate) => ({
      id: candidate.id,
      probability: probabilityOf(by.weights, patternOf(row, candidate, by.compared)),
    }))
    .sort((a, b) => b.probability - a.probability)
  const [best, second] = scored
  if (!best) return { verdict: 'new', probability: 0 }
  const verdict = verdictOf(best.probability, by.thresholds)
  const unclear = verdict === 'sure' && verdictOf(second?.probability ?? 0, by.thresholds) !== 'new'
  return { ...best, verdict: unclear ? 'likely' : verdict }
}
