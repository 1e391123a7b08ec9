import { HubConnectionBuilder, LogLevel, type HubConnection } from '@microsoft/signalr'
import { WebPubSubServiceClient, type GenerateClientTokenOptions } from '@azure/web-pubsub'
import {
  WebPubSubClient,
  type WebPubSubClientOptions,
  type WebPubSubDataType,
} from '@azure/web-pubsub-client'
import { startSignalR } from '../../../infra/local/realtime/signalr.ts'
import { signToken } from '../../../infra/local/realtime/tokens.ts'
import { startWebPubSub } from '../../../infra/local/realtime/web-pubsub.ts'

/** A queue that can be waited for, so that no test sleeps. */
export function inbox<T>() {
  const items: T[] = []
  const waiting: ((item: T) => void)[] = []
  return {
    put(item: T): void {
      const next = waiting.shift()
      if (next) next(item)
      else items.push(item)
    },
    next(): Promise<T> {
      const item = items.shift()
      return item === undefined
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve(item)
    },
  }
}

/** The endpoint and key inside a connection string. */
export function partsOf(connectionString: string): { endpoint: string; accessKey: string } {
  const [, endpoint = '', accessKey = ''] =
    /Endpoint=([^;]+);AccessKey=([^;]+);/.exec(connectionString) ?? []
  return { endpoint, accessKey }
}

export interface Received {
  readonly from: string
  readonly dataType: WebPubSubDataType
  readonly data: unknown
  readonly fromUserId?: string | undefined
}

/** Web PubSub with the stock service client and stock clients on it. */
export async function webPubSub(hub = 'chat') {
  const emulator = await startWebPubSub()
  const connectionString = emulator.settings['WEB_PUBSUB_CONNECTION_STRING'] ?? ''
  const options = { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } }
  const service = new WebPubSubServiceClient(connectionString, hub, options)
  const clients: WebPubSubClient[] = []

  async function connect(
    token: GenerateClientTokenOptions = {},
    clientOptions: WebPubSubClientOptions = {},
  ) {
    const getClientAccessUrl = async () => (await service.getClientAccessToken(token)).url
    const client = new WebPubSubClient(
      { getClientAccessUrl },
      { messageRetryOptions: { maxRetries: 0 }, ...clientOptions },
    )
    clients.push(client)
    const received = inbox<Received>()
    const connections = inbox<string>()
    const disconnections = inbox<string>()
    client.on('connected', ({ connectionId }) => connections.put(connectionId))
    client.on('disconnected', ({ message }) => disconnections.put(message?.message ?? ''))
    client.on('server-message', ({ message: { dataType, data } }) =>
      received.put({ from: 'server', dataType, data }),
    )
    client.on('group-message', ({ message: { dataType, data, group, fromUserId } }) =>
      received.put({ from: group, dataType, data, fromUserId }),
    )
    await client.start()
    const connectionId = await connections.next()
    return { client, connectionId, received, connections, disconnections }
  }

  return {
    ...emulator,
    connectionString,
    service,
    connect,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.stop()
      await emulator[Symbol.asyncDispose]()
    },
  }
}

/** SignalR with the stock client; REST by hand, for the service has no SDK for Node. */
export async function signalR(hub = 'chat') {
  const emulator = await startSignalR()
  const { endpoint, accessKey } = partsOf(emulator.settings['SIGNALR_CONNECTION_STRING'] ?? '')
  const connections: HubConnection[] = []
  const expiresIn = (seconds: number) => Math.floor(emulator.control.clock.now() / 1_000) + seconds

  async function rest(call: string, body?: object): Promise<Response> {
    const [method = '', path = ''] = call.split(' ')
    const url = new URL(path, endpoint)
    const token = signToken({ aud: url.origin + url.pathname, exp: expiresIn(60) }, accessKey)
    if (!path.startsWith('/api/v1/')) url.searchParams.set('api-version', '2022-06-01')
    return fetch(url, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
  }

  const clientUrl = `${endpoint}/client/?hub=${hub}`
  function clientToken(claims: object): string {
    return signToken({ aud: clientUrl, exp: expiresIn(3_600), ...claims }, accessKey)
  }

  async function connect(
    claims: object = {},
    configure = (builder: HubConnectionBuilder) => builder,
  ) {
    const builder = new HubConnectionBuilder()
      .withUrl(clientUrl, { accessTokenFactory: () => clientToken(claims) })
      .configureLogging(LogLevel.None)
    const connection = configure(builder).build()
    connections.push(connection)
    const received = inbox<unknown>()
    const closed = inbox<string>()
    connection.on('notification', (payload: unknown) => received.put(payload))
    connection.onclose((error) => closed.put(error?.message ?? ''))
    await connection.start()
    return { connection, received, closed }
  }

  return {
    ...emulator,
    endpoint,
    accessKey,
    clientUrl,
    clientToken,
    rest,
    connect,
    async [Symbol.asyncDispose]() {
      await Promise.all(connections.map((connection) => connection.stop()))
      await emulator[Symbol.asyncDispose]()
    },
  }
}
