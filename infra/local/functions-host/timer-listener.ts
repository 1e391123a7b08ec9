import type { Disarm, VirtualClock } from '../clock.ts'
import type { HostedFunction, TimerTrigger } from './functions.ts'
import type { InvocationResult, TriggerInput } from './invocation.ts'
import {
  checkAtStart,
  isMonitored,
  readSchedule,
  timerJson,
  type Schedule,
  type ScheduleStatus,
} from './schedule.ts'
import type { ScheduleStore } from './schedule-store.ts'

export interface TimerOptions {
  readonly fn: HostedFunction
  readonly trigger: TimerTrigger
  readonly clock: VirtualClock
  readonly store: ScheduleStore
  readonly invoke: (fn: HostedFunction, input: TriggerInput) => Promise<InvocationResult>
  /** A failure of the listener itself, like a status file that cannot be written. */
  readonly problem: (message: string) => void
}

/** Runs one timer function when the clock says so; never two runs at once. */
export class TimerListener implements Disposable {
  readonly #options: TimerOptions
  readonly #schedule: Schedule
  #status: ScheduleStatus | undefined
  #monitored = false
  #disarm: Disarm | undefined
  #stopped = false
  #turn: Promise<void> | undefined

  /** Throws when the schedule cannot be read. */
  constructor(options: TimerOptions) {
    this.#options = options
    this.#schedule = readSchedule(options.trigger.schedule)
  }

  get name(): string {
    return this.#options.fn.name
  }

  /** Milliseconds since the epoch; undefined before the start, after the stop, or when never again. */
  get nextMs(): number | undefined {
    return this.#stopped ? undefined : this.#status?.next
  }

  /** Looks what was missed while nothing ran, runs it once, and waits for the next time. */
  async start(): Promise<void> {
    const { clock, store, fn, trigger } = this.#options
    const nowMs = clock.now()
    this.#monitored = isMonitored(this.#schedule, trigger.useMonitor, nowMs)
    const remembered = this.#monitored ? store.get(fn.name) : undefined
    const { status, isPastDue } = checkAtStart(this.#schedule, remembered, nowMs)
    this.#status = status
    if (status && this.#monitored && status !== remembered) await store.set(fn.name, status)
    if (isPastDue || trigger.runOnStartup) this.#launch(isPastDue)
    else this.#arm()
  }

  /** Runs the function now, after a run that is under way. The schedule stays as it is. */
  fire(isPastDue = false): Promise<InvocationResult> {
    return this.#queue(() => this.#invoke(isPastDue))
  }

  /** Resolves when the runs that stand in the line are over; undefined when none does. */
  get busy(): Promise<void> | undefined {
    return this.#turn
  }

  [Symbol.dispose](): void {
    this.#stopped = true
    this.#disarm?.()
  }

  #arm(): void {
    if (this.#stopped || !this.#status) return
    const { clock } = this.#options
    if (this.#status.next <= clock.now()) this.#launch(false)
    else this.#disarm = clock.at(this.#status.next, () => this.#launch(false))
  }

  #launch(isPastDue: boolean): void {
    this.#queue(async () => {
      await this.#runDue(isPastDue)
      this.#arm()
    }).catch((error: unknown) => this.#options.problem(String(error)))
  }

  /** A time that passed during the run is made up for once, at once: the next one is counted from this run's start. */
  async #runDue(isPastDue: boolean): Promise<void> {
    if (this.#stopped) return
    const { clock, store, fn } = this.#options
    const startedMs = clock.now()
    await this.#invoke(isPastDue)
    const next = this.#schedule.next(startedMs)
    this.#status =
      next === undefined ? undefined : { last: startedMs, next, lastUpdated: startedMs }
    if (this.#status && this.#monitored) await store.set(fn.name, this.#status)
  }

  #invoke(isPastDue: boolean): Promise<InvocationResult> {
    const status = this.#monitored ? this.#status : undefined
    return this.#options.invoke(this.#options.fn, {
      data: { json: timerJson(this.#schedule, status, isPastDue) },
    })
  }

  /** Starts at once when nothing runs, so that a step of the clock has begun what it made due. */
  #queue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn ? this.#turn.then(work) : work()
    const turn = result.then(nothing, nothing)
    this.#turn = turn
    void this.#forget(turn)
    return result
  }

  async #forget(turn: Promise<void>): Promise<void> {
    await turn
    if (this.#turn === turn) this.#turn = undefined
  }
}

function nothing(): void {}
