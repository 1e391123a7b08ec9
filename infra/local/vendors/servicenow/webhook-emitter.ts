import type { VirtualClock } from '../../clock.ts'
import type { Instance, RecordChange } from './instance.ts'
import { buildMessage, type Signing } from './webhook-message.ts'

export interface WebhookTarget extends Signing {
  readonly url: string
  /** Which tables have the business rule. Default: incidents, changes and approvals. */
  readonly tables?: readonly string[] | undefined
}

export interface WebhookCounts {
  /** Changes that the rule saw. */
  readonly changes: number
  readonly attempts: number
  readonly delivered: number
  /** Given up after the last attempt. */
  readonly lost: number
  /** In flight, or waiting for their turn. */
  readonly pending: number
  /** Waiting for the clock. */
  readonly scheduled: number
}

const DEFAULT_TABLES = ['incident', 'change_request', 'sysapproval_approver']
/** Minutes until the second, third, … attempt: the schedule of the business rule that we ship. */
const RETRY_MINUTES = [1, 5, 15, 60]
const PARALLEL_POSTS = 8
const POST_TIMEOUT_MS = 10_000

interface Job {
  readonly change: RecordChange
  readonly attempt: number
}

/** Posts changes as the business rule does: after the transaction, a few at a time, again on failure. */
export class WebhookEmitter implements AsyncDisposable {
  readonly #instance: Instance
  readonly #clock: VirtualClock
  readonly #stop = new AbortController()
  readonly #queue: Job[] = []
  readonly #running = new Set<Promise<void>>()
  #target: WebhookTarget | undefined
  #counts = { changes: 0, attempts: 0, delivered: 0, lost: 0, scheduled: 0 }

  constructor(instance: Instance, clock: VirtualClock, target: WebhookTarget | undefined) {
    this.#instance = instance
    this.#clock = clock
    this.#target = target
    instance.onChange((change) => this.#see(change))
  }

  /** Installs the rule with other properties, or removes it. */
  retarget(target: WebhookTarget | undefined): void {
    this.#target = target
  }

  counts(): WebhookCounts {
    return { ...this.#counts, pending: this.#queue.length + this.#running.size }
  }

  /** Waits until nothing is in flight; what waits for the clock keeps waiting. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#target = undefined
    this.#queue.length = 0
    this.#stop.abort()
    await this.settled()
  }

  #see(change: RecordChange): void {
    if (!(this.#target?.tables ?? DEFAULT_TABLES).includes(change.table) || !this.#target) return
    this.#counts.changes += 1
    this.#enqueue({ change, attempt: 1 })
  }

  #enqueue(job: Job): void {
    this.#queue.push(job)
    if (this.#running.size >= PARALLEL_POSTS) return
    const worker: Promise<void> = this.#work().finally(() => this.#running.delete(worker))
    this.#running.add(worker)
  }

  async #work(): Promise<void> {
    await Promise.resolve()
    for (let job = this.#queue.shift(); job; job = this.#queue.shift()) await this.#post(job)
  }

  async #post(job: Job): Promise<void> {
    const target = this.#target
    const change = target && this.#present(job)
    if (!target || !change) return
    this.#counts.attempts += 1
    const { body, headers } = buildMessage(change, this.#instance, target)
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(POST_TIMEOUT_MS)])
    const isAccepted = await fetch(target.url, { method: 'POST', headers, body, signal }).then(
      async (response) => {
        await response.body?.cancel()
        return response.ok
      },
      () => false,
    )
    if (isAccepted) this.#counts.delivered += 1
    else this.#retry(job)
  }

  /** A repeated attempt tells the present state; when the record is gone, its deletion was told by itself. */
  #present({ change, attempt }: Job): RecordChange | undefined {
    if (attempt === 1 || change.operation === 'delete') return change
    const row = this.#instance.find(change.table, change.row['sys_id'] ?? '')
    return row && { ...change, row }
  }

  #retry({ change, attempt }: Job): void {
    const minutes = RETRY_MINUTES[attempt - 1]
    if (minutes === undefined) {
      this.#counts.lost += 1
      return
    }
    this.#counts.scheduled += 1
    this.#clock.at(this.#clock.now() + minutes * 60_000, () => {
      this.#counts.scheduled -= 1
      this.#enqueue({ change, attempt: attempt + 1 })
    })
  }
}
