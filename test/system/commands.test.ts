import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { startRunning } from './running.ts'
import { root, spawnCommand } from './spawned.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'syncline-test-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** What it keeps in temporary files goes with the folder, also when it is killed. */
const start = (...more: string[]) =>
  spawnCommand(
    'infra/local/start.ts',
    ['--port', '0', '--settings', path.join(folder, 'settings.json'), ...more],
    { env: { ...process.env, TMPDIR: folder } },
  )

async function answers(url: string): Promise<boolean> {
  return fetch(`${url}/health/live`).then(
    ({ ok }) => ok,
    () => false,
  )
}

async function untilGone(url: string): Promise<void> {
  while (await answers(url)) await delay(50)
}

/** The settings that clients of local.settings.json may rely on. */
const contractSettings = `
  COSMOS_ENDPOINT COSMOS_KEY COSMOS_DATABASE COSMOS_CONTAINER SYNC_RESULTS_CONTAINER CREDENTIALS_CONTAINER
  SERVICE_BUS_CONNECTION_STRING SERVICE_BUS_QUEUE SERVICE_BUS_QUEUE_OUTBOUND KEY_VAULT_URL REDIS_URL
  SYNC_BATCH_SIZE SYNC_MAX_RETRIES TOKEN_EXPIRY_THRESHOLD_MINUTES MAX_REFRESH_RETRIES
  SERVICENOW_CLIENT_ID SERVICENOW_CLIENT_SECRET WEBHOOK_SECRET SIGNALR_CONNECTION_STRING
  WEB_PUBSUB_CONNECTION_STRING APPLICATIONINSIGHTS_CONNECTION_STRING FUNCTIONS_KEY`
  .trim()
  .split(/\s+/)

describe('npm start', () => {
  test('shows the scheduler, the incidents arriving and a webhook reaching a phone; Ctrl-C leaves nothing', async () => {
    await using stack = start('--count', '60')
    const url = (await stack.line(/^ready (\S+)$/))[1] ?? ''
    await stack.line(/SyncScheduler scheduled due=1 queued=1/)
    await stack.line(/60 of 60 in the store, 0 parked/)
    await stack.line(/^phone: incident_assigned: Incident INC\d+ Assigned/)
    await stack.line(/withUrl\(/)
    const settings = await readFile(path.join(folder, 'settings.json'), 'utf8')
    const { Values } = JSON.parse(settings) as { Values: Record<string, string> } // written by the command under test
    expect(contractSettings.filter((name) => !(name in Values))).toEqual([])
    expect(stack.output()).not.toContain(Values['WEBHOOK_SECRET'])
    expect(stack.output()).not.toContain(Values['FUNCTIONS_KEY'])
    expect(stack.output()).not.toContain(Values['COSMOS_KEY'])
    stack.child.kill('SIGINT')
    expect(await stack.ended).toBe(0)
    expect(await answers(url)).toBe(false)
    expect(existsSync(path.join(folder, 'settings.json'))).toBe(false)
    expect(existsSync(Values['NODE_EXTRA_CA_CERTS'] ?? '')).toBe(false)
  }, 60_000)

  test('takes the functions with it when it is killed', async () => {
    await using stack = start('--no-demo')
    const url = (await stack.line(/^ready (\S+)$/))[1] ?? ''
    expect(await answers(url)).toBe(true)
    stack.child.kill('SIGKILL')
    await stack.ended
    await untilGone(url)
  }, 60_000)

  test('finds its documents and secrets again when it is told where they are', async () => {
    const data = path.join(folder, 'data')
    {
      await using stack = start('--count', '20', '--data', data)
      await stack.line(/20 of 20 in the store/)
      stack.child.kill('SIGINT')
      await stack.ended
    }
    expect(await readdir(data)).toEqual(
      expect.arrayContaining(['cosmos.sqlite', 'key-vault.sqlite']),
    )
    await using again = start('--count', '20', '--data', data)
    await again.line(/^ready/)
    // Nothing has been pulled yet when the first line of progress is printed.
    expect((await again.line(/^incidents .* (\d+) of 20 in the store/))[1]).toBe('20')
  }, 60_000)

  test('does not write over settings that a person has made', async () => {
    const settings = path.join(folder, 'settings.json')
    await writeFile(settings, '{"Values":{"MINE":"1"}}')
    await using stack = start('--no-demo')
    expect(await stack.ended).toBe(1)
    expect(stack.output()).toContain('move it away, or name another file with --settings')
    expect(await readFile(settings, 'utf8')).toBe('{"Values":{"MINE":"1"}}')
  })

  test('says which file is missing', async () => {
    await using stack = start('--incidents', path.join(folder, 'nowhere.csv'))
    expect(await stack.ended).toBe(1)
    expect(stack.output()).toMatch(/--incidents: there is no file .*nowhere\.csv/)
  })
})

describe('npm run functions:start', () => {
  test('without settings says every missing one in one message, and ends', async () => {
    const settings = path.join(folder, 'settings.json')
    await writeFile(settings, '{"Values":{}}')
    await using functions = spawnCommand(
      'infra/local/functions-start.ts',
      ['--port', '0', '--settings', settings],
      { env: { PATH: process.env['PATH'] } },
    )
    expect(await functions.ended).not.toBe(0)
    for (const name of [
      'COSMOS_ENDPOINT',
      'WEBHOOK_SECRET',
      'AUTH_ISSUERS',
      'KEY_VAULT_URL or KEY_VAULT_NAME',
    ]) {
      expect(functions.output()).toContain(`${name}: is missing`)
    }
  })
})

describe('npm run build', () => {
  test('makes a folder of three files that runs as the sources do', async () => {
    const out = path.join(folder, 'dist')
    await using build = spawnCommand('infra/build.ts', ['--out', out])
    expect(await build.ended).toBe(0)
    expect((await readdir(out)).sort()).toEqual(['host.json', 'main.mjs', 'package.json'])
    await using running = await startRunning()
    await using functions = await running.startFunctions({ root: out })
    const answer = await fetch(`${functions.url}/api/health`)
    expect([answer.status, await answer.json()]).toMatchObject([200, { status: 'healthy' }])
  }, 60_000)
})

describe('every command', () => {
  const scripts = Object.entries(manifest.scripts).flatMap(([name, command]) => {
    const file = /^node (\S+\.ts)$/.exec(command)?.[1]
    return file === undefined ? [] : [[name, file] as const]
  })

  test('is among those that are tried', () => {
    expect(scripts.length).toBeGreaterThan(10)
  })

  test.for(scripts)(
    'npm run %s has a help text, and refuses what it does not know',
    async ([name, file]) => {
      await using help = spawnCommand(file, ['--help'])
      expect(await help.ended).toBe(0)
      expect(help.output()).toContain(name === 'start' ? 'npm start' : `npm run ${name}`)
      await using wrong = spawnCommand(file, ['--no-such-option'])
      expect(await wrong.ended).toBe(2)
      expect(wrong.output()).toContain('--help')
    },
  )
})

test('each script of package.json names a file that is there', () => {
  const files = Object.values(manifest.scripts).flatMap(
    (command) => /^node (\S+)$/.exec(command)?.[1] ?? [],
  )
  expect(files.filter((file) => !existsSync(path.join(root, file)))).toEqual([])
})
