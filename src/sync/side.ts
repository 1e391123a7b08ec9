import { z } from 'zod'
import type { Duplicates } from './dedupe/strategy.ts'
import { strategyNames, type Resolution, type Strategy } from './conflict.ts'
import type { FieldMapping, Mapping } from './mapping.ts'

/** Stamps of two systems closer than this do not tell which change came first. */
const DEFAULT_SKEW_MS = 5_000

/** What a task may say about two sides that disagree. */
export const policyFields = {
  conflictStrategy: z.enum(strategyNames).optional(),
  fieldStrategies: z.record(z.string(), z.enum(strategyNames)).optional(),
  /** Decides what a strategy cannot. */
  tieBreak: z.enum(['local_wins', 'external_wins', 'manual']).optional(),
  skewMs: z.int().nonnegative().optional(),
  /** Whether a row deleted there is deleted everywhere. */
  deletes: z.enum(['propagate', 'ignore']).optional(),
}
const policyShape = z.object(policyFields)

export type Policy = {
  readonly [K in keyof z.infer<typeof policyShape>]-?: NonNullable<z.infer<typeof policyShape>[K]>
}

export function policyOf(said: z.infer<typeof policyShape>): Policy {
  return {
    conflictStrategy: said.conflictStrategy ?? 'local_wins',
    fieldStrategies: said.fieldStrategies ?? {},
    tieBreak: said.tieBreak ?? 'local_wins',
    skewMs: said.skewMs ?? DEFAULT_SKEW_MS,
    deletes: said.deletes ?? 'propagate',
  }
}

/** How one connection takes part in the records of one entity type. */
export interface Side {
  readonly connectionId: string
  readonly integrationId: string
  readonly mapping: Mapping
  readonly policy: Policy
  /** How a new row finds the record that it already is; absent: it is a new one. */
  readonly duplicates?: Duplicates | undefined
  /** Whether what changes elsewhere is written to it. */
  readonly pushes: boolean
}

export function ruleOf({ mapping }: Side, field: string): FieldMapping | undefined {
  return mapping.fields.find(({ local }) => local === field)
}

/** How a contest of a field is decided; of the whole record when the field is empty. */
export function resolutionOf(side: Side, field: string): Resolution {
  const { policy } = side
  const rule = ruleOf(side, field)
  return {
    strategy: strategyOf(policy, field),
    tieBreak: policy.tieBreak,
    skewMs: policy.skewMs,
    merge: rule?.merge,
    custom: rule?.custom,
    equality: rule?.equality,
  }
}

function strategyOf(policy: Policy, field: string): Strategy {
  return Object.hasOwn(policy.fieldStrategies, field)
    ? (policy.fieldStrategies[field] ?? policy.conflictStrategy)
    : policy.conflictStrategy
}
