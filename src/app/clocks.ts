import { serverClock, type ServerClock } from '../adapters/server-clock.ts'
import type { Log } from '../core/log.ts'
import { SECOND_MS, type Clock } from '../core/time.ts'

export interface Clocks {
  /** The store's time, for what instances agree on: leases, slots, windows. */
  readonly clock: Clock
  readonly learnTime: ServerClock['learnFrom']
  /** Time that has passed: a clock that is set back must stop nobody for as long. */
  readonly steady: Clock
}

/** `given` stands in for all of them. */
export function clocksOf(given: Clock | undefined, log: Log): Clocks {
  const { now, learnFrom } = serverClock({
    tell: (behindMs) => {
      const seconds = Math.round(Math.abs(behindMs) / SECOND_MS)
      const how =
        seconds === 0 ? 'right again' : `${seconds} s ${behindMs > 0 ? 'behind' : 'ahead'}`
      log.warn(`the clock of this instance is ${how}: the time of the store is used`)
    },
  })
  return { clock: given ?? now, learnTime: learnFrom, steady: given ?? steadyClock }
}

const steadyClock: Clock = () => new Date(performance.timeOrigin + performance.now())
