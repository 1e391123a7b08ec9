import { z } from 'zod'
import topology from '../../src/topology.json' with { type: 'json' }
import { demo } from '../../infra/local/demo.ts'
import { cosmosClient, seedConnection, seedTask } from '../../infra/local/seed.ts'
import { fireTimer, startRunning, withoutLimits, type Running } from '../system/running.ts'
import type { StackOptions } from '../../infra/local/stack.ts'

/** A tenant with its own connection to the one instance; all of its names are one. */
export async function seedTenant({ stack }: Running, name: string, syncMode: string) {
  const shared = { tenantId: name, integrationId: 'servicenow', connectionId: name }
  await seedConnection(stack, {
    ...shared,
    credentialId: name,
    label: name,
    config: { instanceUrl: stack.settings['SERVICENOW_URL'] },
    secret: {
      kind: 'refresh_token',
      refreshToken: stack.serviceNow.control.issueRefreshToken(),
    },
  })
  await seedTask(stack, {
    ...shared,
    id: name,
    entityType: demo.entityType,
    syncMode,
    enabled: true,
  })
}

async function patchTask(
  { stack }: Running,
  { id, tenantId }: { readonly id: string; readonly tenantId: string },
  changes: object,
): Promise<void> {
  using client = cosmosClient(stack)
  const task = client.database(topology.database).container(topology.containers.tasks.name)
  const operations = Object.entries(changes).map(([name, value]) => {
    return { op: 'set' as const, path: `/${name}`, value: value as unknown }
  })
  await task.item(id, tenantId).patch(operations)
}

/** A line of our own in the log of the functions. */
const saidShape = z.looseObject({ message: z.string(), tenantId: z.string().optional() })
type Said = z.infer<typeof saidShape>
const lineShape = z.object({ message: z.string() })

function readLine(line: string): Said | undefined {
  const text = lineShape.safeParse(parseJson(line)).data?.message ?? ''
  return saidShape.safeParse(parseJson(text)).data
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The stack and the functions, with nothing that runs unasked and no limits, which the floors do not have either, and a wait for what the workers say that they finished. */
export async function startMeasured(options: StackOptions) {
  await using starting = new AsyncDisposableStack()
  const running = starting.use(await startRunning({ ...options, settings: withoutLimits }))
  await patchTask(running, { id: demo.taskId, tenantId: demo.tenantId }, { enabled: false })
  const waiting = new Map<(said: Said) => boolean, (said: Said) => void>()
  const functions = starting.use(
    await running.startFunctions({
      onLine: (line) => {
        const one = readLine(line)
        for (const [isIt, heard] of waiting) if (one && isIt(one)) heard(one)
      },
    }),
  )
  const said = (isIt: (said: Said) => boolean): Promise<Said> => {
    const { promise, resolve } = Promise.withResolvers<Said>()
    waiting.set(isIt, resolve)
    return promise.finally(() => waiting.delete(isIt))
  }
  const started = starting.move()
  return {
    ...running,
    functions,
    said,
    /** One run of the tenant's task, through timer, queue and worker; settles when its result is stored. */
    pull: async (tenant: string): Promise<Said> => {
      await patchTask(running, { id: tenant, tenantId: tenant }, { status: 'pending' })
      const finished = said(
        ({ message, tenantId }) => message === 'slice finished' && tenantId === tenant,
      )
      await fireTimer(running, functions, 'SyncScheduler')
      return finished
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}
export type Measured = Awaited<ReturnType<typeof startMeasured>>

/** What some work cost our own services. */
export interface Spent {
  readonly ms: number
  readonly requestUnits: number
  readonly messages: number
}

export async function spent({ stack }: Running, work: () => Promise<unknown>): Promise<Spent> {
  stack.cosmos.control.resetCalls()
  stack.serviceBus.control.resetCalls()
  const before = performance.now()
  await work()
  const ms = performance.now() - before
  const sends = Object.entries(stack.serviceBus.control.calls()).filter(([name]) =>
    name.startsWith('send '),
  )
  return {
    ms,
    requestUnits: stack.cosmos.control.requestCharge().total,
    messages: sends.reduce((sum, [, count]) => sum + count, 0),
  }
}

/** Somebody edits every incident on the instance: all of them are read again, whatever was edited. */
export function touchEveryRow(
  { stack }: Running,
  change: (index: number) => Record<string, string>,
): void {
  const { control } = stack.serviceNow
  for (const [index, row] of control.rows(demo.entityType).entries()) {
    control.update(demo.entityType, row['sys_id'] ?? '', change(index))
  }
}
