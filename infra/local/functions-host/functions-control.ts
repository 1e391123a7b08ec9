import { Control } from '../control.ts'
import type { HostedFunction } from './functions.ts'
import type { InvocationResult, Outcome } from './invocation.ts'
import type { HostKeys } from './keys.ts'

export type Counts = Readonly<Record<Outcome, number>>

/** What tests and people may ask of a running functions host, besides what every emulator offers. */
export class FunctionsControl extends Control {
  readonly keys: HostKeys
  readonly #counts = new Map<string, Record<Outcome, number>>()
  readonly #waiting = new Set<() => void>()
  readonly #parts: FunctionsParts

  constructor(keys: HostKeys, parts: FunctionsParts) {
    super(() => ({ ...parts.state(), invocations: this.invocations() }))
    this.keys = keys
    this.#parts = parts
  }

  functions(): readonly HostedFunction[] {
    return this.#parts.functions()
  }

  /** Runs a timer function now (after a run under way) and tells how it went. Rejects for another name. */
  fireTimer(name: string): Promise<InvocationResult> {
    return this.#parts.fireTimer(name)
  }

  /** Finished invocations since the start, by function and outcome. */
  invocations(): Readonly<Record<string, Counts>> {
    return Object.fromEntries(this.#counts)
  }

  /** Resolves once no invocation runs. Messages that wait in a queue do not count. */
  idle(): Promise<void> {
    return this.#parts.idle()
  }

  /** Resolves once the function has finished at least `times` since the start, with `outcome` if one is given. */
  async finished(name: string, times = 1, outcome?: Outcome): Promise<void> {
    while (this.#finished(name, outcome) < times) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve)
      })
    }
  }

  /** Counts one finished invocation. For the host. */
  count(name: string, outcome: Outcome): void {
    const counts = this.#counts.get(name) ?? { succeeded: 0, failed: 0, 'timed-out': 0 }
    this.#counts.set(name, counts)
    counts[outcome] += 1
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  #finished(name: string, outcome: Outcome | undefined): number {
    const counts = this.#counts.get(name)
    if (!counts) return 0
    return outcome ? counts[outcome] : counts.succeeded + counts.failed + counts['timed-out']
  }
}

/** The host's side of the control. */
export interface FunctionsParts {
  readonly functions: () => readonly HostedFunction[]
  readonly fireTimer: (name: string) => Promise<InvocationResult>
  readonly idle: () => Promise<void>
  readonly state: () => object
}
