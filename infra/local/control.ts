import type { z } from 'zod'
import { VirtualClock } from './clock.ts'

/** What goes wrong with the next calls. Without `status`, `condition` or `connection` the call is only delayed. */
export interface Fault {
  /** A regular expression over operation names; every operation when absent. */
  readonly operation?: string
  /** How many calls it strikes. Default 1. */
  readonly times?: number
  readonly delayMs?: number
  /** Answer this HTTP status instead of doing the work. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** The same for AMQP: refuse with this error condition. */
  readonly condition?: string
  /** `drop` closes the connection before the work; `lose-answer` does the work and closes it instead of answering. */
  readonly connection?: 'drop' | 'lose-answer'
}

/** Takes a JSON body, answers what goes out as JSON; throws a ZodError for a body that does not fit. */
export type ControlCommand = (body: unknown) => unknown

/** A named command whose body has this shape. */
export function controlCommand<T>(shape: z.ZodType<T>, run: (input: T) => unknown): ControlCommand {
  return (body) => run(shape.parse(body))
}

/**
 * The side channel of an emulator: production clients never see it. Tests use it in process, people and other processes
 * over HTTP (`control-server.ts`).
 */
export class Control implements Disposable {
  readonly clock = new VirtualClock()
  readonly #faults: { fault: Fault; pattern: RegExp; left: number }[] = []
  readonly #calls = new Map<string, number>()
  readonly #listeners: ((operation: string) => void)[] = []
  readonly #inspect: () => unknown

  constructor(inspect: () => unknown) {
    this.#inspect = inspect
  }

  /** Strikes the next calls that match. Faults are used up in the order in which they were planned. */
  fail(fault: Fault): void {
    this.#faults.push({ fault, pattern: new RegExp(fault.operation ?? ''), left: fault.times ?? 1 })
  }

  clearFaults(): void {
    this.#faults.length = 0
  }

  /** Hears of each call before it is served, so that a fault which it plans may strike that very call. */
  onCall(listener: (operation: string) => void): void {
    this.#listeners.push(listener)
  }

  /** Counts a call of `operation` and tells what is to go wrong with it. For emulators. */
  enter(operation: string): Fault | undefined {
    this.#calls.set(operation, (this.#calls.get(operation) ?? 0) + 1)
    for (const listener of this.#listeners) listener(operation)
    const index = this.#faults.findIndex(({ pattern }) => pattern.test(operation))
    const planned = this.#faults[index]
    if (!planned) return undefined
    planned.left -= 1
    if (planned.left <= 0) this.#faults.splice(index, 1)
    return planned.fault
  }

  /** Calls since the start or the last reset, by operation. */
  calls(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#calls)
  }

  resetCalls(): void {
    this.#calls.clear()
  }

  /** The emulator's state as plain JSON, for people and assertions. */
  inspect(): unknown {
    return this.#inspect()
  }

  /** What this emulator can do on demand beyond the verbs above: `POST /{name}/commands/{command}`. */
  commands(): Readonly<Record<string, ControlCommand>> {
    return {}
  }

  [Symbol.dispose](): void {
    this.clock[Symbol.dispose]()
  }
}
