import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { seedDemo } from '../../infra/local/demo.ts'
import {
  startFunctionsProcess,
  type FunctionsProcess,
  type FunctionsProcessOptions,
} from '../../infra/local/functions-process.ts'
import { startStack, type StackOptions } from '../../infra/local/stack.ts'

const MANY = 1_000_000

/** Settings under which no limit of ours is met: for what asks how much the rest takes. */
export const withoutLimits = {
  RATE_LIMITS: JSON.stringify({
    tenant: MANY,
    incoming: {
      webhooks: { source: MANY, registration: MANY, tenant: MANY, user: MANY },
      management: { source: MANY, registration: MANY, tenant: MANY, user: MANY },
    },
    integrations: {
      servicenow: {
        integration: MANY,
        operations: { fetch: MANY, update: MANY, create: MANY },
        connection: MANY,
        day: 1_000 * MANY,
      },
    },
  }),
  RATE_LIMIT_PART_ALONE: '1',
} as const

export type Running = Awaited<ReturnType<typeof startRunning>>

/** The whole cloud in this process, with the demo's tenant, and the means to run the functions beside it. */
export async function startRunning(options: StackOptions = {}) {
  await using starting = new AsyncDisposableStack()
  const folder = await mkdtemp(path.join(tmpdir(), 'syncline-test-'))
  starting.defer(() => rm(folder, { recursive: true, force: true }))
  const stack = starting.use(await startStack(options))
  await seedDemo(stack)
  const settingsFile = path.join(folder, 'local.settings.json')
  const writeSettings = (changes: Readonly<Record<string, string>>) =>
    writeFile(settingsFile, JSON.stringify({ Values: { ...stack.settings, ...changes } }))
  await writeSettings({})
  const running = starting.move()
  return {
    stack,
    settingsFile,
    writeSettings,
    startFunctions: (more: Partial<FunctionsProcessOptions> = {}): Promise<FunctionsProcess> =>
      startFunctionsProcess({ settingsFile, port: 0, ...more }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** Fires a timer function now, as an operator can. */
export async function fireTimer(
  { stack }: Running,
  { url }: FunctionsProcess,
  name: string,
): Promise<void> {
  const response = await fetch(`${url}/admin/functions/${name}`, {
    method: 'POST',
    headers: {
      'x-functions-key': stack.settings['FUNCTIONS_MASTER_KEY'] ?? '',
      'content-type': 'application/json',
    },
    body: '{"input":""}',
  })
  if (!response.ok) throw new Error(`${name} was answered ${response.status}`)
}
