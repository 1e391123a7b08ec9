import {
  startFunctionsHost,
  type FunctionsHostOptions,
} from '../../../infra/local/functions-host/functions-host.ts'
import type { LogEntry } from '../../../infra/local/functions-host/log.ts'

/** One line that a fixture's function told. */
export type Told = Readonly<Record<string, unknown>>

/** The folder of a fixture app. */
export function fixture(name: string): string {
  return new URL(`fixtures/${name}`, import.meta.url).pathname
}

/** Starts the host on a fixture app and keeps its log. */
export async function startFixture(name: string, options: Partial<FunctionsHostOptions> = {}) {
  const lines: LogEntry[] = []
  const host = await startFunctionsHost({
    root: fixture(name),
    settings: {},
    functionKey: 'the-function-key',
    masterKey: 'the-master-key',
    log: (line) => lines.push(line),
    ...options,
  })
  const origin = host.settings['FUNCTIONS_URL'] ?? ''
  return {
    control: host.control,
    lines,
    origin,
    call: (path: string, init?: RequestInit) => fetch(`${origin}${path}`, init),
    /** What a function told its log, parsed. */
    told: (functionName: string): readonly Told[] =>
      lines
        .filter(({ category }) => category === `Function.${functionName}.User`)
        .map(({ message }) => JSON.parse(message)),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  }
}
