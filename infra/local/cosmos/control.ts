import { Control, type Fault } from '../control.ts'
import { round } from './charge.ts'
import { SUBSTATUS } from './errors.ts'

export interface ChargeReport {
  /** RU since the start or the last reset. */
  readonly total: number
  readonly byOperation: Readonly<Record<string, number>>
}

/** The shared control, which also knows what everything cost and how the service throttles. */
export class CosmosControl extends Control {
  readonly #charges = new Map<string, number>()

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
