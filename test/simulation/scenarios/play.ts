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
  const sights = sees === undefined ? [] : [sees].flat()
  const unseen = new Set(sights)
  let seen = 0
  for (let seed = 1; seed <= seeds; seed += 1) {
    const outcome = await attempt(world, { seed, plan, traced: sights.length > 0 })
    struck += outcome.struck.length
    for (const { what } of outcome.timeline) {
      const here = sights.filter((sight) => sight.test(what))
      if (here.length > 0) seen += 1
      for (const sight of here) unseen.delete(sight)
    }
    const { violation } = outcome
    if (violation) return { problem: `seed ${seed}: ${violation.message}`, struck, seen }
  }
  if (plan.length > 0 && struck < seeds) {
    return { problem: `its faults struck ${struck} times in ${seeds} seeds`, struck, seen }
  }
  const [never] = unseen
  if (never) return { problem: `${never.source} was never seen`, struck, seen }
  return { problem: undefined, struck, seen }
}
