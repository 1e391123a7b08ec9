import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { connect } from './local-cosmos.ts'

const MAIN = new URL('../../../infra/local/cosmos/main.ts', import.meta.url).pathname

async function run(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const lines: string[] = []
  for await (const line of createInterface(child.stdout)) {
    lines.push(line)
    if (line === 'ready') break
  }
  return {
    lines,
    settings: Object.fromEntries(
      lines.map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]),
    ),
    control: lines.find((line) => line.startsWith('control '))?.slice('control '.length) ?? '',
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

test('it runs by itself, serves the stock client, and is controlled from outside', async () => {
  await using emulator = await run('--port', '0')
  using client = connect(emulator.settings)
  const container = client.database('syncline').container('sync-results')
  await container.items.create({ id: 'a', tenantId: 't', ttl: 60 })
  const step = { method: 'POST', body: JSON.stringify({ advanceMs: 61_000 }) }
  expect((await fetch(`${emulator.control}/clock`, step)).status).toBe(204)
  expect((await container.item('a', 't').read()).statusCode).toBe(404)
  const calls = await (await fetch(`${emulator.control}/calls`)).json()
  expect(calls).toMatchObject({ 'POST docs': 1, 'GET docs': 1 })
})

test('--help says what it takes, and ends', async () => {
  const { lines, exited } = await run('--help')
  expect(lines.join('\n')).toMatch(/--port N[^]+--file TEXT[^]+--latency N[^]+--control-port N/)
  expect(await exited).toEqual([0, null])
})
