import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface FunctionsProcessOptions {
  readonly settingsFile: string
  /** 0: any free one. */
  readonly port: number
  /** Another build of the app, such as the deployable folder. Default the sources. */
  readonly root?: string
  /** Remembers across restarts when timers ran. */
  readonly stateFile?: string
  /** Takes every line that it prints after `ready`. */
  readonly onLine?: (line: string) => void
}

export interface FunctionsProcess extends AsyncDisposable {
  readonly url: string
  readonly pid: number
  /** Ends it at once, with no chance to finish anything (SIGKILL). */
  kill(): Promise<void>
  /** Settles when it has ended, with its exit code. */
  readonly ended: Promise<number | null>
}

const command = fileURLToPath(new URL('functions-start.ts', import.meta.url))
const project = fileURLToPath(new URL('../..', import.meta.url))

/** Runs the functions in a process of their own. Rejects with what it printed when it ends before it is ready. */
export async function startFunctionsProcess(
  options: FunctionsProcessOptions,
): Promise<FunctionsProcess> {
  const { settingsFile, port, root = project, stateFile } = options
  const child = spawn(
    process.execPath,
    [
      command,
      '--settings',
      settingsFile,
      '--port',
      String(port),
      '--root',
      root,
      ...(stateFile === undefined ? [] : ['--state', stateFile]),
    ],
    // The channel tells the child when this process is gone. Ctrl-C shall reach it through us only.
    { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true },
  )
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => resolve(code))
  })
  const url = await whenReady(child, ended, options.onLine)
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await ended
  }
  return {
    url,
    pid: child.pid ?? 0,
    ended,
    kill: () => end('SIGKILL'),
    [Symbol.asyncDispose]: () => end('SIGTERM'),
  }
}

async function whenReady(
  child: ChildProcess,
  ended: Promise<number | null>,
  onLine: ((line: string) => void) | undefined,
): Promise<string> {
  const printed: string[] = []
  const ready = Promise.withResolvers<string>()
  let isReady = false
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue
    createInterface({ input: stream }).on('line', (line) => {
      const url = /^ready (\S+)$/.exec(line)?.[1]
      if (url !== undefined && !isReady) {
        isReady = true
        ready.resolve(url)
      } else if (isReady) onLine?.(line)
      else printed.push(line)
    })
  }
  void ended.then((code) =>
    ready.reject(new Error(`the functions ended with ${String(code)}:\n${printed.join('\n')}`)),
  )
  return ready.promise
}
