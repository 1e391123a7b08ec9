import type { Faults } from './faults.ts'
import type { Simulation } from './simulation.ts'

/** What a world put on the stage of one run. */
export interface Stage {
  /** Says through `sim.violate` what does not hold now that everything has come to rest. */
  readonly examine: () => void | Promise<void>
}

/** Actors and ports, what may go wrong among them, and what must be true in the end. One file each. */
export interface World {
  readonly name: string
  readonly summary: string
  /** The invariants of architecture.md that it holds its runs against. */
  readonly checks: readonly number[]
  /** How long things go wrong, in virtual milliseconds. */
  readonly faultsMs: number
  /** How long the world is then left alone before it is examined. */
  readonly restMs: number
  /** Behaviours that are wrong on purpose, each of which the simulator has to find. */
  readonly bugs: Readonly<Record<string, string>>
  /** Sets everything up; with `bug`, one of `bugs` is in it. */
  readonly setUp: (sim: Simulation, options: SetUp) => Stage | Promise<Stage>
}

export interface SetUp {
  readonly bug?: string | undefined
}

/** A whole number from `from` to `to`, by the seed. */
export function between(faults: Faults, label: string, [from, to]: readonly [number, number]) {
  return from + Math.floor(faults.chance(label) * (to - from + 1))
}

export function pick<T>(faults: Faults, label: string, choices: readonly [T, ...T[]]): T {
  return choices[Math.floor(faults.chance(label) * choices.length)] ?? choices[0]
}

export const START_MS = Date.parse('2026-03-01T10:00:00.000Z')
