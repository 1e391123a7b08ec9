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

/** One line of JSON on stdout. Lines of one turn of the event loop go out together: a pipe is written to synchronously. */
export function printLog(entry: LogEntry): void {
  if (waiting.length === 0) setImmediate(printWaiting)
  waiting.push(JSON.stringify(entry))
}

const waiting: string[] = []

function printWaiting(): void {
  if (waiting.length > 0) process.stdout.write(`${waiting.splice(0).join('\n')}\n`)
}

// The last lines before the end, which no turn follows.
process.on('exit', printWaiting)
