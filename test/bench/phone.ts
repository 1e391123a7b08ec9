import { createHmac } from 'node:crypto'
import { WebPubSubClient } from '@azure/web-pubsub-client'
import { HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import topology from '../../src/topology.json' with { type: 'json' }
import type { RealtimeOptions } from '../../src/adapters/realtime-endpoint.ts'
import { createSignalRRealtime } from '../../src/adapters/signalr.ts'
import { createWebPubSubRealtime } from '../../src/adapters/web-pubsub.ts'
import { groupOf } from '../../src/notifications/rules.ts'
import { startRunning, type Running } from '../system/running.ts'
import { beside, quantile, type Bench, type Figure } from './harness.ts'

const EVENTS = 300
const WARM_UP = 30
/** Of the events, each with quantiles of its own: their spread. */
const PARTS = 5

interface Phone extends AsyncDisposable {
  readonly name: string
  readonly onNotification: (heard: () => void) => void
  /** Asks the service itself to tell this phone. */
  readonly tell: (notification: object) => Promise<void>
}

/** From the moment at which the instance posts until a stock client has heard, everything between on this machine. */
export const phone: Bench = {
  name: 'phone',
  summary:
    'webhook of ServiceNow to a stock client hearing of it, beside the service told directly',
  run: async (progress) => {
    await using running = await startRunning()
    await using functions = await running.startFunctions()
    const figures: Figure[] = []
    for (const connect of [connectSignalR, connectWebPubSub]) {
      await using client = await connect(running, functions.url)
      progress(`${client.name}: ${EVENTS} webhooks, one after another`)
      const [ours, floors]: [number[], number[]] = [[], []]
      for (let index = 0; index < EVENTS + WARM_UP; index += 1) {
        const id = `${client.name}-${index}`
        const tookOurs = await untilHeard(client, () => post(running, functions.url, id))
        const tookBare = await untilHeard(client, () => client.tell(notification(id)))
        if (index < WARM_UP) continue
        ours.push(tookOurs)
        floors.push(tookBare)
      }
      figures.push(...[0.5, 0.95].map((share) => figureOf(client.name, share, { ours, floors })))
    }
    return figures
  },
}

function figureOf(
  name: string,
  share: number,
  { ours, floors }: { readonly ours: readonly number[]; readonly floors: readonly number[] },
): Figure {
  const figure = { name: `webhook_to_phone_${name}_p${share * 100}`, unit: 'ms' }
  const of = Array.from({ length: PARTS }, (_, part) => part)
  const partOf = (values: readonly number[], part: number) =>
    quantile(values.slice((part * EVENTS) / PARTS, ((part + 1) * EVENTS) / PARTS), share)
  return beside(figure, {
    values: of.map((part) => partOf(ours, part)),
    floors: of.map((part) => partOf(floors, part)),
  })
}

async function untilHeard({ onNotification }: Phone, tell: () => Promise<void>): Promise<number> {
  const heard = new Promise<void>((resolve) => onNotification(resolve))
  const before = performance.now()
  await Promise.all([tell(), heard])
  return performance.now() - before
}

/** What the rules make of the incident that is posted. */
function notification(id: string): object {
  const data = { recordId: id, recordNumber: 'INC1', table: 'incident' }
  return { type: 'incident_assigned', title: 'Incident INC1 Assigned', body: 'x', data }
}

async function post({ stack }: Running, url: string, id: string): Promise<void> {
  const body = JSON.stringify({
    event_type: 'incident.updated',
    table: 'incident',
    operation: 'update',
    record: { sys_id: id, number: 'INC1', assigned_to: 'me', state: '2', short_description: 'x' },
    timestamp: new Date().toISOString(),
  })
  const { WEBHOOK_SECRET = '', FUNCTIONS_KEY = '' } = stack.settings
  const answer = await fetch(`${url}/api/servicenow-webhook`, {
    method: 'POST',
    headers: {
      'x-functions-key': FUNCTIONS_KEY,
      'x-servicenow-signature': createHmac('sha256', WEBHOOK_SECRET).update(body).digest('hex'),
    },
    body,
  })
  if (!answer.ok)
    throw new Error(`the webhook was answered ${answer.status}: ${await answer.text()}`)
}

async function negotiate({ stack }: Running, url: string, service: string) {
  const { token } = await stack.issuer.control.mint({ subject: 'me', tenantId: 'demo', roles: [] })
  const answer = await fetch(`${url}/api/signalr-negotiate`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ service }),
  })
  return (await answer.json()) as { url: string; accessToken: string } // the contract's answer
}

function optionsOf({ stack }: Running, setting: string): RealtimeOptions {
  return { connectionString: stack.settings[setting] ?? '', hub: topology.hub }
}

async function connectSignalR(running: Running, url: string): Promise<Phone> {
  const answer = await negotiate(running, url, 'signalr')
  const connection = new HubConnectionBuilder()
    .withUrl(answer.url, { accessTokenFactory: () => answer.accessToken })
    .configureLogging(LogLevel.None)
    .build()
  await connection.start()
  const service = createSignalRRealtime(optionsOf(running, 'SIGNALR_CONNECTION_STRING'))
  return {
    name: 'signalr',
    tell: (payload) => service.sendToGroup(groupOf('me'), payload),
    onNotification: (heard) => {
      connection.off('notification')
      connection.on('notification', () => {
        heard()
      })
    },
    [Symbol.asyncDispose]: () => connection.stop(),
  }
}

async function connectWebPubSub(running: Running, url: string): Promise<Phone> {
  const answer = await negotiate(running, url, 'web-pubsub')
  const client = new WebPubSubClient(answer.url)
  let waiting: (() => void) | undefined
  client.on('group-message', () => waiting?.())
  await client.start()
  const service = createWebPubSubRealtime(optionsOf(running, 'WEB_PUBSUB_CONNECTION_STRING'))
  return {
    name: 'web_pubsub',
    tell: (payload) => service.sendToGroup(groupOf('me'), payload),
    onNotification: (heard) => {
      waiting = heard
    },
    [Symbol.asyncDispose]: async () => client.stop(),
  }
}
