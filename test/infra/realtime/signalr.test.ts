import { HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { signToken } from '../../../infra/local/realtime/tokens.ts'
import { inbox, signalR } from './stock.ts'

const message = (payload: unknown) => ({ target: 'notification', arguments: [payload] })
const statuses = (answers: readonly Response[]) => answers.map(({ status }) => status)

test.for(['asrs.s.uid', 'nameid', 'sub'])('a user is known by the claim %s', async (claim) => {
  await using hub = await signalR()
  const { received } = await hub.connect({ [claim]: 'ann' })
  expect((await hub.rest('HEAD /api/hubs/chat/users/ann')).status).toBe(200)
  const sent = await hub.rest('POST /api/hubs/chat/users/ann/:send', message({ n: 1 }))
  expect(sent.status).toBe(202)
  expect(await received.next()).toEqual({ n: 1 })
})

test.for([
  { api: '2022-06-01', hubs: '/api/hubs/chat', verb: '/:send' },
  { api: 'v1', hubs: '/api/v1/hubs/chat', verb: '' },
])('$api: a message reaches exactly whom it is for', async ({ hubs, verb }) => {
  await using hub = await signalR()
  const ann = await hub.connect({ nameid: 'ann' })
  const bob = await hub.connect({ nameid: 'bob' })
  const bobId = bob.connection.connectionId
  await hub.rest(`PUT ${hubs}/groups/red/connections/${bobId}`)
  await hub.rest(`POST ${hubs}/groups/red${verb}`, message('to red'))
  await hub.rest(`POST ${hubs}/users/ann${verb}`, message('to ann'))
  await hub.rest(`POST ${hubs}/connections/${bobId}${verb}`, message('to one connection'))
  await hub.rest(`POST ${hubs}${verb}?excluded=${bobId}`, message('to all but one'))
  await hub.rest(`POST ${hubs}${verb}`, message('end'))
  const next = (count: number, { received }: typeof ann) =>
    Promise.all(Array.from({ length: count }, () => received.next()))
  expect(await next(3, ann)).toEqual(['to ann', 'to all but one', 'end'])
  expect(await next(3, bob)).toEqual(['to red', 'to one connection', 'end'])
})

describe('a user in a group', () => {
  const membership = '/api/hubs/chat/users/ann/groups/red'

  test('brings its present connections and those that come within the time to live', async () => {
    await using hub = await signalR()
    expect((await hub.rest(`PUT ${membership}?ttl=20`)).status).toBe(200)
    const { received } = await hub.connect({ nameid: 'ann' })
    await hub.rest('POST /api/hubs/chat/groups/red/:send', message('in time'))
    expect(await received.next()).toBe('in time')
    hub.control.clock.advance(20_001)
    const late = await hub.connect({ nameid: 'ann' })
    await hub.rest('POST /api/hubs/chat/groups/red/:send', message('to the first only'))
    await hub.rest('POST /api/hubs/chat/:send', message('end'))
    expect(await received.next()).toBe('to the first only')
    expect(await late.received.next()).toBe('end')
  })

  test('with a time to live of 0 only the present connections join', async () => {
    await using hub = await signalR()
    expect((await hub.rest(`PUT ${membership}?ttl=0`)).status).toBe(200)
    expect((await hub.rest(`HEAD ${membership}`)).status).toBe(404)
    await hub.connect({ nameid: 'ann' })
    expect((await hub.rest('HEAD /api/hubs/chat/groups/red')).status).toBe(404)
    await hub.rest(`PUT ${membership}?ttl=0`)
    expect((await hub.rest('HEAD /api/hubs/chat/groups/red')).status).toBe(200)
    expect((await hub.rest(`PUT ${membership}?ttl=-1`)).status).toBe(400)
  })

  test('leaves one group or all of them, on both versions of the API', async () => {
    await using hub = await signalR()
    await hub.connect({ nameid: 'ann' })
    const v1 = '/api/v1/hubs/chat/groups/red/users/ann'
    const answers = [
      await hub.rest(`PUT ${membership}`),
      await hub.rest(`HEAD ${membership}`),
      await hub.rest(`DELETE ${membership}`),
      await hub.rest(`HEAD ${membership}`),
      await hub.rest(`PUT ${v1}`),
      await hub.rest(`GET ${v1}`),
      await hub.rest('DELETE /api/hubs/chat/users/ann/groups'),
      await hub.rest(`GET ${v1}`),
    ]
    expect(statuses(answers)).toEqual([200, 200, 204, 404, 202, 200, 204, 404])
  })
})

test('connections exist until they are closed with a reason, and stay away', async () => {
  await using hub = await signalR()
  const reconnecting = (builder: HubConnectionBuilder) => builder.withAutomaticReconnect()
  const { connection, closed } = await hub.connect({ nameid: 'ann' }, reconnecting)
  const path = `/api/hubs/chat/connections/${connection.connectionId}`
  expect((await hub.rest(`HEAD ${path}`)).status).toBe(200)
  await hub.rest(`DELETE ${path}?reason=signed%20out`)
  expect(await closed.next()).toContain('signed out')
  const answers = [
    await hub.rest(`HEAD ${path}`),
    await hub.rest('HEAD /api/hubs/chat/users/ann'),
    await hub.rest(`PUT /api/hubs/chat/groups/g/connections/${connection.connectionId}`),
    await hub.rest('POST /api/hubs/chat/:closeConnections'),
  ]
  expect(statuses(answers)).toEqual([404, 404, 404, 204])
})

test('a client whose socket breaks reconnects by itself', async () => {
  await using hub = await signalR()
  const { connection, received } = await hub.connect({ nameid: 'ann' }, (builder) =>
    builder.withAutomaticReconnect([0]),
  )
  const back = inbox<string | undefined>()
  connection.onreconnected((id) => back.put(id))
  const before = connection.connectionId
  hub.control.dropClients()
  expect(await back.next()).not.toBe(before)
  await hub.rest('POST /api/hubs/chat/users/ann/:send', message('again'))
  expect(await received.next()).toBe('again')
})

test('a client that invokes something is disconnected, for a serverless client only listens', async () => {
  await using hub = await signalR()
  const { connection, closed } = await hub.connect()
  await expect(connection.invoke('shout', 'x')).rejects.toThrow()
  expect(await closed.next()).toContain('serverless')
})

test('a client that falls silent is told so and may come back', async () => {
  await using hub = await signalR()
  const { connection } = await hub.connect({}, (builder) => builder.withAutomaticReconnect([0]))
  const back = inbox<string | undefined>()
  connection.onreconnected((id) => back.put(id))
  hub.control.clock.advance(30_001)
  expect(await back.next()).toBeDefined()
})

test('two hubs do not see each other', async () => {
  await using hub = await signalR()
  const { received } = await hub.connect({ nameid: 'ann' })
  expect((await hub.rest('HEAD /api/hubs/other/users/ann')).status).toBe(404)
  await hub.rest('POST /api/hubs/other/:send', message('elsewhere'))
  await hub.rest('POST /api/hubs/chat/:send', message('here'))
  expect(await received.next()).toBe('here')
})

describe('who may call', () => {
  test('REST needs a token of the access key for this very URL that has not expired', async () => {
    await using hub = await signalR()
    const url = `${hub.endpoint}/api/hubs/chat/users/ann`
    const inAnHour = Math.floor(Date.now() / 1_000) + 3_600
    const head = (token?: string, target = `${url}?api-version=2022-06-01`) =>
      fetch(target, {
        method: 'HEAD',
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      })
    const good = signToken({ aud: url, exp: inAnHour }, hub.accessKey)
    const answers = [
      await head(good),
      await head(good, url),
      await head(),
      await head(signToken({ aud: url, exp: inAnHour }, 'another key')),
      await head(signToken({ aud: `${url}2`, exp: inAnHour }, hub.accessKey)),
      await head(signToken({ aud: url, exp: inAnHour - 7_200 }, hub.accessKey)),
      await head(signToken({ aud: url }, hub.accessKey)),
      await head(`${good.split('.').slice(0, 2).join('.')}.`),
    ]
    expect(statuses(answers)).toEqual([404, 400, 401, 401, 401, 401, 401, 401])
  })

  test('a client’s token is checked at negotiation and again at the socket', async () => {
    await using hub = await signalR()
    const start = (accessToken: string) =>
      new HubConnectionBuilder()
        .withUrl(hub.clientUrl, { accessTokenFactory: () => accessToken })
        .configureLogging(LogLevel.None)
        .build()
        .start()
    const elsewhere = `${hub.endpoint}/client/?hub=other`
    await expect(start(hub.clientToken({ exp: 1 }))).rejects.toThrow(/401|Unauthorized/)
    await expect(start(hub.clientToken({ aud: elsewhere }))).rejects.toThrow(/401|Unauthorized/)
    const socketUrl = `${hub.clientUrl.replace('http', 'ws')}&access_token=`
    expect(await outcomeOf(socketUrl)).toContain('401')
    expect(await outcomeOf(socketUrl + hub.clientToken({}))).toBe('open')
    expect(await outcomeOf(`${socketUrl}${hub.clientToken({})}&id=never-negotiated`)).toContain(
      '404',
    )
  })
})

test.for([
  ['messagepack is refused with advice', '{"protocol":"messagepack","version":1}', "use 'json'"],
  ['garbage is refused', 'hello', 'handshake request'],
  ['version 9 is refused', '{"protocol":"json","version":9}', 'version 9'],
  ['json is accepted', '{"protocol":"json","version":1}', '{}'],
] as const)('handshake: %s', async ([, request, answer]) => {
  await using hub = await signalR()
  const url = `${hub.clientUrl.replace('http', 'ws')}&access_token=${hub.clientToken({})}`
  const socket = new WebSocket(url)
  const frames = inbox<string>()
  socket.on('message', (data: Buffer) => frames.put(data.toString()))
  socket.on('open', () => socket.send(`${request}\u001e`))
  expect(await frames.next()).toContain(answer)
  socket.terminate()
})

test('the service pings its clients, and drops one that never shakes hands', async () => {
  await using hub = await signalR()
  const url = `${hub.clientUrl.replace('http', 'ws')}&access_token=${hub.clientToken({})}`
  const [greeted, silent] = [new WebSocket(url), new WebSocket(url)]
  const frames = inbox<string>()
  const closed = new Promise((resolve) => silent.on('close', resolve))
  greeted.on('message', (data: Buffer) => frames.put(data.toString()))
  await Promise.all(
    [greeted, silent].map((socket) => new Promise((done) => socket.on('open', done))),
  )
  greeted.send('{"protocol":"json","version":1}\u001e')
  await frames.next()
  hub.control.clock.advance(15_000)
  expect(await frames.next()).toBe('{"type":6}\u001e')
  await closed
  greeted.terminate()
})

test('a message over 1 MB or without a target is refused', async () => {
  await using hub = await signalR()
  const answers = [
    await hub.rest('POST /api/hubs/chat/:send', message('x'.repeat(1024 * 1024))),
    await hub.rest('POST /api/hubs/chat/:send', { arguments: [] }),
    await hub.rest('GET /api/v1/health'),
    await hub.rest('PATCH /api/hubs/chat'),
  ]
  expect(statuses(answers)).toEqual([413, 400, 200, 404])
})

/** `open`, or the error with which the upgrade fails. */
function outcomeOf(url: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url)
    socket.on('error', ({ message }) => resolve(message))
    socket.on('open', () => {
      socket.terminate()
      resolve('open')
    })
  })
}
