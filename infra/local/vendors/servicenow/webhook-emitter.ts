import type { VirtualClock } from '../../clock.ts'
import type { Instance, RecordChange } from './instance.ts'
import { RetrySchedule } from './retry-schedule.ts'
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
/** Milliseconds before the second, third, … attempt: 1, 5, 15 and 60 minutes, as in the business rule that we ship. */
const RETRY_WAITS_MS = [60_000, 300_000, 900_000, 3_600_000]
const PARALLEL_POSTS = 8
const POST_TIMEOUT_MS = 10_000

interface Job {
  readonly change: RecordChange
  readonly attempt: number
}

/** Posts changes as the business rule does: after the transaction, a few at a time, again on failure. */
export class WebhookEmitter implements AsyncDisposable {
  readonly #instance: Instance
  readonly #schedule: RetrySchedule<Job>
  readonly #stop = new AbortController()
  readonly #queue: Job[] = []
  readonly #running = new Set<Promise<void>>()
  #workers = 0
  #target: WebhookTarget | undefined
  #counts = { changes: 0, attempts: 0, delivered: 0, lost: 0 }

  constructor(instance: Instance, clock: VirtualClock, target: WebhookTarget | undefined) {
    this.#instance = instance
    this.#schedule = new RetrySchedule(clock, RETRY_WAITS_MS, (job: Job) => this.#enqueue(job))
    this.#target = target
    instance.onChange((change) => this.#see(change))
  }

  /** Installs the rule with other properties, or removes it. */
  retarget(target: WebhookTarget | undefined): void {
    this.#target = target
  }

  counts(): WebhookCounts {
    const pending = this.#queue.length + this.#running.size
    return { ...this.#counts, pending, scheduled: this.#schedule.size }
  }

  /** Waits until nothing is in flight; what waits for the clock keeps waiting. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#target = undefined
    this.#schedule[Symbol.dispose]()
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
    if (this.#workers >= PARALLEL_POSTS) return
    this.#workers += 1
    const worker: Promise<void> = this.#work().finally(() => this.#running.delete(worker))
    this.#running.add(worker)
  }

  async #work(): Promise<void> {
    await Promise.resolve()
    for (let job = this.#queue.shift(); job; job = this.#queue.shift()) await this.#post(job)
    // In the same turn as the last look into the queue, or a job could find eight workers that have all gone.
    this.#workers -= 1
  }

  async #post(job: Job): Promise<void> {
    const target = this.#target
    const change = target && this.#present(job)
    if (!target || !change) return
    this.#counts.attempts += 1
    const { body, headers } = buildMessage(change, this.#instance, target)
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(POST_TIMEOUT_MS)])
    const isAccepted = await fetch(target.url, { method: 'POST', headers, body, signal })
      .then(async (response) => {
        await response.body?.cancel()
        return response.ok
      })
      .catch(() => false)
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
    const isScheduled = this.#schedule.add({ change, attempt: attempt + 1 }, attempt)
    if (!isScheduled) this.#counts.lost += 1
  }
}
