import { createHmac } from 'node:crypto'
import { WebPubSubClient } from '@azure/web-pubsub-client'
import { HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { startRunning, type Running } from '../system/running.ts'
import type { Bench } from './harness.ts'
import { quantile, summarize } from './harness.ts'

const EVENTS = 200
const WARM_UP = 20

interface Phone extends AsyncDisposable {
  readonly name: string
  readonly onNotification: (heard: () => void) => void
}

/** From the moment at which the instance posts until a stock client has heard, everything between on this machine. */
export const phone: Bench = {
  name: 'phone',
  summary: 'webhook of ServiceNow to a stock client hearing of it',
  run: async (progress) => {
    await using running = await startRunning()
    await using functions = await running.startFunctions()
    const figures = []
    for (const connect of [connectSignalR, connectWebPubSub]) {
      await using client = await connect(running, functions.url)
      progress(`${client.name}: ${EVENTS} webhooks, one after another`)
      const took: number[] = []
      for (let index = 0; index < EVENTS + WARM_UP; index += 1) {
        const heard = new Promise<void>((resolve) => client.onNotification(resolve))
        const before = performance.now()
        await Promise.all([post(running, functions.url, `${client.name}-${index}`), heard])
        if (index >= WARM_UP) took.push(performance.now() - before)
      }
      figures.push(summarize({ name: `webhook_to_phone_${client.name}_p50`, unit: 'ms' }, took), {
        name: `webhook_to_phone_${client.name}_p95`,
        value: quantile(took, 0.95),
        unit: 'ms',
      })
    }
    return figures
  },
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

async function connectSignalR(running: Running, url: string): Promise<Phone> {
  const answer = await negotiate(running, url, 'signalr')
  const connection = new HubConnectionBuilder()
    .withUrl(answer.url, { accessTokenFactory: () => answer.accessToken })
    .configureLogging(LogLevel.None)
    .build()
  await connection.start()
  return {
    name: 'signalr',
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
  return {
    name: 'web_pubsub',
    onNotification: (heard) => {
      waiting = heard
    },
    [Symbol.asyncDispose]: async () => client.stop(),
  }
}
