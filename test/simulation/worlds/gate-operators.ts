import { AppError } from '../../../src/core/errors.ts'
import {
  addSecret,
  retireSecret,
  type RegistrationPorts,
} from '../../../src/webhooks/registrations.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { between, START_MS } from '../world.ts'
import { houses } from './gate-houses.ts'
import { post, type Street } from './gate-post.ts'
import { callAt, incident } from './gate-senders.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** What a sender waits before it uses a secret that was just made known. */
const CHANGE_MS = 7 * MINUTE_MS
const AGAIN_MS = 30_000

/** The secret of one house while it is changed: true times, which nobody in the system knows. */
export interface Keys {
  /** What a sender signs with now. */
  readonly now: (chance: number) => { readonly secret?: string }
  /** Whether the old one may still be taken for good so long after its end, by a clock that shows this. */
  readonly mayLast: (settledMs: number, clockMs: number) => boolean
  /** Since when somebody has been ending it. */
  readonly endingMs: () => number
  readonly old: string
}

export interface Operators {
  readonly street: Street
  readonly portsOf: (actor: Actor) => RegistrationPorts
  /** What a revocation named, and when it had begun. */
  readonly revoked: (accepted: readonly { readonly id: string }[], sinceMs: number) => void
}

const { tenantId, id, secret: old } = houses.snow
const FRESH = 'a-fresh-secret-of-snow'

/** In some runs an operator changes the secret of a house; then the old one ends after a time, or leaks and ends at once. */
export function playOperators(sim: Simulation): Keys & { start: (operators: Operators) => void } {
  const { faults } = sim
  const state = { freshMs: Infinity, endingMs: Infinity, endedMs: Infinity, untilMs: 0 }
  const start = ({ street, portsOf, revoked }: Operators) => {
    if (faults.chance('rotates') > 0.6) return
    const leaks = faults.chance('leaks') < 0.5
    const afterMs = leaks ? 0 : between(faults, 'window', [1, 10]) * MINUTE_MS
    const insist = (name: string, work: (actor: Actor) => Promise<void>): void =>
      sim.spawn({
        kind: 'operator',
        name,
        work,
        ended: ({ kind }) => {
          if (kind !== 'returned') sim.at(sim.now() + AGAIN_MS, () => insist(`${name}'`, work))
        },
      })
    const add = async (actor: Actor) => {
      await addSecret(portsOf(actor), { tenantId, id }, FRESH)
      state.freshMs = Math.min(state.freshMs, sim.now())
      const endAt = sim.now() + CHANGE_MS + faults.chance('end') * 10 * MINUTE_MS
      sim.at(endAt, () => insist('operator ends it', end))
    }
    const end = async (actor: Actor) => {
      const begunMs = sim.now()
      state.endingMs = Math.min(state.endingMs, begunMs)
      sim.note(actor.name, leaks ? 'revokes the old secret' : 'lets the old secret run out')
      const ports = portsOf(actor)
      const what = { secretId: 's1', afterMs, hours: 24 }
      const { accepted } = await retireSecret(ports, { tenantId, id }, what).catch(goneBefore)
      if (state.endedMs < Infinity) return
      state.endedMs = sim.now() + afterMs
      // A time that is to come is told by clocks, and theirs differ; what is revoked is so whatever they show.
      if (!leaks) state.untilMs = actor.clock().getTime() + afterMs
      if (leaks) revoked(accepted, begunMs)
      playThieves(street, state.endedMs)
    }
    const atMs = START_MS + faults.chance('rotates at') * 20 * MINUTE_MS
    sim.act(atMs, 'act operator', () => insist('operator adds one', add))
  }
  return {
    start,
    old,
    mayLast: (settledMs, clockMs) =>
      sim.now() < state.endedMs + settledMs || clockMs < state.untilMs + settledMs,
    endingMs: () => state.endingMs,
    now: (chance) => {
      const mayBeFresh = sim.now() > state.freshMs + CHANGE_MS / 2
      const mustBeFresh = sim.now() > Math.min(state.endingMs, state.freshMs + CHANGE_MS)
      return mustBeFresh || (mayBeFresh && chance < 0.5) ? { secret: FRESH } : {}
    },
  }
}

/** The store may have lost the answer to an end that was written. */
function goneBefore(error: unknown): never {
  throw error instanceof AppError ? error : new Error('an operator met a fault of ours')
}

/** Who has the old secret goes on using it. */
function playThieves(street: Street, endedMs: number): void {
  const { sim } = street
  for (let index = 0; index < 6; index += 1) {
    const label = `thief ${index}`
    const atMs = endedMs + sim.faults.chance(`${label} at`) * (index < 3 ? 12 : 55) * MINUTE_MS
    if (atMs > START_MS + 2 * HOUR_MS) continue
    sim.at(atMs, () =>
      post(street, {
        label,
        what: 'a signature by a secret that has ended',
        house: houses.snow,
        make: () =>
          callAt(houses.snow, incident(`stolen-${index}`), {
            id: label,
            now: sim.date(),
            secret: old,
          }),
        hope: { kind: 'refused' },
        tries: 1,
      }),
    )
  }
}
