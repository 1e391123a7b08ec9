/** What can go wrong at a point. */
export type FaultKind =
  /** The process dies before the call has its effect. */
  | 'crash-before'
  /** The process dies after the effect, before it learns of it. */
  | 'crash-after'
  /** The effect happens, the caller gets an error. */
  | 'answer-lost'
  /** Nothing happens, the caller gets an error. */
  | 'unavailable'
  | 'delay'
  /** A read is answered by a replica that lags. */
  | 'stale'
  /** The clock of the instance is wrong. */
  | 'skew'
  /** The bus gives the message to somebody else while its worker still works. */
  | 'lock-lost'
  /** The work is done, but the bus never hears of it. */
  | 'completion-lost'
  /** A message, or a request, comes twice at the same time. */
  | 'twice'
  /** It does not happen at all. */
  | 'skipped'
  /** The vendor answers something else than rows. */
  | 'vendor-trouble'

const called = ['crash-before', 'crash-after', 'answer-lost', 'unavailable', 'delay'] as const

/** What can go wrong where. Seeds choose by position. */
export const faultsAt = {
  'collection read': ['crash-before', 'crash-after', 'unavailable', 'delay', 'stale'],
  'collection write': called,
  'queue send': called,
  'queue delivery': ['lock-lost', 'completion-lost', 'delay'],
  'vault call': called,
  'limits call': called,
  'realtime send': called,
  'subscription call': called,
  'vendor call': ['crash-before', 'crash-after', 'delay', 'vendor-trouble'],
  // What a lagging replica says is met in so many ways that it comes more often than the rest.
  'vendor replica': [
    'crash-before',
    'crash-after',
    'delay',
    'vendor-trouble',
    'stale',
    'stale',
    'stale',
  ],
  'token endpoint': ['crash-before', 'crash-after', 'answer-lost', 'delay', 'vendor-trouble'],
  'incoming post': ['twice', 'answer-lost'],
  'own timer': ['twice', 'skipped', 'delay'],
  'relay timer': ['twice', 'skipped'],
  'instance clock': ['skew'],
} as const satisfies Readonly<Record<string, readonly FaultKind[]>>

/** A place where the system meets the world. */
export type Place = keyof typeof faultsAt

export interface Fault {
  readonly kind: FaultKind
  /** How much of it, in [0, 1). */
  readonly size: number
}

/** A place in a run where something may go wrong. */
export interface Point {
  /** Who and what: `worker shards.write`. */
  readonly site: string
  /** The same in every run with this seed, whatever else happens: faults can be taken away one by one. */
  readonly label: string
  readonly kinds: readonly FaultKind[]
}

/** Decides what goes wrong. */
export interface Faults {
  /** A number in [0, 1) that depends on the seed and the label only. */
  readonly chance: (label: string) => number
  readonly strike: (point: Point) => Fault | undefined
  /** Whether the world's own action takes place; all do, unless the timeline is being shrunk. */
  readonly acts: (label: string) => boolean
  /** Labels of everything that was decided against the ordinary course. */
  readonly struck: readonly string[]
}

/** FNV-1a with a final mix; 32 bits are plenty to choose by. */
function chanceOf(seed: number, label: string): number {
  let hash = 0x811c9dc5 ^ seed
  for (let at = 0; at < label.length; at += 1) {
    hash = Math.imul(hash ^ label.charCodeAt(at), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}

/** How likely a fault is at a point, one in so many; some runs are calm, some are wild. */
const RARITIES = [400, 100, 30, 12] as const

/**
 * Faults by the seed. Each seed leaves out some kinds altogether, so that the others are met in depth. With `only`, all
 * decisions are the same but for those that are not named: they take the ordinary course.
 */
export function seededFaults(seed: number, only?: ReadonlySet<string>): Faults {
  const chance = (label: string) => chanceOf(seed, label)
  const rarity = RARITIES[Math.floor(chance('rarity') * RARITIES.length)] ?? 30
  const struck: string[] = []
  const allowed = (label: string) => only?.has(label) ?? true
  return {
    chance,
    struck,
    strike: ({ label, kinds }) => {
      if (chance(`${label}?`) >= 1 / rarity || !allowed(label)) return undefined
      const here = kinds.filter((kind) => chance(`with ${kind}`) < 0.6)
      const kind = here[Math.floor(chance(`${label} kind`) * here.length)]
      if (kind === undefined) return undefined
      struck.push(label)
      return { kind, size: chance(`${label} size`) }
    },
    acts: (label) => {
      if (!allowed(label)) return false
      struck.push(label)
      return true
    },
  }
}

/** A fault at the nth time (from 1) that a site is reached. */
export interface PlannedFault {
  readonly site: string
  readonly nth?: number
  readonly kind: FaultKind
  readonly size?: number
}

/** Exactly the faults of a plan, and nothing by chance; everything else still follows the seed. */
export function plannedFaults(seed: number, plan: readonly PlannedFault[]): Faults {
  const reached = new Map<string, number>()
  const struck: string[] = []
  return {
    chance: (label) => chanceOf(seed, label),
    struck,
    strike: ({ site, label, kinds }) => {
      const count = (reached.get(site) ?? 0) + 1
      reached.set(site, count)
      const planned = plan.find((one) => one.site === site && (one.nth ?? 1) === count)
      if (!planned) return undefined
      if (!kinds.includes(planned.kind)) throw new RangeError(`no ${planned.kind} at ${site}`)
      struck.push(label)
      return { kind: planned.kind, size: planned.size ?? 0.5 }
    },
    acts: () => true,
  }
}
