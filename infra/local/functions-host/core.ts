import Module from 'node:module'
import type { AppRegistry } from './registry.ts'
import type {
  FunctionCallback,
  FunctionMetadata,
  HookCallback,
  LogCategory,
  LogLevel,
  ProgrammingModel,
} from './rpc.ts'

const CORE = '@azure/functions-core'

/** The untyped loader of CommonJS; the real worker hooks the same place. */
interface Loader {
  _load: (this: unknown, ...given: LoadArguments) => unknown
}
type LoadArguments = [request: string, parent?: { filename?: string | null }, main?: boolean]
const loader = Module as unknown as Loader // `_load` is missing in the types of node:module

let current: AppRegistry | undefined
let originalLoad: Loader['_load'] | undefined
const cores = new Map<string, object>()

/**
 * Makes `registry` the app of this process: from now on the library's registrations go there. The library keeps the core
 * object that it was given first, so the objects stay and only delegate. Throws when another app is running.
 */
export function openCore(registry: AppRegistry): Disposable {
  if (current) {
    throw new Error('a functions host is running in this process already; dispose it first')
  }
  current = registry
  intercept()
  return {
    [Symbol.dispose]: () => {
      if (current === registry) current = undefined
    },
  }
}

function intercept(): void {
  if (originalLoad) return
  const load = loader._load
  originalLoad = load
  loader._load = function hostLoad(...given) {
    const [request, parent] = given
    if (request !== CORE) return Reflect.apply(load, this, given)
    // Without a running host the library goes into its test mode, as it does anywhere else.
    if (!current) throw new Error(`Cannot find module '${CORE}'`)
    return coreFor(parent?.filename ?? '')
  }
}

/** One core object for every copy of the library (a bundle has its own): each copy sets its own model only once. */
function coreFor(filename: string): object {
  const existing = cores.get(filename)
  if (existing) return existing
  const core = createCore()
  cores.set(filename, core)
  return core
}

function createCore() {
  let model: ProgrammingModel | undefined
  return {
    version: '3.10.0',
    hostVersion: '4.1037.0',
    Disposable: CoreDisposable,
    setProgrammingModel(given: ProgrammingModel) {
      model = given
    },
    getProgrammingModel: () => model,
    registerFunction(metadata: FunctionMetadata, callback: FunctionCallback) {
      const registry = active()
      registry.register({ metadata, callback, model: () => model })
      return new CoreDisposable(() => registry.remove(metadata.name))
    },
    registerHook(name: string, callback: HookCallback) {
      const remove = active().registerHook(name, callback)
      return new CoreDisposable(remove)
    },
    log(level: LogLevel, category: LogCategory, message: string) {
      current?.log(level, category, message)
    },
  }
}

function active(): AppRegistry {
  if (!current) throw new Error('the functions host that loaded this app was disposed')
  return current
}

/** The worker's own `Disposable`: an object with `dispose()`. */
class CoreDisposable {
  readonly #dispose: () => void
  constructor(dispose: () => void) {
    this.#dispose = dispose
  }
  dispose(): void {
    this.#dispose()
  }
}
