import { z } from 'zod'
import { Control, controlCommand, type Fault } from '../control.ts'
import { round } from './charge.ts'
import { SUBSTATUS } from './errors.ts'
import { LONGEST_LAG, setLag } from './replica.ts'
import { containersNamed, type Store } from './store.ts'

export interface ChargeReport {
  /** RU since the start or the last reset. */
  readonly total: number
  readonly byOperation: Readonly<Record<string, number>>
}

const lagShape = z.strictObject({
  container: z.string(),
  commits: z.int().min(0).max(LONGEST_LAG),
  ms: z.number().nonnegative().optional(),
})

/** Replicas of the containers with this name are behind by so many commits, but by no more than so long. */
export interface LagOrder {
  readonly container: string
  /** 0 ends it; at most a thousand. */
  readonly commits: number
  /** By the emulator's clock; without end when absent. */
  readonly ms?: number | undefined
}

/** The shared control, which also knows what everything cost and how the service throttles. */
export class CosmosControl extends Control {
  readonly #charges = new Map<string, number>()
  readonly #store: Store

  constructor(store: Store, inspect: () => unknown) {
    super(inspect)
    this.#store = store
  }

  /** A planned 429 without headers says what the service says: try again soon, substatus 3200. */
  override enter(operation: string): Fault | undefined {
    const fault = super.enter(operation)
    if (fault?.status !== 429) return fault
    return {
      body: JSON.stringify({ code: 'TooManyRequests', message: 'Request rate is large.' }),
      ...fault,
      headers: {
        'x-ms-retry-after-ms': String(RETRY_AFTER_MS),
        'x-ms-substatus': String(SUBSTATUS.requestRateTooLarge),
        ...fault.headers,
      },
    }
  }

  /**
   * From now on whatever is read of a container comes from a replica that lags, unless the request's session token is later
   * than that: then from one that has what the token names. Writes always meet the present state. What was written before
   * this call is everywhere. Throws a RangeError when no container has the name.
   */
  lag({ container: name, commits, ms = Number.POSITIVE_INFINITY }: LagOrder): void {
    const found = containersNamed(this.#store, name)
    if (found.length === 0) throw new RangeError(`no container is called ${name}`)
    for (const container of found) setLag(container, { commits, ms })
  }

  override commands() {
    return { lag: controlCommand(lagShape, (order) => this.lag(order)) }
  }

  /** Request units by operation name, like `POST docs query`. */
  requestCharge(): ChargeReport {
    const byOperation = Object.fromEntries(
      Array.from(this.#charges, ([name, charge]) => [name, round(charge)]),
    )
    const total = round(Object.values(byOperation).reduce((sum, charge) => sum + charge, 0))
    return { total, byOperation }
  }

  override resetCalls(): void {
    super.resetCalls()
    this.#charges.clear()
  }

  /** For the emulator. */
  charge(operation: string, charge: number): void {
    this.#charges.set(operation, (this.#charges.get(operation) ?? 0) + charge)
  }
}

const RETRY_AFTER_MS = 10
