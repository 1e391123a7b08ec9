export interface Delivery {
  readonly id: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface DeliveryCounts {
  readonly attempts: number
  readonly delivered: number
  readonly failed: number
  /** In flight, or waiting for their turn. */
  readonly pending: number
}

const TIMEOUT_MS = 10_000
const REMEMBERED = 1_000

/** Posts one webhook after the other, each once, and remembers the last ones so that they can be sent again. */
export class WebhookPoster implements AsyncDisposable {
  readonly #stop = new AbortController()
  readonly #sent = new Map<string, Delivery>()
  #counts = { attempts: 0, delivered: 0, failed: 0, pending: 0 }
  #last: Promise<void> = Promise.resolve()

  post(delivery: Delivery): void {
    this.#sent.set(delivery.id, delivery)
    const oldest = this.#sent.keys().next().value
    if (this.#sent.size > REMEMBERED && oldest !== undefined) this.#sent.delete(oldest)
    this.#counts.pending += 1
    this.#last = this.#last.then(() => this.#send(delivery))
  }

  /** The same delivery once more, under the same id. */
  repeat(id: string): void {
    const delivery = this.#sent.get(id)
    if (!delivery) throw new RangeError(`there was no delivery ${id}`)
    this.post(delivery)
  }

  ids(): string[] {
    return [...this.#sent.keys()]
  }

  counts(): DeliveryCounts {
    return { ...this.#counts }
  }

  /** Waits until nothing is in flight. */
  settled(): Promise<void> {
    return this.#last
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#last
  }

  async #send({ url, headers, body }: Delivery): Promise<void> {
    if (!this.#stop.signal.aborted) {
      this.#counts.attempts += 1
      const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(TIMEOUT_MS)])
      const isAccepted = await fetch(url, { method: 'POST', headers, body, signal })
        .then(async (response) => {
          await response.body?.cancel()
          return response.ok
        })
        .catch(() => false)
      this.#counts[isAccepted ? 'delivered' : 'failed'] += 1
    }
    this.#counts.pending -= 1
  }
}
