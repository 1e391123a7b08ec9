import { createHmac } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { z } from 'zod'
import type { SoakWorld, Tenant } from './world.ts'

const EVERY_MS = 2_000
/** What is on its way when the last one was sent. */
const GRACE_MS = 2_000

export interface Phones {
  /** Notifications that the stack accepted, and those among them that a phone heard. */
  counts(): { readonly accepted: number; readonly heard: number }
  /** Sends no more, and gives what is on its way its time. */
  finish(): Promise<void>
}

const notificationShape = z.object({ data: z.object({ recordId: z.string() }) })

/** A stock SignalR client for each tenant, and somebody who assigns it an incident every other second. */
export async function connectPhones(
  world: SoakWorld,
  tenants: readonly Tenant[],
): Promise<Phones & AsyncDisposable> {
  const stop = new AbortController()
  const [accepted, heard] = [new Set<string>(), new Set<string>()]
  await using starting = new AsyncDisposableStack()
  for (const tenant of tenants) {
    const phone = await connect(world, tenant, (id) => heard.add(id))
    starting.defer(() => phone.stop())
  }
  const sending = Promise.all(
    tenants.map(async ({ name }) => {
      for (let index = 0; !stop.signal.aborted; index += 1) {
        const id = `${name}-call-${index}`
        if (await assign(world, name, id)) accepted.add(id)
        await delay(EVERY_MS, undefined, { signal: stop.signal }).catch(() => {})
      }
    }),
  )
  const connected = starting.move()
  const finish = async () => {
    stop.abort()
    await sending
    await delay(GRACE_MS)
  }
  return {
    finish,
    counts: () => ({
      accepted: accepted.size,
      heard: [...accepted].filter((id) => heard.has(id)).length,
    }),
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await sending
      await connected.disposeAsync()
    },
  }
}

async function connect(
  { url, running }: SoakWorld,
  { name }: Tenant,
  onHeard: (id: string) => void,
) {
  const { token } = await running.stack.issuer.control.mint({
    subject: name,
    tenantId: name,
    roles: ['viewer'],
  })
  const phone = new HubConnectionBuilder()
    .withUrl(`${url}/api/signalr-negotiate`, { accessTokenFactory: () => token })
    .configureLogging(LogLevel.None)
    .build()
  phone.on('notification', (notification: unknown) => {
    onHeard(notificationShape.parse(notification).data.recordId)
  })
  await phone.start()
  return phone
}

async function assign({ url, running }: SoakWorld, user: string, id: string): Promise<boolean> {
  const { WEBHOOK_SECRET = '', FUNCTIONS_KEY = '' } = running.stack.settings
  const body = JSON.stringify({
    event_type: 'incident.updated',
    table: 'incident',
    operation: 'update',
    record: { sys_id: id, number: id, assigned_to: user, state: '2', short_description: 'x' },
    timestamp: new Date().toISOString(),
  })
  const signature = createHmac('sha256', WEBHOOK_SECRET).update(body).digest('hex')
  const answer = await fetch(`${url}/api/servicenow-webhook`, {
    method: 'POST',
    headers: { 'x-functions-key': FUNCTIONS_KEY, 'x-servicenow-signature': signature },
    body,
  }).catch(() => undefined)
  await answer?.arrayBuffer()
  return answer?.ok === true
}
