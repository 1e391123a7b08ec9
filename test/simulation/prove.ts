import { attempt, search } from './explore.ts'
import type { World } from './world.ts'

/** A bug that is not found within so many seeds would not be found by anybody. */
export const MOST_SEEDS = 500

export interface Proof {
  readonly world: string
  readonly bug: string
  readonly what: string
  /** Runs until it was found; undefined when it was not. */
  readonly seeds: number | undefined
  readonly invariant: number | undefined
}

/** Plants every bug of these worlds and looks for it; where it was found before is tried first. */
export async function prove(
  worlds: readonly World[],
  {
    progress = () => {},
    known = {},
  }: {
    readonly progress?: (line: string) => void
    /** Seeds by world and bug. */
    readonly known?: Readonly<Record<string, number>>
  } = {},
): Promise<readonly Proof[]> {
  const proofs: Proof[] = []
  for (const world of worlds) {
    for (const [bug, what] of Object.entries(world.bugs)) {
      const seed = known[`${world.name} ${bug}`]
      const found = (await again(world, bug, seed)) ?? (await first(world, bug))
      progress(`${world.name} ${bug}: ${found ? `seed ${found.seed}` : 'not found'}`)
      const { seed: seeds, violation } = found ?? {}
      proofs.push({ world: world.name, bug, what, seeds, invariant: violation?.invariant })
    }
  }
  return proofs
}

function first(world: World, bug: string) {
  return search(world, { from: 1, count: MOST_SEEDS, bug })
}

async function again(world: World, bug: string, seed: number | undefined) {
  if (seed === undefined) return undefined
  const { violation } = await attempt(world, { seed, bug })
  return violation && { seed, violation }
}
