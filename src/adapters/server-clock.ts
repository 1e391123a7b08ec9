import type { Clock } from '../core/time.ts'

/** When a call was sent and its answer was there, by our own clock, and the `Date` that the answer carried. */
export interface TimedAnswer {
  readonly sentMs: number
  readonly receivedMs: number
  readonly date: string | undefined
}

export interface ServerClock {
  readonly now: Clock
  readonly learnFrom: (answer: TimedAnswer) => void
}

/** `Date` counts whole seconds (RFC 9110, section 5.6.7). */
const STEP_MS = 1_000
/** A correction of less is told to nobody. */
const WORTH_TELLING_MS = 5_000

/**
 * The time by the clock of a server that all instances talk to. Each answer says between which bounds our own clock may be
 * off; what all of them allow is believed, and the last one alone where they contradict each other, because then our clock
 * was set. A clock that may be right is left as it is. Leases and windows of instances whose clocks differ so agree to
 * within a second and the time that a call takes.
 */
export function serverClock({
  own = Date.now,
  tell = () => {},
}: {
  readonly own?: () => number
  /** Told by how many milliseconds our own clock is behind (or, below zero, ahead) when that becomes known. */
  readonly tell?: (behindMs: number) => void
} = {}): ServerClock {
  let [least, most] = [-Infinity, Infinity]
  let told = 0
  const behindMs = () => Math.min(Math.max(0, least), most)
  return {
    now: () => new Date(own() + behindMs()),
    learnFrom: ({ sentMs, receivedMs, date }) => {
      const dateMs = Date.parse(date ?? '')
      // A clock that was set while the call was under way says nothing.
      if (Number.isNaN(dateMs) || receivedMs < sentMs) return
      const [from, to] = [dateMs - receivedMs, dateMs + STEP_MS - sentMs]
      const agrees = from <= most && to >= least
      least = agrees ? Math.max(least, from) : from
      most = agrees ? Math.min(most, to) : to
      if (Math.abs(behindMs() - told) < WORTH_TELLING_MS) return
      told = behindMs()
      tell(told)
    },
  }
}
