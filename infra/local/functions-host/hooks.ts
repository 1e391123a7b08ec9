import type { AppRegistry } from './registry.ts'
import type { FunctionCallback, HookName, LogCategory, LogLevel } from './rpc.ts'

/** The fields that hooks may read, and write where the worker lets them. */
export interface HookContext {
  readonly hookData: Record<string, unknown>
  readonly appHookData: Record<string, unknown>
  readonly invocationContext?: unknown
  functionCallback?: FunctionCallback
  inputs?: unknown[] | undefined
  result?: unknown
  error?: unknown
}

/** Runs the hooks one after another; a hook that throws ends the row, as in the worker. */
export async function runHooks(
  registry: AppRegistry,
  name: Exclude<HookName, 'log'>,
  context: HookContext,
): Promise<void> {
  for (const hook of registry.hooks(name)) {
    // The library writes through to the very object that it is given.
    await hook(context as unknown as Record<string, unknown>)
  }
}

export interface LogLine {
  level: LogLevel
  message: string
  readonly category: LogCategory
  readonly hookData: Record<string, unknown>
  readonly invocationContext: unknown
}

/** Lets log hooks change level and message. They run at once, and a throwing one must not break the caller of `log`. */
export function runLogHooks(
  registry: AppRegistry,
  line: LogLine,
): { readonly level: LogLevel; readonly message: string } {
  const context: Record<string, unknown> = { ...line, appHookData: registry.appHookData }
  for (const hook of registry.hooks('log')) {
    try {
      void hook(context)
    } catch (error) {
      context['message'] = `${String(context['message'])} (a log hook failed: ${String(error)})`
    }
  }
  return {
    level: (context['level'] as LogLevel | undefined) ?? line.level, // typed for hooks by the library
    message: String(context['message']),
  }
}
