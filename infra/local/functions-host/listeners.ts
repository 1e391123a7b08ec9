import type { VirtualClock } from '../clock.ts'
import type { HostedFunction, QueueTrigger } from './functions.ts'
import type { InvocationResult, Invoker, TriggerInput } from './invocation.ts'
import { toBatchTrigger, toMessageTrigger, type QueueMessage } from './queue-message.ts'
import type { QueueBus, QueueListener } from './queue-port.ts'
import type { ScheduleStore } from './schedule-store.ts'
import { TimerListener } from './timer-listener.ts'

export interface ListenersOptions {
  readonly functions: readonly HostedFunction[]
  readonly clock: VirtualClock
  readonly store: ScheduleStore
  readonly bus: QueueBus
  readonly invoker: Invoker
}

/** Everything that calls functions without HTTP: timers and queues. Throws for a schedule that cannot be read. */
export class Listeners implements AsyncDisposable {
  readonly #options: ListenersOptions
  readonly #timers = new Map<string, TimerListener>()
  readonly #queues: QueueListener[] = []

  constructor(options: ListenersOptions) {
    this.#options = options
    const { clock, store, invoker } = options
    for (const fn of options.functions) {
      if (fn.trigger.kind !== 'timer') continue
      const timer = new TimerListener({
        fn,
        trigger: fn.trigger,
        clock,
        store,
        invoke: (fn, input) => invoker.invoke(fn, input),
        problem: (message) => invoker.log('error', message, fn.name),
      })
      this.#timers.set(fn.name.toLowerCase(), timer)
    }
  }

  /** Listens for all functions that are not disabled. */
  async start(): Promise<void> {
    for (const fn of this.#options.functions) {
      if (fn.disabled) continue
      if (fn.trigger.kind === 'timer') await this.#timers.get(fn.name.toLowerCase())?.start()
      if (fn.trigger.kind === 'queue') this.#queues.push(this.#listen(fn, fn.trigger))
    }
  }

  /** Takes nothing new; resolves when what was taken is done and settled. */
  async stop(): Promise<void> {
    for (const timer of this.#timers.values()) timer[Symbol.dispose]()
    await Promise.allSettled(this.#queues.map((queue) => queue.stop()))
    await this.idle()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#queues.map((queue) => queue[Symbol.asyncDispose]()))
  }

  fireTimer(name: string): Promise<InvocationResult> {
    const timer = this.#timers.get(name.toLowerCase())
    if (!timer) return Promise.reject(new Error(`no timer function is called ${name}`))
    return timer.fire()
  }

  /** Starts a function with a text as its input (timers take none); false for an HTTP function. */
  fire(fn: HostedFunction, input: string): boolean {
    switch (fn.trigger.kind) {
      case 'http':
        return false
      case 'timer':
        void this.fireTimer(fn.name) // its failure is logged by the invoker
        return true
      case 'queue':
        void this.#options.invoker.invoke(fn, textInput(fn.trigger, input))
        return true
    }
  }

  /** Resolves once no invocation runs and no timer is due. */
  async idle(): Promise<void> {
    const { invoker } = this.#options
    const busy = () => [...this.#timers.values()].flatMap((timer) => timer.busy ?? [])
    while (invoker.running > 0 || busy().length > 0) await Promise.all([invoker.idle(), ...busy()])
  }

  state(): object {
    const timers = [...this.#timers.values()].map(({ name, nextMs }) => [
      name,
      nextMs === undefined ? null : new Date(nextMs).toISOString(),
    ])
    return { nextRuns: Object.fromEntries(timers), running: this.#options.invoker.running }
  }

  #listen(fn: HostedFunction, trigger: QueueTrigger): QueueListener {
    const { bus, invoker } = this.#options
    return bus.listen({
      trigger,
      handle: async (messages) => {
        const result = await invoker.invoke(fn, queueInput(trigger, messages))
        return result.outcome === 'succeeded'
      },
      problem: (message) => invoker.log('warning', message, fn.name),
    })
  }
}

function queueInput(trigger: QueueTrigger, messages: readonly QueueMessage[]): TriggerInput {
  const [first] = messages
  if (!trigger.batch && first) return toMessageTrigger(first, trigger)
  return toBatchTrigger(messages, trigger)
}

/** The admin endpoint gives a body and no metadata. */
function textInput(trigger: QueueTrigger, input: string): TriggerInput {
  const { data } = queueInput(trigger, [{ body: input }])
  return { data }
}
