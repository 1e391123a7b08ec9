import { setTimeout as delay } from 'node:timers/promises'
import { ServiceBusClient } from '@azure/service-bus'
import { expect, test } from 'vitest'
import { z } from 'zod'
import topology from '../../src/topology.json' with { type: 'json' }
import { demo } from '../../infra/local/demo.ts'
import { fireTimer, startRunning } from './running.ts'

const answerShape = z.object({
  data: z
    .array(
      z.looseObject({ id: z.string(), reason: z.looseObject({ code: z.string() }).optional() }),
    )
    .default([]),
})

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(50)
}

test('S24: what a queue gave up is shown to its tenant, and goes its way when it is sent again', async () => {
  await using running = await startRunning({ serviceNow: { count: 4 } })
  const { stack } = running
  const [row] = stack.serviceNow.control.rows(demo.entityType)
  const message = {
    integrationId: demo.integrationId,
    tenantId: demo.tenantId,
    connectionId: demo.connectionId,
    syncMode: 'pull',
    priority: 'normal',
    correlationId: 'run-lost',
    enqueuedAt: new Date().toISOString(),
    taskId: demo.taskId,
    record: { entityType: demo.entityType, externalId: row?.['sys_id'] },
  }
  await using bus = Object.assign(
    new ServiceBusClient(stack.settings['SERVICE_BUS_CONNECTION_STRING'] ?? ''),
    { [Symbol.asyncDispose]: () => bus.close() },
  )
  const { name } = topology.queues.inbound
  const sessionId = 'lane'
  await bus.createSender(name).sendMessages({ messageId: 'm-lost', body: message, sessionId })
  const receiver = await bus.acceptSession(name, sessionId)
  for (const one of await receiver.receiveMessages(1)) await receiver.deadLetterMessage(one)

  await using functions = await running.startFunctions()
  const { token } = await stack.issuer.control.mint({
    subject: 'op',
    tenantId: demo.tenantId,
    roles: ['operator'],
  })
  const api = async (method: string, path: string) => {
    const headers = { authorization: `Bearer ${token}` }
    const response = await fetch(`${functions.url}/api/v1/${path}`, { method, headers })
    const text = await response.text()
    return { status: response.status, ...answerShape.parse(text === '' ? {} : JSON.parse(text)) }
  }
  await fireTimer(running, functions, 'SyncOutboxRelay')
  await until(async () => (await api('GET', 'parked')).data.length === 1)
  const [parked] = (await api('GET', 'parked')).data
  expect(parked?.reason?.code).toBe('dead_lettered')
  const records = `records?entityType=${demo.entityType}`
  expect((await api('GET', records)).data).toEqual([])
  const sent = await fetch(`${functions.url}/api/v1/parked/${parked?.id}/redrive`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  })
  expect(sent.status).toBe(202)
  await until(async () => (await api('GET', records)).data.length === 1)
  expect((await api('GET', 'parked')).data).toEqual([])
})
