import type { LogLevel } from './rpc.ts'

/** One line of the host's log. `time` is ISO 8601 UTC. */
export interface LogEntry {
  readonly time: string
  readonly level: LogLevel
  /** `Function.<name>.User` for the app's own lines, `Function.<name>` or `Host...` for the host's. */
  readonly category: string
  readonly functionName?: string
  readonly invocationId?: string
  readonly message: string
}
export type LogSink = (entry: LogEntry) => void

const ORDER: readonly string[] = [
  'trace',
  'debug',
  'information',
  'warning',
  'error',
  'critical',
  'none',
]

/** Whether host.json's `logLevel` lets it through: the longest category that begins it decides, then `default`. */
export function isLogged(
  levels: Readonly<Record<string, string>>,
  category: string,
  level: LogLevel,
): boolean {
  const longest = Object.keys(levels)
    .filter((name) => category === name || category.startsWith(`${name}.`))
    .sort((a, b) => b.length - a.length)[0]
  const threshold = (levels[longest ?? 'default'] ?? 'Information').toLowerCase()
  return level !== 'none' && ORDER.indexOf(level) >= ORDER.indexOf(threshold)
}

/** One line of JSON on stdout. */
export function printLog(entry: LogEntry): void {
  process.stdout.write(`${JSON.stringify(entry)}\n`)
}
