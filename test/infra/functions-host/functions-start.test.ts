import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:https'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { close, listen } from '../../../infra/local/http-server.ts'
import { createCertificate } from '../../../infra/local/tls.ts'
import { fixture } from './start.ts'
import { packageJson, writeApp } from './write-app.ts'

const command = new URL('../../../infra/local/functions-start.ts', import.meta.url).pathname

/** Runs the command; `ready` resolves with the address, or undefined when it ended first. */
function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [command, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const { stdout, stderr } = child
  if (!stdout || !stderr) throw new Error('both are pipes')
  const exited = once(child, 'exit').then(([code]: unknown[]) => code)
  const errors = text(stderr)
  let printed = ''
  const ready = new Promise<string | undefined>((resolve) => {
    stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
      const address = /^ready (\S+)$/m.exec(printed)?.[1]
      if (address) resolve(address)
    })
    stdout.on('end', () => resolve(undefined))
  })
  return {
    child,
    exited,
    errors,
    ready,
    printed: () => printed,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

const settingsJson = (Values: Record<string, string>, Host: object = {}) =>
  JSON.stringify({ IsEncrypted: false, Values, Host })

test('it serves the app with the settings of the file, and stops at SIGTERM with 0', async () => {
  await using files = await writeApp({
    'own.settings.json': settingsJson(
      { FIXTURE_WORD: 'from the file', FUNCTIONS_KEY: 'k' },
      { LocalHttpPort: 0 },
    ),
  })
  const settings = path.join(files.root, 'own.settings.json')
  const args = ['--root', fixture('http'), '--settings', settings, '--control-port', '0']
  await using running = run(args)
  const origin = await running.ready
  const control = /^control (\S+)$/m.exec(running.printed())?.[1] ?? ''
  expect(await (await fetch(control)).json()).toMatchObject({ state: { running: 0 } })
  expect(await (await fetch(`${origin}/setting`)).text()).toBe('from the file')
  expect((await fetch(`${origin}/guarded?code=k`)).status).toBe(200)
  expect(running.printed()).toMatch(/^FUNCTIONS_MASTER_KEY=\S+$/m)
  expect(running.printed()).not.toMatch(/^FUNCTIONS_KEY=/m)
  running.child.kill('SIGTERM')
  expect(await running.exited).toBe(0)
})

test('the environment stands over the file; a parent that goes away ends it', async () => {
  await using files = await writeApp({
    'local.settings.json': settingsJson({ FIXTURE_WORD: 'from the file' }),
    'package.json': packageJson('main.js'),
    'main.js': `import { app } from '@azure/functions'
      app.get('word', async () => ({ body: process.env.FIXTURE_WORD }))`,
  })
  await using running = run(['--root', files.root, '--port', '0'], { FIXTURE_WORD: 'from outside' })
  const origin = await running.ready
  expect(await (await fetch(`${origin}/api/word`)).text()).toBe('from outside')
  running.child.disconnect()
  expect(await running.exited).toBe(0)
})

test.for<readonly [string, Record<string, string>, RegExp]>([
  ['no settings file', {}, /^cannot read the settings file .*local\.settings\.json\n$/],
  [
    'settings that are no JSON',
    { 'local.settings.json': '{ "Values": { "KEY": "secret"' },
    /^.*local\.settings\.json is not JSON\n$/,
  ],
  [
    'encrypted settings',
    { 'local.settings.json': '{ "IsEncrypted": true }' },
    /encrypted settings/,
  ],
  [
    'an app that does not load',
    {
      'local.settings.json': settingsJson({}),
      'package.json': packageJson('main.js'),
      'main.js': 'throw new Error("COSMOS_ENDPOINT is missing")',
    },
    /^Worker was unable to load entry point "main\.js": COSMOS_ENDPOINT is missing\n$/,
  ],
])('%s ends it with 1 and one message', async ([, files, message]) => {
  await using app = await writeApp(files)
  await using running = run(['--root', app.root, '--port', '0'])
  expect(await running.exited).toBe(1)
  expect(await running.errors).toMatch(message)
})

test('--help says what it takes; an unknown option ends it with 2', async () => {
  await using help = run(['--help'])
  expect(await help.exited).toBe(0)
  expect(help.printed()).toContain('--settings')
  await using wrong = run(['--prot', '1'])
  expect(await wrong.exited).toBe(2)
})

const callingOut = `
import { app } from '@azure/functions'
import https from 'node:https'
import { createDefaultHttpClient, createPipelineRequest } from '@azure/core-rest-pipeline'

const byNode = (url) =>
  new Promise((resolve, reject) => https.get(url, (response) => resolve(response.statusCode)).on('error', reject))
const bySdk = async (url) =>
  (await createDefaultHttpClient().sendRequest(createPipelineRequest({ url }))).status
app.get('call', async () => ({
  jsonBody: [await byNode(process.env.SECURE_URL), await bySdk(process.env.SECURE_URL), (await fetch(process.env.SECURE_URL)).status],
}))
`

test('NODE_EXTRA_CA_CERTS among the settings is trusted by node:https, fetch and the SDKs', async () => {
  await using certificate = await createCertificate()
  const secure = createServer(
    { cert: certificate.certificate, key: certificate.key },
    (_request, response) => response.end('safe'),
  )
  const port = await listen(secure, 0)
  await using files = await writeApp({
    'package.json': packageJson('main.js'),
    'main.js': callingOut,
    'local.settings.json': settingsJson({
      SECURE_URL: `https://127.0.0.1:${port}/`,
      NODE_EXTRA_CA_CERTS: certificate.authorityPath,
    }),
  })
  await using running = run(['--root', files.root, '--port', '0'])
  const answer = await fetch(`${await running.ready}/api/call`)
  expect(await answer.json()).toEqual([200, 200, 200])
  await close(secure)
})
