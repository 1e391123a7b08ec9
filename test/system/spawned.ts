import { spawn, type ChildProcess } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'

export const root = path.join(import.meta.dirname, '../..')

export interface Spawned extends AsyncDisposable {
  readonly child: ChildProcess
  /** Everything printed so far. */
  readonly output: () => string
  /** The first line that matches, past or to come. Rejects when the process ends without it. */
  readonly line: (pattern: RegExp) => Promise<RegExpExecArray>
  readonly ended: Promise<number | null>
}

/** One of the project's commands as a process of its own, as a person would run it. */
export function spawnCommand(
  script: string,
  args: readonly string[] = [],
  { env = process.env, cwd = root }: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Spawned {
  const child = spawn(process.execPath, [path.join(root, script), ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const waiting = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      for (const wake of waiting) wake()
    })
  }
  let over = false
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      over = true
      resolve(code)
      for (const wake of waiting) wake()
    })
  })
  const line = async (pattern: RegExp) => {
    for (;;) {
      for (const one of lines) {
        const match = pattern.exec(one)
        if (match) return match
      }
      if (over) throw new Error(`${script} ended without ${String(pattern)}:\n${lines.join('\n')}`)
      await new Promise<void>((resolve) => {
        const wake = () => {
          waiting.delete(wake)
          resolve()
        }
        waiting.add(wake)
      })
    }
  }
  return {
    child,
    ended,
    line,
    output: () => lines.join('\n'),
    [Symbol.asyncDispose]: async () => {
      if (!over) child.kill('SIGINT')
      await ended
    },
  }
}
