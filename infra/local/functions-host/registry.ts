import {
  HOOK_NAMES,
  type FunctionCallback,
  type FunctionMetadata,
  type HookCallback,
  type HookName,
  type LogCategory,
  type LogLevel,
  type ProgrammingModel,
} from './rpc.ts'

export interface Registration {
  readonly metadata: FunctionMetadata
  readonly callback: FunctionCallback
  /** The library copy that registered it. */
  readonly model: () => ProgrammingModel | undefined
}

type SystemLog = (level: LogLevel, category: LogCategory, message: string) => void

/** What one app registered while it was loaded, with the worker's rules about it. */
export class AppRegistry {
  readonly #functions = new Map<string, Registration>()
  readonly #hooks = new Map<HookName, HookCallback[]>()
  readonly #log: SystemLog
  readonly appHookData: Record<string, unknown> = {}
  readonly appLevelHookData: Record<string, unknown> = {}
  #locked = false

  constructor(log: SystemLog) {
    this.#log = log
  }

  /** Throws after the start, and for a name that is taken (names differ in more than case). */
  register(registration: Registration): void {
    const { name } = registration.metadata
    if (this.#locked)
      throw systemError(Error, 'A function can only be registered during app startup.')
    const key = name.toLowerCase()
    if (this.#functions.has(key)) {
      throw systemError(Error, `A function with id "${name}" has already been registered.`)
    }
    this.#functions.set(key, registration)
  }

  remove(name: string): void {
    if (this.#locked)
      throw systemError(Error, 'A function can only be disposed during app startup.')
    this.#functions.delete(name.toLowerCase())
  }

  /** Returns the function that takes the hook away again. An unknown name is a RangeError, as the library expects. */
  registerHook(name: string, callback: HookCallback): () => void {
    const known = HOOK_NAMES.find((hook) => hook === name)
    if (!known) throw systemError(RangeError, `Unrecognized hook "${name}"`)
    this.#hooks.set(known, [...this.hooks(known), callback])
    return () => {
      this.#hooks.set(
        known,
        this.hooks(known).filter((hook) => hook !== callback),
      )
    }
  }

  hooks(name: HookName): readonly HookCallback[] {
    return this.#hooks.get(name) ?? []
  }

  functions(): readonly Registration[] {
    return [...this.#functions.values()]
  }

  lock(): void {
    this.#locked = true
  }

  log(level: LogLevel, category: LogCategory, message: string): void {
    // The library says so while `app.setup` runs, which is the only moment to refuse it.
    if (category === 'system' && message === 'HTTP streaming enabled.') {
      throw systemError(
        Error,
        'this host has no HTTP streaming: take enableHttpStream out of app.setup',
      )
    }
    this.#log(level, category, message)
  }
}

function systemError(kind: new (message: string) => Error, message: string): Error {
  return Object.assign(new kind(message), { isAzureFunctionsSystemError: true })
}
