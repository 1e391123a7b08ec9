import { ServiceBusClient } from '@azure/service-bus'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createHmac } from 'node:crypto'
import { createInterface } from 'node:readline'
import rhea, { type Connection } from 'rhea'
import { expect, test } from 'vitest'
import { only, startNamespace, WAIT } from './namespace.ts'

const MAIN = new URL('../../../infra/local/service-bus/main.ts', import.meta.url).pathname

/** The emulator as a process of its own; its settings as it prints them. */
async function startProcess() {
  const child = spawn(process.execPath, [
    MAIN,
    '--port',
    '0',
    '--admin-port',
    '0',
    '--latency',
    '5',
  ])
  const printed = new Map<string, string>()
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'ready') break
    const [, name = '', value = ''] = /^(\w+)[ =](.*)$/.exec(line) ?? []
    printed.set(name, value)
  }
  return {
    printed,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      const [code] = await once(child, 'exit')
      expect(code).toBe(0)
    },
  }
}

test('the command serves the queues of the topology, is controlled over HTTP and stops cleanly', async () => {
  await using emulator = await startProcess()
  const control = emulator.printed.get('control') ?? ''
  const client = new ServiceBusClient(emulator.printed.get('SERVICE_BUS_CONNECTION_STRING') ?? '')
  const inAWeek = new Date(Date.now() + 7 * 86_400_000)
  await client.createSender('sync-outbound').scheduleMessages({ body: 'planned' }, inAWeek)
  const step = JSON.stringify({ advanceMs: 7 * 86_400_000 + 1000 })
  expect((await fetch(`${control}/clock`, { method: 'POST', body: step })).status).toBe(204)
  const receiver = client.createReceiver('sync-outbound', { maxAutoLockRenewalDurationInMs: 0 })
  await receiver.completeMessage(only(await receiver.receiveMessages(1, WAIT)))
  expect(await (await fetch(control)).json()).toMatchObject({
    state: { 'sync-inbound': { active: 0 }, 'sync-outbound': { active: 0, scheduled: 0 } },
  })
  await client.close()
})

test('a peer that never speaks AMQP does not keep the emulator from stopping', async () => {
  const bus = await startNamespace()
  const port = Number(/:(\d+);/.exec(bus.connectionString)?.[1])
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const closed = once(socket, 'close')
  socket.on('error', () => {})
  await bus[Symbol.asyncDispose]()
  await closed
  expect(socket.destroyed).toBe(true)
})

test('an AMQP session that ends without detaching its links gives its message session back', async () => {
  await using bus = await startNamespace()
  const port = Number(/:(\d+);/.exec(bus.connectionString)?.[1])
  const connection = rhea
    .create_container()
    .connect({ port, host: '127.0.0.1', username: 'x', reconnect: false })
  await once(connection, 'connection_open')
  await putToken(bus.connectionString, connection)
  const session = connection.create_session()
  session.begin()
  const filter = { 'com.microsoft:session-filter': 'a' }
  session.open_receiver({ source: { address: 'chats', filter }, credit_window: 0 })
  await once(session, 'receiver_open')
  session.close()
  await once(session, 'session_close')
  expect((await bus.client.acceptSession('chats', 'a')).sessionId).toBe('a')
  const closed = once(connection, 'connection_close')
  connection.close()
  await closed
})

/** What the SDK does before it opens a link: a signed token goes to `$cbs`, and the answer says whether it holds. */
async function putToken(connectionString: string, connection: Connection): Promise<void> {
  const key = /SharedAccessKey=([^;]*)/.exec(connectionString)?.[1] ?? ''
  const [resource, expiry] = [encodeURIComponent('sb://127.0.0.1/'), '4102444800']
  const signature = createHmac('sha256', key).update(`${resource}\n${expiry}`).digest('base64')
  const token = `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}&skn=RootManageSharedAccessKey`
  const replies = connection.open_receiver('$cbs')
  const requests = connection.open_sender('$cbs')
  await once(requests, 'sendable')
  const answered = once(replies, 'message')
  requests.send({
    message_id: '1',
    application_properties: {
      operation: 'put-token',
      type: 'servicebus.windows.net:sastoken',
      name: 'sb://127.0.0.1/chats',
    },
    body: token,
  })
  const [{ message }] = await answered
  expect(message).toMatchObject({
    correlation_id: '1',
    application_properties: { 'status-code': 202 },
  })
}
