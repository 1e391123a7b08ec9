import { createHmac } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { ServiceBusClient } from '@azure/service-bus'
import { expect, test } from 'vitest'
import topology from '../../src/topology.json' with { type: 'json' }
import type { RecordDocument } from '../../src/sync/record.ts'
import { countStored, demo, seedRegistration } from '../../infra/local/demo.ts'
import { cosmosClient } from '../../infra/local/seed.ts'
import { startRunning, withoutLimits, type Running } from './running.ts'

/** More by hand: WEBHOOK_BURST=20000 npx vitest run … test/system/webhook-burst.test.ts */
const EVENTS = Number(process.env['WEBHOOK_BURST'] ?? 1_500)
const SENDERS = 30
const secret = 'burst-secret'
const id = 'reg-burst'

async function post(url: string, sysId: string): Promise<number> {
  const body = JSON.stringify({
    event_type: 'incident.updated',
    table: 'incident',
    operation: 'update',
    record: { sys_id: sysId },
  })
  const stamp = String(Math.floor(Date.now() / 1_000))
  const mac = createHmac('sha256', secret).update(`${stamp}.evt-${sysId}.${body}`).digest('base64')
  try {
    const answer = await fetch(`${url}/webhooks/${id}/events`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-snow-signature': `sha256=${mac}`,
        'x-snow-timestamp': stamp,
        'x-snow-event-id': `evt-${sysId}`,
      },
      body,
    })
    await answer.arrayBuffer()
    return answer.status
  } catch {
    return 0
  }
}

/** The records that the messages in the queue name, as an operator would look at them. */
async function peekRecords({ stack }: Running): Promise<readonly string[]> {
  await using client = Object.assign(
    new ServiceBusClient(stack.settings['SERVICE_BUS_CONNECTION_STRING'] ?? ''),
    { [Symbol.asyncDispose]: () => client.close() },
  )
  const receiver = client.createReceiver(topology.queues.inbound.name)
  const found: string[] = []
  for (let more = await receiver.peekMessages(250); more.length > 0;) {
    found.push(
      ...more.map(({ body }) => (body as { record: { externalId: string } }).record.externalId), // ours
    )
    more = await receiver.peekMessages(250)
  }
  return found
}

async function readRecords({ stack }: Running): Promise<readonly RecordDocument[]> {
  using client = cosmosClient(stack)
  const { resources } = await client
    .database(topology.database)
    .container(topology.containers.shards.name)
    .items.query<RecordDocument>("SELECT * FROM c WHERE c.kind = 'record'", {
      partitionKey: [demo.tenantId, demo.entityType],
    })
    .fetchAll()
  return resources
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(50)
}

test('S1 S2: whenever the host is killed in a burst, every 2xx has its message, and every message is applied once', async () => {
  await using running = await startRunning({
    serviceNow: { count: EVENTS },
    settings: withoutLimits,
  })
  const { connectionId } = demo
  await seedRegistration(running.stack, { id, connectionId, scheme: 'servicenow', secret })
  const waiting = running.stack.serviceNow.control
    .rows('incident')
    .map((row) => row['sys_id'] ?? '')
  const all = new Set(waiting)
  // While the burst lasts nobody takes messages, so that all of them can be counted.
  await running.writeSettings({ 'AzureWebJobs.SyncInboundWorker.Disabled': 'true' })
  const accepted = new Set<string>()
  for (const share of [0.15, 0.4, 0.7, 1]) {
    await using functions = await running.startFunctions()
    await Promise.all(
      Array.from({ length: SENDERS }, async () => {
        while (waiting.length > 0 && accepted.size < EVENTS * share) {
          const sysId = waiting.pop()
          if (sysId === undefined) return
          const status = await post(functions.url, sysId)
          if (status === 200) accepted.add(sysId)
          else waiting.unshift(sysId)
          // The first who sees the share reached kills, while the others' calls are under way.
          if (share < 1 && accepted.size >= EVENTS * share) await functions.kill()
        }
      }),
    )
    const handedOver = new Set(await peekRecords(running))
    expect([...accepted].filter((sysId) => !handedOver.has(sysId))).toEqual([])
  }
  expect(accepted).toEqual(all)
  expect((await peekRecords(running)).toSorted()).toEqual([...all].toSorted())

  await running.writeSettings({})
  {
    await using functions = await running.startFunctions()
    await until(async () => (await countStored(running.stack)).records >= EVENTS / 2)
    await functions.kill()
    running.stack.serviceBus.control.clock.advance(61_000)
  }
  await using _functions = await running.startFunctions()
  await until(async () => (await countStored(running.stack)).records >= EVENTS)
  const records = await readRecords(running)
  expect(records.length).toBe(EVENTS)
  expect(records.filter(({ createdAt, updatedAt }) => createdAt !== updatedAt)).toEqual([])
  expect((await countStored(running.stack)).parked).toBe(0)
}, 600_000)
