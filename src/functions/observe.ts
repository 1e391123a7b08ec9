import { AsyncLocalStorage } from 'node:async_hooks'
import type { InvocationContext } from '@azure/functions'
import { codeOf } from '../core/errors.ts'
import type { Log, LogFields } from '../core/log.ts'

const invocations = new AsyncLocalStorage<InvocationContext>()

/** The log of whatever invocation is under way: the host files each line under its function and operation. */
export const invocationLog: Log = {
  info: (message, fields) => write('info', message, fields),
  warn: (message, fields) => write('warn', message, fields),
  error: (message, fields) => write('error', message, fields),
  metric: (name, value, fields) =>
    write('info', `metric ${name}=${value}`, { metric: name, value, ...fields }),
}

function write(level: 'info' | 'warn' | 'error', message: string, fields: LogFields = {}): void {
  const context = invocations.getStore()
  const line = JSON.stringify({ message, function: context?.functionName, ...fields })
  if (context) context[level](line)
  else console[level](line)
}

/** Runs a function's work with its log, and tells how long it took and how it ended. */
export async function observe<T>(context: InvocationContext, work: () => Promise<T>): Promise<T> {
  return invocations.run(context, async () => {
    const name = context.functionName
    const startedAt = performance.now()
    try {
      const result = await work()
      invocationLog.metric(`${name}.success`, 1)
      return result
    } catch (error) {
      invocationLog.metric(`${name}.error`, 1, { code: codeOf(error) })
      throw error
    } finally {
      invocationLog.metric(`${name}.duration`, Math.round(performance.now() - startedAt))
    }
  })
}
