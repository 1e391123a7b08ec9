import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'

const mainOf = (vendor: string) =>
  new URL(`../../../infra/local/vendors/${vendor}/main.ts`, import.meta.url).pathname

/** Runs the command until it says `ready`, or until it ends. */
function run(...options: string[]) {
  return runVendor('servicenow', options)
}

async function runVendor(vendor: string, options: readonly string[]) {
  const child = spawn(process.execPath, [mainOf(vendor), ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    if (line === 'ready') break
  }
  return {
    lines,
    errors: () => errors,
    setting: (name: string) =>
      lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1) ?? '',
    stop: async () => {
      child.kill('SIGTERM')
      return exited
    },
    exited,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

test('the command runs until it is stopped, and prints where it is', async () => {
  await using command = await run('--count', '3', '--user', 'beth', '--password', 'secret')
  const url = command.setting('SERVICENOW_URL')
  const response = await fetch(`${url}/api/now/table/incident?sysparm_fields=number`, {
    headers: { authorization: `Basic ${btoa('beth:secret')}` },
  })
  expect(await response.json()).toEqual({
    result: ['INC0000001', 'INC0000002', 'INC0000003'].map((number) => ({ number })),
  })
  const control = command.lines.find((line) => line.startsWith('control '))?.slice(8) ?? ''
  expect(await (await fetch(control)).json()).toMatchObject({ state: { records: { incident: 3 } } })
  expect(await command.stop()).toEqual([0, null])
})

test.for([
  [['--help'], 0],
  [['--port', 'x'], 2],
  [['--mode', 'backwards'], 2],
  [['--nonsense'], 2],
] as const)('called with %j it ends with %i', async ([options, code]) => {
  await using command = await run(...options)
  expect(await command.exited).toEqual([code, null])
  expect(command.errors() === '').toBe(code === 0)
})

test.for([
  ['salesforce', '/services/data', 200],
  ['github', '/repos/octo/hello', 401],
] as const)('the command of %s runs until it is stopped', async ([vendor, path, status]) => {
  await using command = await runVendor(vendor, ['--count', '3'])
  const url = command.setting(`${vendor.toUpperCase()}_URL`)
  expect((await fetch(`${url}${path}`)).status).toBe(status)
  const control = command.lines.find((line) => line.startsWith('control '))?.slice(8) ?? ''
  const refused = await fetch(`${control}/commands/throttle`, {
    method: 'POST',
    body: '{"kind":"x"}',
  })
  expect(refused.status).toBe(400)
  const issued = await fetch(`${control}/commands/issue-refresh-token`, {
    method: 'POST',
    body: '{}',
  })
  expect(await issued.json()).toMatchObject({ answer: expect.stringMatching(/^(5Aep|ghr_)/) })
  expect(await command.stop()).toEqual([0, null])
})
