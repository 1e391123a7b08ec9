import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

/** Whether this machine has Debian's redis-server. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0
if (!hasRedis && process.env['CI'] === 'true') {
  throw new Error('redis-server is missing: in CI the limiter is tested against a real one')
}
if (!hasRedis) {
  process.stderr.write('redis-server is missing: what needs one is skipped on this machine\n')
}

export interface RedisServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Takes no more part in anything, with its connections open, until it goes on. */
  hang(): void
  goOn(): void
}

/** A Redis server of this test's own, a cluster of one node, so that keys of two slots in one call are refused. */
export async function startRedisServer(port?: number): Promise<RedisServer> {
  const chosen = port ?? (await freePort())
  const folder = mkdtempSync(path.join(tmpdir(), 'syncline-redis-'))
  const child = spawn(
    'redis-server',
    Object.entries({
      '--bind': '127.0.0.1',
      '--port': String(chosen),
      '--cluster-port': String(await freePort()),
      '--cluster-enabled': 'yes',
      '--dir': folder,
      '--save': '',
      '--appendonly': 'no',
    }).flat(),
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ended = once(child, 'close')
  const said: string[] = []
  const ready = Promise.withResolvers<void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    said.push(line)
    if (line.includes('Ready to accept connections')) ready.resolve()
  })
  void ended.then(() => ready.reject(new Error(`redis-server ended:\n${said.join('\n')}`)))
  await ready.promise
  command(chosen, 'cluster', 'addslotsrange', '0', '16383')
  // A node waits two seconds before it calls itself a cluster.
  while (!command(chosen, 'cluster', 'info').includes('cluster_state:ok')) await delay(50)
  return {
    url: `redis://127.0.0.1:${chosen}`,
    port: chosen,
    hang: () => child.kill('SIGSTOP'),
    goOn: () => child.kill('SIGCONT'),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGCONT')
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function command(port: number, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('redis-cli', ['-p', String(port), ...args])
  if (status !== 0) throw new Error(`redis-cli: ${stderr.toString()}`)
  return stdout.toString()
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || !address) throw new Error('the server has no port')
  return address.port
}
