import type { Actor, Simulation } from './simulation.ts'
import { START_MS } from './world.ts'

/** A timer of ours: late, twice or not at all while things go wrong. */
export function playTimer(
  sim: Simulation,
  timer: {
    readonly kind: string
    readonly everyMs: number
    readonly untilMs: number
    readonly mostSkewMs?: number
  },
  tick: (actor: Actor) => Promise<unknown>,
): void {
  const { kind, everyMs, untilMs, mostSkewMs = Infinity } = timer
  const spawn = (name: string) =>
    sim.spawn({
      kind,
      name,
      mostSkewMs,
      work: async (actor) => {
        await tick(actor)
      },
    })
  for (let index = 0; START_MS + index * everyMs < untilMs; index += 1) {
    const name = `${kind} ${index}`
    sim.at(START_MS + index * everyMs, () => {
      const fault = sim.strike(`${kind} timer`, `${name} timer`, 'own timer')
      if (fault?.kind === 'skipped') return
      if (fault?.kind === 'twice') spawn(`${name} again`)
      if (fault?.kind === 'delay') sim.at(sim.now() + fault.size * everyMs, () => spawn(name))
      else spawn(name)
    })
  }
}
