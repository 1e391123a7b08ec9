import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { WebPubSubServiceClient } from '@azure/web-pubsub'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { signToken } from '../../../infra/local/realtime/tokens.ts'
import { startWebPubSub } from '../../../infra/local/realtime/web-pubsub.ts'
import { inbox, partsOf, webPubSub } from './stock.ts'

const JSON_PROTOCOL = 'json.webpubsub.azure.v1'
const RELIABLE = 'json.reliable.webpubsub.azure.v1'

/** A bare WebSocket with everything that it hears. */
async function dial(url: string, protocol?: string) {
  const socket = new WebSocket(url, protocol === undefined ? [] : [protocol])
  const frames = inbox<string>()
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  socket.on('message', (data: Buffer, isBinary) =>
    frames.put(isBinary ? `octets ${data.toString('hex')}` : data.toString()),
  )
  await once(socket, 'open')
  return { socket, frames, closed, [Symbol.dispose]: () => socket.terminate() }
}

async function errorOf(url: string, protocol: string): Promise<string> {
  const [error] = await once(new WebSocket(url, [protocol]), 'error')
  return String(error)
}

/** The reliable client's way back to its session. */
function recoveryUrl(url: string, greeting: string, token?: string): string {
  const { connectionId, reconnectionToken } = JSON.parse(greeting)
  const recovery = new URL(url)
  recovery.search = `awps_connection_id=${connectionId}&awps_reconnection_token=${token ?? reconnectionToken}`
  return recovery.href
}

test('a simple client gets the payloads and nothing else', async () => {
  await using hub = await webPubSub()
  const { url } = await hub.service.getClientAccessToken({ groups: ['g'] })
  using client = await dial(url)
  client.socket.send('an event, and nobody upstream')
  await hub.service.sendToAll({ message: 'Hello world!' })
  await hub.service.group('g').sendToAll('Hi there!', { contentType: 'text/plain' })
  await hub.service.sendToAll(new Uint8Array([5, 1, 1]))
  expect(await client.frames.next()).toBe('{"message":"Hello world!"}')
  expect(await client.frames.next()).toBe('Hi there!')
  expect(await client.frames.next()).toBe('octets 050101')
})

test('a subprotocol client gets frames in the service’s own form', async () => {
  await using hub = await webPubSub()
  const { url } = await hub.service.getClientAccessToken({ userId: 'ann', groups: ['g'] })
  using client = await dial(url, JSON_PROTOCOL)
  const greeting = JSON.parse(await client.frames.next())
  expect(greeting).toEqual({
    type: 'system',
    event: 'connected',
    userId: 'ann',
    connectionId: expect.any(String),
  })
  await hub.service.sendToAll({ message: 'Hello world!' })
  await hub.service.group('g').sendToAll('Hi', { contentType: 'text/plain' })
  client.socket.send('{"type":"ping"}')
  expect(await client.frames.next()).toBe(
    '{"type":"message","from":"server","dataType":"json","data":{"message":"Hello world!"}}',
  )
  expect(await client.frames.next()).toBe(
    '{"type":"message","from":"group","group":"g","dataType":"text","data":"Hi"}',
  )
  expect(await client.frames.next()).toBe('{"type":"pong"}')
})

test.for([
  ['not JSON', 1007],
  ['{"type":"dance"}', 1007],
  [Buffer.from('{"type":"ping"}'), 1003],
] as const)('the frame %s ends the connection with %i', async ([frame, code]) => {
  await using hub = await webPubSub()
  const { url } = await hub.service.getClientAccessToken({})
  using client = await dial(url, JSON_PROTOCOL)
  client.socket.send(frame)
  expect(await client.closed).toBe(code)
})

test.for([
  ['{"type":"invoke","invocationId":"i","target":"event","event":"e"}', '"invokeResponse"'],
  ['{"type":"sendToGroup","group":"g","stream":{"streamId":"s"}}', '"streamClosed"'],
  ['{"type":"streamData","streamId":"s"}', '"streamClosed"'],
  ['{"type":"setGroupState","group":"g","ackId":3}', '"ackId":3,"success":false'],
])('the request %s is declined and the connection stays', async ([request = '', answer]) => {
  await using hub = await webPubSub()
  const { url } = await hub.service.getClientAccessToken({})
  using client = await dial(url, JSON_PROTOCOL)
  await client.frames.next()
  client.socket.send(request)
  expect(await client.frames.next()).toContain(answer)
  client.socket.send('{"type":"ping"}')
  expect(await client.frames.next()).toBe('{"type":"pong"}')
})

test('an unknown subprotocol or path is refused before the upgrade', async () => {
  await using hub = await webPubSub()
  const { url } = await hub.service.getClientAccessToken({})
  expect(await errorOf(url, 'protobuf.webpubsub.azure.v1')).toContain('400')
  expect(await errorOf(url.replace('/client/', '/clients/mqtt/'), JSON_PROTOCOL)).toContain('404')
})

describe('recovery', () => {
  test('a sequence ack trims what comes again, and the newer socket takes over', async () => {
    await using hub = await webPubSub()
    const { url } = await hub.service.getClientAccessToken({})
    using first = await dial(url, RELIABLE)
    const greeting = await first.frames.next()
    for (const text of ['one', 'two', 'three']) await hub.service.sendToAll(text)
    for (let count = 0; count < 3; count += 1) await first.frames.next()
    first.socket.send('{"type":"sequenceAck","sequenceId":2}')
    first.socket.send('{"type":"ping"}')
    await first.frames.next()
    using second = await dial(recoveryUrl(url, greeting), RELIABLE)
    expect(await second.frames.next()).toBe(greeting)
    expect(await second.frames.next()).toContain('"sequenceId":3')
    expect(await first.closed).toBe(1006)
    await hub.service.sendToAll('four')
    expect(await second.frames.next()).toContain('"sequenceId":4')
  })

  test.for([
    ['with a wrong token', (client: WebSocket) => client.terminate(), 'wrong'],
    ['after a normal close', (client: WebSocket) => client.close(1000), undefined],
  ] as const)('is refused with 1008 %s', async ([, end, token]) => {
    await using hub = await webPubSub()
    const { url } = await hub.service.getClientAccessToken({})
    using first = await dial(url, RELIABLE)
    const greeting = await first.frames.next()
    end(first.socket)
    await first.closed
    using second = await dial(recoveryUrl(url, greeting, token), RELIABLE)
    expect(await second.closed).toBe(1008)
  })
})

test('a planned fault strikes a client’s connection too', async () => {
  await using hub = await webPubSub()
  hub.control.fail({ operation: 'connect', connection: 'drop' })
  const { url } = await hub.service.getClientAccessToken({})
  expect(await errorOf(url, RELIABLE)).toContain('socket hang up')
  hub.control.fail({ operation: 'connect', connection: 'lose-answer' })
  using client = await dial(url, JSON_PROTOCOL)
  expect(await client.closed).toBe(1006)
})

test('latency delays frames and keeps their order', async () => {
  await using emulator = await startWebPubSub({ latencyMs: 5 })
  const connectionString = emulator.settings['WEB_PUBSUB_CONNECTION_STRING'] ?? ''
  const service = new WebPubSubServiceClient(connectionString, 'chat', {
    allowInsecureConnection: true,
  })
  const { url } = await service.getClientAccessToken({})
  using client = await dial(url)
  await service.sendToAll('1', { contentType: 'text/plain' })
  await service.sendToAll('2', { contentType: 'text/plain' })
  await service.closeAllConnections()
  expect([await client.frames.next(), await client.frames.next()]).toEqual(['1', '2'])
  expect(await client.closed).toBe(1000)
})

test('the service makes client tokens for callers that have no key', async () => {
  await using hub = await webPubSub()
  const { endpoint, accessKey } = partsOf(hub.connectionString)
  const entra = { aud: 'https://webpubsub.azure.com', exp: Math.floor(Date.now() / 1_000) + 60 }
  const answer = await fetch(
    `${endpoint}/api/hubs/chat/:generateToken?api-version=2024-12-01&userId=ann&group=g&minutesToExpire=5`,
    { method: 'POST', headers: { authorization: `Bearer ${signToken(entra, accessKey)}` } },
  )
  const { token } = JSON.parse(await answer.text())
  using client = await dial(
    `${endpoint.replace('http', 'ws')}/client/hubs/chat?access_token=${token}`,
  )
  expect(await hub.service.userExists('ann')).toBe(true)
  expect(await hub.service.groupExists('g')).toBe(true)
  client.socket.close()
})

test('both run as one process of their own, with a control channel, until they are told to stop', async () => {
  const main = new URL('../../../infra/local/realtime/main.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [main, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  for await (const line of createInterface(child.stdout)) {
    lines.push(line)
    if (line === 'ready') break
  }
  const text = lines.join('\n')
  const connectionString = /^WEB_PUBSUB_CONNECTION_STRING=(.*)$/m.exec(text)?.[1] ?? ''
  expect(text).toMatch(/^SIGNALR_CONNECTION_STRING=Endpoint=http:\/\/127\.0\.0\.1:\d+;/m)
  const service = new WebPubSubServiceClient(connectionString, 'chat', {
    allowInsecureConnection: true,
  })
  using client = await dial((await service.getClientAccessToken({ userId: 'ann' })).url)
  expect(await service.userExists('ann')).toBe(true)
  const control = /^control (.*\/web-pubsub)$/m.exec(text)?.[1]
  await fetch(`${control}/commands/dropClients`, { method: 'POST', body: '{}' })
  expect(await client.closed).toBe(1006)
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
})

describe('a malformed REST call says what is wrong', () => {
  const send = 'POST /api/hubs/h/:send'
  const connection = 'connections/c'
  test.for([
    ['a media type that is none of three', `${send}?v`, 'application/xml', 415],
    ['JSON that is none', `${send}?v`, 'application/json', 400],
    ['too long a time to live', `${send}?v&messageTtlSeconds=301`, 'text/plain', 400],
    ['no version', send, 'text/plain', 400],
    ['no groups', 'POST /api/hubs/h/:addToGroups?v', 'application/json', 400],
    ['an unknown permission', `PUT /api/hubs/h/permissions/dance/${connection}?v`, '', 400],
    ['too long a page', 'GET /api/hubs/h/groups/g/connections?v&maxpagesize=201', '', 400],
    ['a token for MQTT', 'POST /api/hubs/h/:generateToken?v&clientType=MQTT', '', 400],
    ['a path that is badly escaped', 'HEAD /api/hubs/h/users/%?v', '', 400],
    ['an unknown operation', 'POST /api/hubs/h/:dance?v', '', 404],
  ] as const)('%s', async ([, call, type, status]) => {
    await using hub = await webPubSub()
    const { endpoint, accessKey } = partsOf(hub.connectionString)
    const [method, path = ''] = call.split(' ')
    const aud = 'https://webpubsub.azure.com'
    const token = signToken({ aud, exp: Math.floor(Date.now() / 1_000) + 60 }, accessKey)
    const answer = await fetch(endpoint + path.replace('?v', '?api-version=2024-12-01'), {
      method: method ?? '',
      headers: { authorization: `Bearer ${token}`, 'content-type': type },
      ...(method === 'POST' ? { body: 'not JSON' } : {}),
    })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('x-ms-error-code')).toMatch(/^\w+$/)
  })
})
