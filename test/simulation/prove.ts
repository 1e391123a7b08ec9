import { search } from './explore.ts'
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

/** Plants every bug of these worlds and looks for it. */
export async function prove(
  worlds: readonly World[],
  progress: (line: string) => void = () => {},
): Promise<readonly Proof[]> {
  const proofs: Proof[] = []
  for (const world of worlds) {
    for (const [bug, what] of Object.entries(world.bugs)) {
      const found = await search(world, { from: 1, count: MOST_SEEDS, bug })
      progress(`${world.name} ${bug}: ${found ? `seed ${found.seed}` : 'not found'}`)
      proofs.push({
        world: world.name,
        bug,
        what,
        seeds: found?.seed,
        invariant: found?.violation.invariant,
      })
    }
  }
  return proofs
}
