import { plannedFaults, seededFaults, type Faults, type PlannedFault } from './faults.ts'
import { simulation, type Entry, type Violation } from './simulation.ts'
import { START_MS, type World } from './world.ts'

export interface Attempt {
  readonly seed: number
  readonly bug?: string | undefined
  /** Exactly these faults instead of those of the seed. */
  readonly plan?: readonly PlannedFault[]
  /** Of what the seed decides, only this. */
  readonly only?: ReadonlySet<string>
  readonly traced?: boolean
}

export interface Outcome {
  readonly violation: Violation | undefined
  readonly struck: readonly string[]
  readonly timeline: readonly Entry[]
  readonly calls: number
}

/** One world, one seed, from the beginning to rest. The same attempt always has the same outcome. */
export async function attempt(world: World, one: Attempt): Promise<Outcome> {
  const faults = faultsOf(one)
  const sim = simulation(START_MS, faults, {
    faultsEndMs: START_MS + world.faultsMs,
    traced: one.traced ?? false,
  })
  const stage = await world.setUp(sim, { bug: one.bug })
  await sim.run(START_MS + world.faultsMs + world.restMs)
  if (!sim.violation()) await stage.examine()
  return {
    violation: sim.violation(),
    struck: faults.struck,
    timeline: sim.timeline,
    calls: sim.calls(),
  }
}

function faultsOf({ seed, plan, only }: Attempt): Faults {
  return plan ? plannedFaults(seed, plan) : seededFaults(seed, only)
}

export interface Finding {
  readonly seed: number
  readonly violation: Violation
}

/** The first seed from `from` on that breaks an invariant; undefined when none of `count` does. */
export async function search(
  world: World,
  range: { readonly from: number; readonly count: number; readonly bug?: string | undefined },
  progress: (seed: number) => void = () => {},
): Promise<Finding | undefined> {
  for (let seed = range.from; seed < range.from + range.count; seed += 1) {
    const { violation } = await attempt(world, { seed, bug: range.bug })
    if (violation) return { seed, violation }
    progress(seed)
  }
  return undefined
}

/** Enough for some hundred decisions. */
const MOST_TRIALS = 400

/**
 * The least of what a seed decided that still breaks the same invariant, and how that run goes (delta debugging: halves,
 * then quarters, and so on are left out as long as the run still fails).
 */
export async function shrink(world: World, failing: Finding & { bug?: string | undefined }) {
  const { seed, bug, violation } = failing
  const budget = { trials: 0 }
  const spent = () => budget.trials >= MOST_TRIALS
  const stillFails = async (labels: readonly string[]) => {
    budget.trials += 1
    const outcome = await attempt(world, { seed, bug, only: new Set(labels) })
    return outcome.violation?.invariant === violation.invariant ? outcome.struck : undefined
  }
  const first = await attempt(world, { seed, bug })
  let labels = first.struck
  let size = Math.ceil(labels.length / 2)
  while (labels.length > 0 && !spent()) {
    let smaller: readonly string[] | undefined
    for (let at = 0; at < labels.length && !smaller && !spent(); at += size) {
      smaller = await stillFails([...labels.slice(0, at), ...labels.slice(at + size)])
    }
    if (smaller) labels = smaller
    else if (size === 1) break
    else size = Math.ceil(size / 2)
    size = Math.max(1, Math.min(size, labels.length))
  }
  const last = await attempt(world, { seed, bug, only: new Set(labels), traced: true })
  return { labels, outcome: last, from: first.struck.length, trials: budget.trials }
}
