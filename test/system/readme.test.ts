import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { root, spawnCommand, type Spawned } from './spawned.ts'

const run = promisify(execFile)
const readme = readFileSync(path.join(root, 'README.md'), 'utf8')
const examples = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
  block.trim().split('\n'),
)

/** Not run from here: they install the packages that this test runs on, or run this test. CI runs them on a clean checkout. */
const elsewhere = new Set(['npm ci && npm start', 'npm ci && npm test'])

let stack: Spawned
let url = ''

/** A folder that looks like the project: what runs there leaves the checkout's own local.settings.json alone. */
let project = ''

beforeAll(async () => {
  project = await mkdtemp(path.join(tmpdir(), 'syncline-readme-'))
  for (const name of ['package.json', 'node_modules', 'infra', 'src', 'test', 'host.json']) {
    await symlink(path.join(root, name), path.join(project, name))
  }
  stack = spawnCommand('infra/local/start.ts', ['--port', '0', '--count', '5'], { cwd: project })
  url = (await stack.line(/^ready (\S+)$/))[1] ?? ''
}, 60_000)
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  await rm(project, { recursive: true, force: true })
})

/** Only the port is another, because 7071 may be taken on this machine. */
const here = (example: string) => example.replaceAll('http://localhost:7071', url)

const expected: Readonly<Record<string, RegExp>> = {
  '/api/health': /"status":"healthy"/,
  '/health/ready': /"status":"ready"/,
  'npm run --silent token': /^ey[\w-]+\.[\w-]+\.[\w-]+$/m,
  'signalr-negotiate': /^\{"url":"http:.*","accessToken":"ey/,
  '"web-pubsub"': /^\{"url":"ws:/,
  'servicenow-webhook': /"error":"Invalid signature"/,
  '/webhooks/reg-123/events': /"error":"Invalid signature"/,
  '/api/openapi.json': /^\{"openapi":"3\.1/,
  '/api/v1/records': /^\{"success":true,"data":\[/,
  '/api/v1/conflicts': /^\{"success":true,"data":\[/,
  '/fields?entityType': /"name":"short_description"/,
  '/api/v1/parked': /^\{"success":true,"data":\[/,
  '--help': /--help +this text/,
}

describe('an example of the README', () => {
  test('is found', () => {
    expect(examples.length).toBeGreaterThan(10)
    expect([...elsewhere].filter((command) => !examples.includes(command))).toEqual([])
  })

  test.for(examples.filter((command) => !elsewhere.has(command)))('%s', async (example) => {
    const { stdout } = await run('bash', ['-c', here(example)], { cwd: project })
    const wanted = Object.entries(expected).findLast(([part]) => example.includes(part))?.[1]
    expect(stdout).toMatch(wanted ?? /^there is no expectation for this example$/)
  })
})

test('every path that the README names is there', () => {
  const named = [
    ...readme.matchAll(
      /`((?:src|infra|test|credentials|sync|webhooks|notifications|connectors|functions)\/[\w./-]+)`/g,
    ),
  ]
  const missing = named
    .map(([, name = '']) => name)
    .filter(
      (name) => !existsSync(path.join(root, name)) && !existsSync(path.join(root, 'src', name)),
    )
  expect(named.length).toBeGreaterThan(8)
  expect(missing).toEqual([])
})
