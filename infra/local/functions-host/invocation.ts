import { randomUUID } from 'node:crypto'
import type { HostedFunction } from './functions.ts'
import { runHooks, runLogHooks, type HookContext } from './hooks.ts'
import { isLogged, type LogEntry, type LogSink } from './log.ts'
import type { AppRegistry } from './registry.ts'
import type {
  CoreInvocationContext,
  InvocationResponse,
  LogCategory,
  LogLevel,
  RetryContext,
  TypedData,
} from './rpc.ts'

/** What a trigger hands over: its data, and for queues the metadata in the host's words. */
export interface TriggerInput {
  readonly data: TypedData
  readonly metadata?: Readonly<Record<string, TypedData>>
  readonly retry?: RetryContext
}

export type Outcome = 'succeeded' | 'failed' | 'timed-out'
export type InvocationResult =
  | { readonly outcome: 'succeeded'; readonly response: InvocationResponse }
  | { readonly outcome: 'failed' | 'timed-out'; readonly error: Error }

export interface InvokerOptions {
  readonly registry: AppRegistry
  /** Writes the output bindings; its failure fails the invocation. */
  readonly writeOutputs: (fn: HostedFunction, response: InvocationResponse) => Promise<void>
  readonly finished: (functionName: string, outcome: Outcome) => void
  readonly levels: Readonly<Record<string, string>>
  readonly sink: LogSink
  /** ISO 8601 UTC. */
  readonly now: () => string
  /** Infinity: no limit. */
  readonly timeoutMs: number
}

/** Runs invocations in the order of the worker's own handler, and knows which are still running. */
export class Invoker {
  readonly #options: InvokerOptions
  readonly #running = new Set<Promise<unknown>>()

  constructor(options: InvokerOptions) {
    this.#options = options
  }

  get running(): number {
    return this.#running.size
  }

  /** Resolves once nothing runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** Never rejects: what the function throws is the result. */
  async invoke(fn: HostedFunction, input: TriggerInput): Promise<InvocationResult> {
    const run = this.#run(fn, input)
    this.#running.add(run)
    try {
      return await run
    } finally {
      this.#running.delete(run)
    }
  }

  /** One line of the host itself; `functionName` puts it under that function's category. */
  log(level: LogLevel, message: string, functionName?: string): void {
    this.#write({
      level,
      message,
      category: functionName === undefined ? 'Host' : `Function.${functionName}`,
      ...(functionName === undefined ? {} : { functionName }),
    })
  }

  #write(entry: Omit<LogEntry, 'time'>): void {
    const { levels, sink, now } = this.#options
    const { level, category, message, ...place } = entry
    if (isLogged(levels, category, level)) sink({ time: now(), level, category, ...place, message })
  }

  async #run(fn: HostedFunction, input: TriggerInput): Promise<InvocationResult> {
    const invocationId = randomUUID()
    const place = { category: `Function.${fn.name}`, functionName: fn.name, invocationId }
    this.#write({ ...place, level: 'information', message: `Executing 'Functions.${fn.name}'` })
    const result = await this.#limit(this.#settle(fn, invocationId, input))
    if (result.outcome === 'succeeded') {
      this.#write({
        ...place,
        level: 'information',
        message: `Executed 'Functions.${fn.name}' (Succeeded)`,
      })
    } else {
      const why = result.error.stack ?? result.error.message
      this.#write({
        ...place,
        level: 'error',
        message: `Executed 'Functions.${fn.name}' (Failed): ${why}`,
      })
    }
    this.#options.finished(fn.name, result.outcome)
    return result
  }

  async #settle(
    fn: HostedFunction,
    invocationId: string,
    input: TriggerInput,
  ): Promise<InvocationResult> {
    try {
      const response = await this.#execute(fn, invocationId, input)
      await this.#options.writeOutputs(fn, response)
      return { outcome: 'succeeded', response }
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown))
      return { outcome: 'failed', error }
    }
  }

  /**
   * The real host kills the worker when the time is over. In one process the function goes on; its result is ignored.
   * Real time, not the emulator's clock: a stepped clock must not cut off what the step itself has started.
   */
  async #limit(work: Promise<InvocationResult>): Promise<InvocationResult> {
    const { timeoutMs } = this.#options
    if (timeoutMs === Infinity) return work
    const { promise: limit, resolve } = Promise.withResolvers<InvocationResult>()
    const expire = () => {
      const error = new Error(`Timeout value of ${timeoutMs} ms exceeded by function`)
      resolve({ outcome: 'timed-out', error })
    }
    const timer = setTimeout(expire, Math.min(timeoutMs, MAX_TIMEOUT_MS)).unref()
    try {
      return await Promise.race([work, limit])
    } finally {
      clearTimeout(timer)
    }
  }

  async #execute(
    fn: HostedFunction,
    invocationId: string,
    input: TriggerInput,
  ): Promise<InvocationResponse> {
    const { registry } = this.#options
    const { metadata, callback, model } = fn.registration
    const programmingModel = model()
    if (!programmingModel) throw new Error('the app has set no programming model')
    const hookData: Record<string, unknown> = {}
    const seen: { context?: unknown } = {}
    const core: CoreInvocationContext = {
      invocationId,
      metadata,
      state: undefined,
      request: {
        invocationId,
        functionId: fn.name,
        inputData: [{ name: fn.trigger.bindingName, data: input.data }],
        triggerMetadata: input.metadata ?? {},
        traceContext: newTrace(),
        ...(input.retry ? { retryContext: input.retry } : {}),
      },
      log: (level, category, message) => {
        const line = runLogHooks(registry, {
          level,
          category,
          message,
          hookData,
          invocationContext: seen.context,
        })
        this.#writeAppLine(fn, invocationId, { ...line, category })
      },
    }
    const invocation = programmingModel.getInvocationModel(core)
    const { context, inputs } = await invocation.getArguments()
    seen.context = context
    const shared = { hookData, appHookData: registry.appHookData, invocationContext: context }

    const before: HookContext = { ...shared, functionCallback: callback, inputs }
    core.state = 'preInvocationHooks'
    await runHooks(registry, 'preInvocation', before)
    const after: HookContext = { ...shared, inputs: before.inputs, result: null, error: null }
    core.state = 'invocation'
    try {
      after.result = await invocation.invokeFunction(
        context,
        before.inputs ?? [],
        before.functionCallback ?? callback,
      )
    } catch (error) {
      after.error = error
    }
    core.state = 'postInvocationHooks'
    await runHooks(registry, 'postInvocation', after)
    core.state = undefined
    if (after.error !== null && after.error !== undefined) throw after.error
    return invocation.getResponse(context, after.result)
  }

  #writeAppLine(
    { name }: HostedFunction,
    invocationId: string,
    line: { level: LogLevel; category: LogCategory; message: string },
  ): void {
    this.#write({
      level: line.level,
      category: line.category === 'user' ? `Function.${name}.User` : `Function.${name}`,
      functionName: name,
      invocationId,
      message: line.message,
    })
  }
}

const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** W3C trace context, as the host sends it with every invocation. */
function newTrace(): { traceParent: string; traceState: string } {
  const hex = () => randomUUID().replaceAll('-', '')
  return { traceParent: `00-${hex()}-${hex().slice(16)}-00`, traceState: '' }
}
