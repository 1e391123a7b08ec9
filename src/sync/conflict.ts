import { canonicalJson, type Json } from '../core/canonical-json.ts'
import { canonicalOf, type Equality } from './change.ts'

export const strategyNames = [
  'local_wins',
  'external_wins',
  'newest_wins',
  'merge',
  'manual',
  'custom',
] as const
export type Strategy = (typeof strategyNames)[number]

/** A field that was changed on both sides since they last agreed. */
export interface Contest {
  readonly base: Json
  readonly local: Json
  readonly external: Json
  /** When each side changed it, ISO 8601, by the clocks of the systems that did. */
  readonly localAt: string
  readonly externalAt: string
}

/** How contests of one field are decided. */
export interface Resolution {
  readonly strategy: Strategy
  /** Decides what the strategy cannot. */
  readonly tieBreak: 'local_wins' | 'external_wins' | 'manual'
  /** Stamps closer than this do not tell which came first. */
  readonly skewMs: number
  /** How `merge` puts two values together; without it a contest of one field goes to the tie-break. */
  readonly merge?: 'set' | 'append' | undefined
  /** The name of a function in `customResolvers`. */
  readonly custom?: string | undefined
  readonly equality?: Equality | undefined
}

export type Decision =
  | { readonly winner: 'local' | 'external' }
  | { readonly winner: 'merged'; readonly value: Json }
  /** A person decides; until then neither side is written. */
  | { readonly winner: 'nobody' }

type Decide = (contest: Contest, resolution: Resolution) => Decision

const local: Decision = { winner: 'local' }
const external: Decision = { winner: 'external' }
const nobody: Decision = { winner: 'nobody' }

const strategies: Readonly<Record<Strategy, Decide>> = {
  local_wins: () => local,
  external_wins: () => external,
  newest_wins: newest,
  merge: (contest, resolution) =>
    mergeValues(contest, resolution) ?? strategies[resolution.tieBreak](contest, resolution),
  manual: () => nobody,
  custom: (contest, resolution) => {
    const resolve = customResolvers[resolution.custom ?? '']
    return resolve?.(contest) ?? strategies[resolution.tieBreak](contest, resolution)
  },
}

/** Who wins a contest. Pure: the same contest is always decided alike. */
export function resolveConflict(contest: Contest, resolution: Resolution): Decision {
  return strategies[resolution.strategy](contest, resolution)
}

function newest(contest: Contest, resolution: Resolution): Decision {
  const ahead = Date.parse(contest.localAt) - Date.parse(contest.externalAt)
  if (Number.isNaN(ahead) || Math.abs(ahead) <= resolution.skewMs) {
    return strategies[resolution.tieBreak](contest, resolution)
  }
  return ahead > 0 ? local : external
}

function mergeValues(contest: Contest, resolution: Resolution): Decision | undefined {
  if (resolution.merge === 'set') return mergeSets(contest, resolution.equality)
  if (resolution.merge === 'append') return mergeAppended(contest)
  return undefined
}

/** What either side added is in, what either side removed is out. */
function mergeSets({ base, local, external }: Contest, equality: Equality = {}): Decision {
  const keyOf = (item: Json) => canonicalJson(canonicalOf(item, equality))
  const keysOf = (value: Json) => new Set(itemsOf(value).map(keyOf))
  const [before, here, there] = [keysOf(base), keysOf(local), keysOf(external)]
  const all = new Map([...itemsOf(external), ...itemsOf(local)].map((item) => [keyOf(item), item]))
  const kept = [...all]
    .filter(([key]) => !before.has(key) || (here.has(key) && there.has(key)))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, item]) => item)
  return { winner: 'merged', value: kept.length === 0 ? null : kept }
}

function itemsOf(value: Json): readonly Json[] {
  if (value === null || value === '') return []
  return Array.isArray(value) ? (value as readonly Json[]) : [value] // an array of JSON
}

/** Both sides only wrote more at the end: both ends follow, the earlier one first. */
function mergeAppended({
  base,
  local,
  external,
  localAt,
  externalAt,
}: Contest): Decision | undefined {
  const before = base ?? ''
  if (typeof before !== 'string' || typeof local !== 'string' || typeof external !== 'string') {
    return undefined
  }
  if (!local.startsWith(before) || !external.startsWith(before)) return undefined
  const ends = [
    { at: localAt, text: local.slice(before.length) },
    { at: externalAt, text: external.slice(before.length) },
  ].sort((a, b) => compareTexts(a.at, b.at) || compareTexts(a.text, b.text))
  return { winner: 'merged', value: before + ends.map(({ text }) => text).join('') }
}

function compareTexts(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

const numbers = ({ local, external }: Contest) =>
  typeof local === 'number' && typeof external === 'number' ? { local, external } : undefined

/** Named decisions that a mapping may ask for; undefined leaves it to the tie-break. */
export const customResolvers: Readonly<Record<string, (contest: Contest) => Decision | undefined>> =
  {
    highest: (contest) => {
      const pair = numbers(contest)
      return pair && (pair.local >= pair.external ? local : external)
    },
    lowest: (contest) => {
      const pair = numbers(contest)
      return pair && (pair.local <= pair.external ? local : external)
    },
    longest: ({ local: here, external: there }) =>
      typeof here === 'string' && typeof there === 'string' && here.length !== there.length
        ? { winner: here.length > there.length ? 'local' : 'external' }
        : undefined,
    filled: ({ local: here, external: there }) =>
      (here === null) === (there === null) ? undefined : there === null ? local : external,
  }
