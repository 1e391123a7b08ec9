import { z } from 'zod'
import { comparisons, levelsOf } from './compare.ts'
import { keyParts } from './blocking.ts'
import { bestOf, type Candidate, type ComparedField, type Verdict } from './match.ts'
import { hopefulWeights, type Weights } from './weights.ts'

const share = z.number().min(0).max(1)

/** How a task finds the record that a new row already is. */
export const duplicatesShape = z.object({
  strategy: z.enum(['exact', 'fuzzy', 'phonetic', 'custom']),
  /** Records that share no key with the row are not looked at. */
  keys: z
    .array(
      z.object({
        parts: z.array(z.object({ field: z.string().min(1), by: z.enum(keyParts) })).min(1),
      }),
    )
    .min(1),
  /** What is compared of those that do. */
  fields: z.array(z.object({ field: z.string().min(1), by: z.enum(comparisons) })).default([]),
  /** Linked without asking from here on; shown to a person from `likely` on. */
  sure: share.default(0.999),
  likely: share.default(0.5),
  /** As learned from the tenant's own records; careful ones where absent. */
  weights: z
    .object({
      prior: share,
      fields: z
        .array(z.object({ match: z.array(share).readonly(), random: z.array(share).readonly() }))
        .readonly(),
    })
    .optional(),
  /** The name of a function in `customMatchers`. */
  custom: z.string().optional(),
})
export type Duplicates = z.infer<typeof duplicatesShape>

export interface Matched {
  readonly verdict: Verdict
  readonly id?: string
}

type Match = (row: Candidate, candidates: readonly Candidate[], by: Duplicates) => Matched

const nobody: Matched = { verdict: 'new' }

const strategies: Readonly<Record<Duplicates['strategy'], Match>> = {
  exact: (_row, candidates) => onlyOne(candidates, 'sure'),
  phonetic: (row, candidates, by) => {
    const alike = candidates.filter((candidate) => agrees(row, candidate, by.fields))
    return alike.length > 0 ? onlyOne(alike, 'sure') : onlyOne(candidates, 'likely')
  },
  fuzzy: (row, candidates, by) => {
    const weights: Weights = by.weights ?? hopefulWeights(by.fields.map((one) => levelsOf(one.by)))
    return bestOf(row, candidates, { compared: by.fields, weights, thresholds: by })
  },
  custom: (row, candidates, by) => customMatchers[by.custom ?? '']?.(row, candidates, by) ?? nobody,
}

/** Which of the candidates a row is. */
export function matchRow(
  row: Candidate,
  candidates: readonly Candidate[],
  by: Duplicates,
): Matched {
  return candidates.length === 0 ? nobody : strategies[by.strategy](row, candidates, by)
}

/** Where several fit alike, a person has to say which. */
function onlyOne(candidates: readonly Candidate[], verdict: Verdict): Matched {
  const [first, second] = candidates
  if (!first) return nobody
  return { verdict: second ? 'likely' : verdict, id: first.id }
}

/** Every compared field that both have reads the same, and at least one does. */
function agrees(a: Candidate, b: Candidate, compared: readonly ComparedField[]): boolean {
  const both = compared.flatMap((_, index) => {
    const [left, right] = [a.prepared[index]?.text ?? '', b.prepared[index]?.text ?? '']
    return left === '' || right === '' ? [] : [left === right]
  })
  return both.length > 0 && both.every(Boolean)
}

/** Named decisions that a task may ask for. */
export const customMatchers: Readonly<Record<string, Match>> = {
  /** Nothing is linked without a person. */
  always_ask: (_row, candidates) => onlyOne(candidates, 'likely'),
}
