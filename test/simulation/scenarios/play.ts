import { attempt } from '../explore.ts'
import { worlds } from '../worlds/index.ts'
import type { Scenario } from './scripts.ts'

const SEEDS = 10

/** How many of them broke an invariant. */
export async function playAll(
  chosen: readonly Scenario[],
  say: (line: string) => void,
): Promise<number> {
  let failures = 0
  for (const scenario of chosen) {
    const { problem, struck, seen } = await play(scenario)
    if (problem !== undefined) failures += 1
    const happened = scenario.plan.length > 0 ? `${struck} faults` : `seen ${seen} times`
    const { id, title, seeds = SEEDS } = scenario
    say(`${id}: ${title}: ${problem ?? `holds (${seeds} seeds, ${happened})`}`)
  }
  return failures
}

/** A plan that never strikes, and a sight that is never seen, say nothing: then it does not hold either. */
async function play({ world: name, plan, sees, seeds = SEEDS }: Scenario) {
  const world = worlds.find((one) => one.name === name)
  if (!world) throw new Error(`no world is called ${name}`)
  let struck = 0
  let seen = 0
  for (let seed = 1; seed <= seeds; seed += 1) {
    const outcome = await attempt(world, { seed, plan, traced: sees !== undefined })
    struck += outcome.struck.length
    seen += outcome.timeline.filter(({ what }) => sees?.test(what)).length
    const { violation } = outcome
    if (violation) return { problem: `seed ${seed}: ${violation.message}`, struck, seen }
  }
  if (plan.length > 0 && struck < seeds) {
    return { problem: `its faults struck ${struck} times in ${seeds} seeds`, struck, seen }
  }
  if (sees && seen === 0) return { problem: `${sees.source} was never seen`, struck, seen }
  return { problem: undefined, struck, seen }
}
