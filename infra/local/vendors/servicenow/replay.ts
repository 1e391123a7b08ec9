import type { VirtualClock } from '../../clock.ts'
import { toIncident, type IncidentLog } from './incident-log.ts'
import type { Instance } from './instance.ts'

const TICK_MS = 50
/** The timer waits while more webhooks than this are on their way; a step by hand does not. */
const MOST_PENDING = 2_000

/** Loads every incident as it was at the end of the log, without business rules. */
export function loadFinalState(log: IncidentLog, instance: Instance): void {
  const last = new Map<string, readonly string[]>()
  const at = log.columns.indexOf('number')
  for (const event of log.events) last.set(event[at] ?? '', event)
  for (const event of last.values())
    instance.writeSilently('incident', toIncident(log, event, instance))
}

/** Lets the log happen again, event by event, with the stamps of the log and the business rules of the instance. */
export class Replay implements Disposable {
  readonly #log: IncidentLog
  readonly #instance: Instance
  #next = 0
  #disarm: (() => void) | undefined

  constructor(log: IncidentLog, instance: Instance) {
    this.#log = log
    this.#instance = instance
  }

  progress(): { readonly applied: number; readonly events: number } {
    return { applied: this.#next, events: this.#log.events.length }
  }

  /** Applies the next events; tells how many there were. */
  step(events: number): number {
    const until = Math.min(this.#next + events, this.#log.events.length)
    const first = this.#next
    for (; this.#next < until; this.#next += 1) this.#apply(this.#log.events[this.#next] ?? [])
    return until - first
  }

  /** Applies so many events a second of the clock until the log ends. */
  run(clock: VirtualClock, eventsPerSecond: number, pending: () => number): void {
    this.pause()
    let lastMs = clock.now()
    let owed = 0
    const tick = (): void => {
      owed += ((clock.now() - lastMs) * eventsPerSecond) / 1000
      lastMs = clock.now()
      if (pending() > MOST_PENDING) owed = 0
      owed -= this.step(Math.floor(owed))
      const isOver = this.#next >= this.#log.events.length
      this.#disarm = isOver ? undefined : clock.at(clock.now() + TICK_MS, tick)
    }
    tick()
  }

  pause(): void {
    this.#disarm?.()
    this.#disarm = undefined
  }

  [Symbol.dispose](): void {
    this.pause()
  }

  #apply(event: readonly string[]): void {
    const row = toIncident(this.#log, event, this.#instance)
    const isKnown = this.#instance.store('incident').get(row['sys_id'] ?? '') !== undefined
    this.#instance.commit({
      table: 'incident',
      operation: isKnown ? 'update' : 'insert',
      row,
      by: row['sys_updated_by'] ?? '',
    })
  }
}
