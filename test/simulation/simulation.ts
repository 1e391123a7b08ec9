import { setImmediate as drained } from 'node:timers/promises'
import type { Clock } from '../../src/core/time.ts'
import { faultsAt, type Fault, type FaultKind, type Faults, type Place } from './faults.ts'

/** One invocation of a function on some instance: it works until it ends or its process dies. */
export interface Actor {
  readonly kind: string
  readonly name: string
  readonly alive: () => boolean
  /** The instance's own clock. */
  readonly clock: Clock
  readonly random: () => number
}

/** A call over a port. */
export interface Call<R> {
  readonly place: Place
  /** The caller gives up after so long: it is never delayed by more. */
  readonly longestMs?: number
  readonly effect: (fault: Fault | undefined) => R | Promise<R>
  /** The error that the caller sees when the call fails. */
  readonly failure: () => Error
}

export interface Violation {
  /** Of architecture.md, 1 to 10. */
  readonly invariant: number
  readonly message: string
}

export interface Struck {
  readonly site: string
  readonly kind: FaultKind
}

export interface Entry {
  readonly atMs: number
  readonly who: string
  readonly what: string
}

export interface Simulation {
  readonly faults: Faults
  /** The true time, which nobody in the system can read. */
  readonly now: () => number
  readonly date: () => Date
  /** Lets something happen at an instant, in milliseconds since the epoch. */
  readonly at: (atMs: number, happen: () => void) => void
  /** The same for what the world itself does, so that a failing run can be tried without it. */
  readonly act: (atMs: number, label: string, happen: () => void) => void
  readonly spawn: (who: Spawned) => void
  readonly call: <R>(actor: Actor, site: string, call: Call<R>) => Promise<R>
  readonly strike: (site: string, label: string, place: Place) => Fault | undefined
  /** Everything that has gone wrong so far. */
  readonly struck: readonly Struck[]
  readonly note: (who: string, what: string) => void
  /** Ends the run: an invariant does not hold. */
  readonly violate: (invariant: number, message: string) => void
}

export interface Spawned {
  readonly kind: string
  readonly name: string
  /** Its clock may be wrong by so much. */
  readonly mostSkewMs?: number
  readonly work: (actor: Actor) => Promise<void>
  readonly ended?: (end: End, actor: Actor) => void
}

export type End =
  | { readonly kind: 'returned' | 'died' }
  | { readonly kind: 'threw'; readonly error: unknown }

export interface Running extends Simulation {
  /** Runs until that instant, or until a violation. */
  readonly run: (untilMs: number) => Promise<void>
  readonly violation: () => Violation | undefined
  readonly timeline: readonly Entry[]
  readonly calls: () => number
}

/** A run that rests in time makes about a thousand. */
const MOST_CALLS = 30_000
const LATENCY_MS = 40
const LONGEST_DELAY_MS = 12 * 60_000
/** Wrong clocks that were met: an hour back after daylight saving, seconds, minutes ahead, an hour ahead. */
const SKEWS_MS = [-3_600_000, -20_000, 20_000, 420_000, 3_600_000]

export function longOf(size: number): number {
  return Math.round(100 * (LONGEST_DELAY_MS / 100) ** size)
}

/**
 * Virtual time and everybody in it. Nothing runs by itself: a call over a port waits on the way there and on the way
 * back, for as long as the seed says, and so the seed decides every interleaving. A process that dies is simply never
 * called back.
 */
export function simulation(
  startMs: number,
  faults: Faults,
  options: { readonly faultsEndMs: number; readonly traced: boolean },
): Running {
  const queue = timeline()
  const entries: Entry[] = []
  let nowMs = startMs
  let calls = 0
  const broken: Violation[] = []
  const struck: Struck[] = []

  const note = (who: string, what: string) => {
    if (options.traced) entries.push({ atMs: nowMs, who, what })
  }
  const strike: Simulation['strike'] = (site, label, place) => {
    if (nowMs >= options.faultsEndMs) return undefined
    const fault = faults.strike({ site, label, kinds: faultsAt[place] })
    if (!fault) return undefined
    struck.push({ site, kind: fault.kind })
    note(label, `FAULT ${fault.kind}${describe(fault)}`)
    return fault
  }
  const spawn: Simulation['spawn'] = ({ kind, name, work, ended, mostSkewMs = Infinity }) => {
    const skew = strike(`${kind} clock`, `${name} clock`, 'instance clock')
    const skews = SKEWS_MS.filter((ms) => Math.abs(ms) <= mostSkewMs)
    const skewMs = skew ? (skews[Math.floor(skew.size * skews.length)] ?? 0) : 0
    let numbers = 0
    const actor: Living = {
      kind,
      name,
      living: true,
      alive: () => actor.living,
      clock: () => new Date(nowMs + skewMs),
      random: () => faults.chance(`${name} random ${(numbers += 1)}`),
      reached: new Map(),
      die: () => {
        actor.living = false
        ended?.({ kind: 'died' }, actor)
      },
    }
    living.set(actor, actor)
    note(name, 'begins')
    const end = (how: End) => {
      if (!actor.living) return
      actor.living = false
      note(name, how.kind === 'threw' ? `throws ${String(how.error)}` : 'ends')
      ended?.(how, actor)
    }
    void work(actor).then(
      () => end({ kind: 'returned' }),
      (error: unknown) => end({ kind: 'threw', error }),
    )
  }
  const living = new WeakMap<Actor, Living>()
  const call: Simulation['call'] = (
    actor,
    site,
    { place, effect, failure, longestMs = Infinity },
  ) => {
    const self = living.get(actor)
    if (!self) throw new Error(`${actor.name} was not spawned here`)
    const nth = (self.reached.get(site) ?? 0) + 1
    self.reached.set(site, nth)
    const label = `${actor.name} ${site} ${nth}`
    return new Promise((resolve, reject) => {
      const fault = strike(`${actor.kind} ${site}`, label, place)
      const thereMs = 1 + faults.chance(`${label} there`) * LATENCY_MS
      const backMs = 1 + faults.chance(`${label} back`) * LATENCY_MS
      const extraMs = fault?.kind === 'delay' ? Math.min(longestMs, longOf(fault.size)) : 0
      // A call that stalls does so on the way there or on the way back.
      const stallsLate = faults.chance(`${label} late`) < 0.5
      const answer = (give: () => void) =>
        at(nowMs + backMs + (stallsLate ? extraMs : 0), () => {
          if (self.living) give()
        })
      const happen = async () => {
        if (!self.living) return
        calls += 1
        if (fault?.kind === 'crash-before') return self.die()
        if (fault?.kind === 'unavailable') return answer(() => reject(failure()))
        const result = await effect(fault)
        if (fault?.kind === 'crash-after') return self.die()
        if (fault?.kind === 'answer-lost') return answer(() => reject(failure()))
        answer(() => resolve(result))
      }
      at(nowMs + thereMs + (stallsLate ? 0 : extraMs), () => void happen().catch(reject))
    })
  }
  const at: Simulation['at'] = (atMs, happen) => queue.push(Math.max(nowMs, atMs), happen)

  const sim: Running = {
    faults,
    now: () => nowMs,
    date: () => new Date(nowMs),
    at,
    act: (atMs, label, happen) =>
      at(atMs, () => {
        if (!faults.acts(label)) return
        note('world', label)
        happen()
      }),
    spawn,
    call,
    strike,
    struck,
    note,
    violate: (invariant, message) => {
      broken.push({ invariant, message })
      note('INVARIANT', `${invariant}: ${message}`)
    },
    run: async (untilMs) => {
      for (let next = queue.pop(untilMs); next && broken.length === 0; next = queue.pop(untilMs)) {
        nowMs = next.atMs
        next.happen()
        await drained()
        if (calls > MOST_CALLS) sim.violate(9, 'the work goes round and round and never ends')
      }
      nowMs = Math.max(nowMs, untilMs)
    },
    violation: () => broken[0],
    timeline: entries,
    calls: () => calls,
  }
  return sim
}

interface Living extends Actor {
  living: boolean
  readonly reached: Map<string, number>
  readonly die: () => void
}

function describe({ kind, size }: Fault): string {
  return kind === 'delay' ? ` of ${Math.round(longOf(size) / 100) / 10} s` : ''
}

interface Due {
  readonly atMs: number
  readonly order: number
  readonly happen: () => void
}

/** A heap by time, then by order of arrival. */
function timeline() {
  const heap: Due[] = []
  let order = 0
  const before = (a: Due | undefined, b: Due | undefined) =>
    a !== undefined &&
    (b === undefined || a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order))
  const swap = (a: number, b: number) => {
    const [one, other] = [heap[a], heap[b]]
    if (!one || !other) return
    heap[a] = other
    heap[b] = one
  }
  const push = (atMs: number, happen: () => void) => {
    heap.push({ atMs, order: (order += 1), happen })
    for (let at = heap.length - 1; at > 0;) {
      const parent = (at - 1) >> 1
      if (!before(heap[at], heap[parent])) return
      swap(at, parent)
      at = parent
    }
  }
  const pop = (untilMs: number): Due | undefined => {
    const top = heap[0]
    if (!top || top.atMs > untilMs) return undefined
    const last = heap.pop()
    if (last && heap.length > 0) heap[0] = last
    for (let at = 0; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      const child = before(heap[right], heap[left]) ? right : left
      if (!before(heap[child], heap[at])) return top
      swap(at, child)
      at = child
    }
  }
  return { push, pop }
}
