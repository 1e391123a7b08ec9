import { WebPubSubClient } from '@azure/web-pubsub-client'
import { HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { describe, expect, test } from 'vitest'
import { startSignalR } from '../../infra/local/realtime/signalr.ts'
import { signToken } from '../../infra/local/realtime/tokens.ts'
import { startWebPubSub } from '../../infra/local/realtime/web-pubsub.ts'
import { createSignalRRealtime } from '../../src/adapters/signalr.ts'
import { createWebPubSubRealtime } from '../../src/adapters/web-pubsub.ts'
import { inbox, partsOf } from '../infra/realtime/stock.ts'

interface Negotiated {
  readonly url: string
  readonly accessToken: string
}

const HUB = 'notifications'
const END = 'end'
const notification = {
  type: 'incident_assigned',
  title: 'Incident INC1 Assigned',
  body: 'Printer on fire',
  data: { recordId: '1', recordNumber: 'INC1', table: 'incident' },
}

/** Each connects the service's stock client with what was negotiated, used as it is. */
const services = [
  {
    service: 'web-pubsub',
    setting: 'WEB_PUBSUB_CONNECTION_STRING',
    start: startWebPubSub,
    create: createWebPubSubRealtime,
    connect: async ({ url }: Negotiated) => {
      const client = new WebPubSubClient(url)
      const received = inbox<unknown>()
      const connected = inbox<string>()
      client.on('connected', ({ connectionId }) => connected.put(connectionId))
      client.on('group-message', ({ message }) => received.put(message.data))
      await client.start()
      await connected.next()
      return { received, stop: async () => client.stop() }
    },
  },
  {
    service: 'signalr',
    setting: 'SIGNALR_CONNECTION_STRING',
    start: startSignalR,
    create: createSignalRRealtime,
    connect: async ({ url, accessToken }: Negotiated) => {
      const connection = new HubConnectionBuilder()
        .withUrl(url, { accessTokenFactory: () => accessToken })
        .configureLogging(LogLevel.None)
        .build()
      const received = inbox<unknown>()
      connection.on('notification', (payload: unknown) => received.put(payload))
      await connection.start()
      return { received, stop: () => connection.stop() }
    },
  },
] as const

async function open({ setting, start, create, connect }: (typeof services)[number]) {
  const emulator = await start()
  const connectionString = emulator.settings[setting] ?? ''
  const stops: (() => Promise<void>)[] = []
  return {
    control: emulator.control,
    connectionString,
    realtime: create({ connectionString, hub: HUB }),
    async connect(negotiated: Negotiated) {
      const { received, stop } = await connect(negotiated)
      stops.push(stop)
      return received
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stops.map((stop) => stop()))
      await emulator[Symbol.asyncDispose]()
    },
  }
}

describe.for(services)('$service', (kind) => {
  test('a notification reaches every client of the user and nobody else’s', async () => {
    await using it = await open(kind)
    const join = async (userId: string) =>
      it.connect(await it.realtime.negotiate(userId, [`user-${userId}`, 'everybody']))
    const [phone, tablet, other] = [await join('ann'), await join('ann'), await join('bob')]
    await it.realtime.sendToGroup('user-ann', notification)
    await it.realtime.sendToGroup('everybody', { type: END })
    expect(await phone.next()).toMatchObject(notification)
    expect(await tablet.next()).toMatchObject(notification)
    expect(await other.next()).toMatchObject({ type: END })
  })

  test('a client that negotiated before the message and connects after it gets the next one', async () => {
    await using it = await open(kind)
    const negotiated = await it.realtime.negotiate('ann', ['user-ann'])
    await it.realtime.sendToGroup('user-ann', { ...notification, title: 'missed' })
    const client = await it.connect(negotiated)
    await it.realtime.sendToGroup('user-ann', notification)
    expect(await client.next()).toMatchObject(notification)
  })

  test('users and groups may have any characters', async () => {
    await using it = await open(kind)
    const name = 'a/b c?d%e#å\'"'
    const client = await it.connect(await it.realtime.negotiate(name, [`user-${name}`]))
    await it.realtime.sendToGroup(`user-${name}`, notification)
    expect(await client.next()).toMatchObject(notification)
  })

  test('it says whether the service is there, and what to do when it is not', async () => {
    const stopped = await open(kind)
    await stopped.realtime.ping()
    await stopped[Symbol.asyncDispose]()
    const failure = {
      code: 'realtime_unavailable',
      message: expect.stringMatching(
        /127\.0\.0\.1:\d+ could not be reached: check that the service/,
      ),
    }
    await expect(stopped.realtime.ping()).rejects.toMatchObject(failure)
    await expect(stopped.realtime.sendToGroup('g', {})).rejects.toMatchObject(failure)
  })

  test('a wrong key is found by asking, and neither key nor token stands in the error', async () => {
    await using it = await open(kind)
    const connectionString = it.connectionString.replace(/AccessKey=[^;]+/, 'AccessKey=wrong-key')
    const stranger = kind.create({ connectionString, hub: HUB })
    const failure = {
      code: 'realtime_unavailable',
      message: expect.stringMatching(/answered 401: check that the connection string holds/),
    }
    await expect(stranger.ping()).rejects.toMatchObject(failure)
    await expect(stranger.sendToGroup('g', {})).rejects.toMatchObject(failure)
    await expect(stranger.ping()).rejects.not.toThrow(/wrong-key|Bearer|eyJ/)
  })

  test('a failure of the service is passed on after one attempt', async () => {
    await using it = await open(kind)
    it.control.fail({ operation: 'sendToGroup', status: 503 })
    const failed = it.realtime.sendToGroup('g', {})
    await expect(failed).rejects.toMatchObject({
      code: 'realtime_unavailable',
      message: expect.stringContaining('answered 503'),
    })
    expect(it.control.calls()['sendToGroup']).toBe(1)
  })

  test('a message whose answer is lost has arrived once, and its sender is told that it may not have', async () => {
    await using it = await open(kind)
    const client = await it.connect(await it.realtime.negotiate('ann', ['user-ann']))
    it.control.fail({ operation: 'sendToGroup', connection: 'lose-answer' })
    await expect(it.realtime.sendToGroup('user-ann', notification)).rejects.toMatchObject({
      code: 'realtime_unavailable',
    })
    await it.realtime.sendToGroup('user-ann', { type: END })
    expect(await client.next()).toMatchObject(notification)
    expect(await client.next()).toMatchObject({ type: END })
  })

  test('a message that is answered late has arrived once', async () => {
    await using it = await open(kind)
    const client = await it.connect(await it.realtime.negotiate('ann', ['user-ann']))
    it.control.fail({ operation: 'sendToGroup', delayMs: 500 })
    await it.realtime.sendToGroup('user-ann', notification)
    await it.realtime.sendToGroup('user-ann', { type: END })
    expect(await client.next()).toMatchObject(notification)
    expect(await client.next()).toMatchObject({ type: END })
  })

  test('a caller that no longer waits ends the call', async () => {
    await using it = await open(kind)
    const gone = AbortSignal.abort()
    await expect(it.realtime.sendToGroup('g', {}, gone)).rejects.toMatchObject({
      code: 'realtime_unavailable',
    })
    expect(it.control.calls()).toEqual({})
  })

  test('the address may have its port in a field of its own', async () => {
    await using it = await open(kind)
    const connectionString = it.connectionString.replace(/:(\d+);/, ';Port=$1;')
    await expect(kind.create({ connectionString, hub: HUB }).ping()).resolves.toBeUndefined()
  })

  test.for([
    ['nothing', '', /no Endpoint/],
    ['no address', 'Endpoint=here;AccessKey=k', /no Endpoint/],
    ['no key and no identity', 'Endpoint=https://x.test;AuthType=azure.msi', /no AccessKey/],
  ] as const)('a connection string with %s is refused', ([, connectionString, message]) => {
    expect(() => kind.create({ connectionString, hub: HUB })).toThrow(message)
  })
})

test('SignalR is reached by managed identity when the connection string has no key', async () => {
  await using emulator = await startSignalR()
  const { endpoint, accessKey } = partsOf(emulator.settings['SIGNALR_CONNECTION_STRING'] ?? '')
  const expiresOnTimestamp = Date.now() + 60_000
  const claims = { aud: 'https://signalr.azure.com', exp: Math.floor(expiresOnTimestamp / 1_000) }
  const scopes: unknown[] = []
  const realtime = createSignalRRealtime({
    connectionString: `Endpoint=${endpoint};AuthType=azure.msi;Version=1.0;`,
    hub: HUB,
    credential: {
      async getToken(scope) {
        scopes.push(scope)
        return { token: signToken(claims, accessKey), expiresOnTimestamp }
      },
    },
  })
  const { received, stop } = await services[1].connect(await realtime.negotiate('ann', ['g']))
  await realtime.sendToGroup('g', notification)
  expect(await received.next()).toEqual(notification)
  expect(new Set(scopes)).toEqual(new Set(['https://signalr.azure.com/.default']))
  await stop()
})

test('Web PubSub has no event names, so a message carries its own', async () => {
  await using it = await open(services[0])
  const client = await it.connect(await it.realtime.negotiate('ann', ['g']))
  await it.realtime.sendToGroup('g', notification)
  expect(await client.next()).toEqual({ event: 'notification', ...notification })
})
