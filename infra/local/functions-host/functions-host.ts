import { randomBytes } from 'node:crypto'
import path from 'node:path'
import type { Emulator, EmulatorOptions } from '../emulator.ts'
import { answerAdmin } from './admin.ts'
import { effectiveSettings, openEnvironment } from './app-settings.ts'
import { openCore } from './core.ts'
import { answerCors } from './cors.ts'
import { loadApp } from './entry.ts'
import { FunctionsControl } from './functions-control.ts'
import { hostFunction, type HostedFunction } from './functions.ts'
import { runHooks } from './hooks.ts'
import { readHostJson, type HostJson } from './host-json.ts'
import { openHttpFront, type Answer } from './http-front.ts'
import type { IncomingHttp } from './http-message.ts'
import { answerHttp, buildRoutes } from './http-routes.ts'
import { Invoker } from './invocation.ts'
import { printLog, type LogSink } from './log.ts'
import { Listeners } from './listeners.ts'
import { queueWrites } from './queue-output.ts'
import type { QueueBus } from './queue-port.ts'
import { AppRegistry } from './registry.ts'
import { openScheduleStore } from './schedule-store.ts'
import { openServiceBus } from './service-bus-listener.ts'

export interface FunctionsHostOptions extends Pick<EmulatorOptions, 'port'> {
  /** The app's folder: package.json and host.json stand there. */
  readonly root: string
  /** The app's settings; the app sees them in process.env until the host is disposed. */
  readonly settings: Readonly<Record<string, string>>
  /** Opens auth level `function`; a random one when absent (see `control.keys`). */
  readonly functionKey?: string
  /** Opens everything, the admin endpoints too; a random one when absent. */
  readonly masterKey?: string
  /** Takes every log line; stdout as JSON when absent. */
  readonly log?: LogSink
  /** Remembers when timers ran, so that a restarted host knows what it missed. In memory when absent. */
  readonly stateFile?: string
  /** How long a stop waits for running invocations. Default 10 000. */
  readonly shutdownTimeoutMs?: number
  /** Origins that browsers may call from; none when absent, every one for `*`. */
  readonly cors?: readonly string[]
  /** The message bus; Service Bus through the official SDK when absent. */
  readonly bus?: QueueBus
}

const SHUTDOWN_TIMEOUT_MS = 10_000

/**
 * Runs an Azure Functions app of the v4 Node programming model in this process, on 127.0.0.1. Rejects with one message
 * when the app does not load or asks for something that this host does not have. One host at a time in a process.
 */
export async function startFunctionsHost(
  options: FunctionsHostOptions,
): Promise<Emulator<FunctionsControl>> {
  await using stack = new AsyncDisposableStack()
  const root = path.resolve(options.root)
  const settings = effectiveSettings(options.settings)
  const hostJson = await readHostJson(root, settings)
  const keys = {
    functionKey: options.functionKey ?? randomKey(),
    masterKey: options.masterKey ?? randomKey(),
  }
  let functions: readonly HostedFunction[] = []
  const control = stack.use(
    new FunctionsControl(keys, {
      functions: () => functions,
      fireTimer: (name) => listeners.fireTimer(name),
      idle: () => listeners.idle(),
      state: () => ({ functions: describe(functions), ...listeners.state() }),
    }),
  )
  const registry = new AppRegistry((level, category, message) =>
    invoker.log(level, message, category === 'user' ? 'unknown' : undefined),
  )
  const bus = stack.use(options.bus ?? openServiceBus(hostJson.extensions.serviceBus))
  const invoker = new Invoker({
    registry,
    levels: hostJson.logging.logLevel,
    sink: options.log ?? printLog,
    now: () => new Date(control.clock.now()).toISOString(),
    timeoutMs: hostJson.functionTimeout,
    finished: (name, outcome) => control.count(name, outcome),
    writeOutputs: async (fn, response) => {
      for (const { output, messages } of queueWrites(fn, response)) {
        await bus.send(output.connection, output.queue, messages)
      }
    },
  })
  stack.use(openCore(registry))
  stack.use(openEnvironment(options.settings))
  await load(root, registry)
  functions = registry.functions().map((registration) => hostFunction(registration, settings))

  const listeners = new Listeners({
    functions,
    clock: control.clock,
    store: await openScheduleStore(options.stateFile),
    bus,
    invoker,
  })
  const routePrefix = hostJson.extensions.http.routePrefix
  const routes = buildRoutes(functions, routePrefix)
  const startedMs = performance.now()
  const answer = async (request: IncomingHttp): Promise<Answer> =>
    answerAdmin(
      {
        origin: front.origin,
        keys,
        startedMs,
        routePrefix,
        functions: () => functions,
        fire: (fn, input) => listeners.fire(fn, input),
      },
      request,
    ) ?? answerHttp({ routes, keys, invoke: (fn, input) => invoker.invoke(fn, input) }, request)
  const front = await openHttpFront({
    port: options.port ?? 0,
    control,
    handle: (request) => answerCors(options.cors ?? [], request, answer),
  })
  stack.use(front)
  stack.defer(async () => {
    front.drain()
    await drained(listeners, invoker, options.shutdownTimeoutMs ?? SHUTDOWN_TIMEOUT_MS)
    await listeners[Symbol.asyncDispose]()
    await terminate(registry, invoker)
  })
  warnAbout(hostJson, functions, invoker)
  await listeners.start()
  const owned = stack.move()
  return {
    name: 'functions',
    settings: { FUNCTIONS_URL: front.origin },
    control,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Loads the app and runs its appStart hooks; then nothing more may be registered. */
async function load(root: string, registry: AppRegistry): Promise<void> {
  await loadApp(root)
  const { appHookData, appLevelHookData: hookData } = registry
  await runHooks(registry, 'appStart', { hookData, appHookData })
  registry.lock()
  const [first] = registry.functions()
  if (!first) throw new Error('the app registered no function')
  await first.model()?.getCapabilities?.({})
}

async function terminate(registry: AppRegistry, invoker: Invoker): Promise<void> {
  const { appHookData, appLevelHookData: hookData } = registry
  await runHooks(registry, 'appTerminate', { hookData, appHookData }).catch((error: unknown) =>
    invoker.log('error', `an appTerminate hook failed: ${String(error)}`),
  )
}

/** Real time: whoever steps the clock does not mean to cut off what runs. */
async function drained(listeners: Listeners, invoker: Invoker, limitMs: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, limitMs)
  await Promise.race([listeners.stop(), late])
  clearTimeout(timer)
  if (invoker.running > 0) {
    invoker.log(
      'warning',
      `stopped with ${invoker.running} invocations running after ${limitMs} ms`,
    )
  }
}

/** What the app asks for and runs without. */
function warnAbout(
  { extensions }: HostJson,
  functions: readonly HostedFunction[],
  invoker: Invoker,
): void {
  const { prefetchCount } = extensions.serviceBus
  if (prefetchCount > 0 && functions.some(({ trigger }) => trigger.kind === 'queue')) {
    const message = `prefetchCount ${prefetchCount} has no effect: the JavaScript SDK does not prefetch`
    invoker.log('warning', message)
  }
  for (const { name, registration } of functions) {
    if (!registration.metadata.retryOptions) continue
    invoker.log('warning', 'the retry policy has no effect on this host', name)
  }
}

function describe(functions: readonly HostedFunction[]): readonly object[] {
  return functions.map(({ name, disabled, trigger }) => ({ name, disabled, trigger: trigger.kind }))
}

function randomKey(): string {
  return randomBytes(24).toString('base64url')
}
