import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import rhea, {
  type Connection,
  type Container,
  type EventContext,
  type Receiver,
  type Sender,
} from 'rhea'
import type { Control } from '../../control.ts'
import type { Broker, Channel } from '../broker.ts'
import type { SharedKey } from '../sas.ts'
import { createCalls } from './calls.ts'
import {
  isRefusal,
  parseAddress,
  refuseLink,
  resolve,
  type Client,
  type ServerContext,
} from './context.ts'
import { openIngest } from './ingest.ts'
import { openOutlet } from './outlet.ts'
import { createPump, type Pump } from './pump.ts'
import { openManagement, openReplies, openTokens } from './requests.ts'
import { holdAttach, onSocketClosed, receiveUndecoded } from './rhea-internals.ts'

export interface AmqpServerOptions {
  readonly broker: Broker
  readonly control: Control
  readonly sharedKey: SharedKey
  readonly port: number
  readonly latencyMs: number
  readonly maxMessageBytes: number
}

export interface AmqpServer extends AsyncDisposable {
  readonly port: number
}

const TOKEN_NODE = '$cbs'

/** Serves the broker's queues over AMQP 1.0 on 127.0.0.1. */
export async function serveAmqp(options: AmqpServerOptions): Promise<AmqpServer> {
  const clients = new Map<Connection, Client>()
  const calls = createCalls(options.control, options.latencyMs)
  const context: ServerContext = {
    ...options,
    calls,
    pump: pumpOf(options.broker),
    client: (connection) => clientOf(clients, connection),
  }
  const container = rhea.create_container({ id: 'syncline-service-bus' })
  handle(container, context)
  const server = container.listen(listenOptions(options.port))
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // a TCP server's address is never a path
  return {
    port,
    async [Symbol.asyncDispose]() {
      calls[Symbol.dispose]()
      // The error makes rhea clear its timers, also where no AMQP connection was opened yet.
      for (const socket of sockets) socket.destroy(new Error('the emulator stops'))
      await close(server)
    },
  }
}

function listenOptions(port: number): Parameters<Container['listen']>[0] {
  const options = {
    port,
    host: '127.0.0.1',
    noDelay: true,
    max_frame_size: 65_536,
    idle_time_out: 240_000,
    // rhea would otherwise report every abandoned message twice, once as released.
    treat_modified_as_released: false,
    session_buffer_size: { incoming: 2048, outgoing: 65_536 },
    receiver_options: { autoaccept: false, credit_window: 1000 },
  }
  return options
}

function handle(container: Container, context: ServerContext): void {
  container.on('connection_open', ({ connection }: EventContext) => context.client(connection))
  container.on('session_open', ({ session }: EventContext) => {
    session?.setMaxListeners(0)
    if (session) receiveUndecoded(session)
  })
  container.on('receiver_open', ({ receiver }: EventContext) => {
    if (receiver) openReceiver(context, receiver)
  })
  container.on('sender_open', ({ sender }: EventContext) => {
    if (sender) openSender(context, sender)
  })
  for (const event of ['error', 'protocol_error']) {
    container.on(event, (error: unknown) => {
      process.stderr.write(`service bus: ${String(error)}\n`)
    })
  }
  for (const event of HANDLED_ELSEWHERE) container.on(event, ignore)
}

/** Without a listener rhea prints or throws these; what has to happen then happens when the link or socket closes. */
const HANDLED_ELSEWHERE = [
  'sender_error',
  'receiver_error',
  'session_error',
  'connection_error',
  'disconnected',
]
const ignore = () => {}

/** A client wants to send: messages, or requests to a node. */
function openReceiver(context: ServerContext, receiver: Receiver): void {
  const path = receiver.target?.address ?? ''
  if (path === TOKEN_NODE) return openTokens(context, receiver)
  const address = parseAddress(path)
  const { connection } = receiver
  holdAttach(receiver)
  context.calls.enter({
    operation: address.isManagement
      ? `open-management ${address.path}`
      : `open-input ${address.path}`,
    connection,
    refuse: (error) => refuseLink(receiver, error),
    work: () => {
      const channel = resolve(context, connection, address)
      return () => {
        if (isRefusal(channel)) return refuseLink(receiver, channel)
        if (address.isManagement) return openManagement(context, receiver, channel)
        return openIngest(context, receiver, channel)
      }
    },
  })
}

/** A client wants to receive: messages, or the replies of a node. */
function openSender(context: ServerContext, sender: Sender): void {
  const path = sender.source?.address ?? ''
  if (path === TOKEN_NODE) return openReplies(context, sender)
  const address = parseAddress(path)
  const { connection } = sender
  holdAttach(sender)
  context.calls.enter({
    operation: address.isManagement
      ? `open-replies ${address.path}`
      : `open-output ${address.path}`,
    connection,
    refuse: (error) => refuseLink(sender, error),
    work: () => {
      const channel = resolve(context, connection, address)
      return () => {
        if (isRefusal(channel)) return refuseLink(sender, channel)
        if (address.isManagement) return openReplies(context, sender)
        return openOutlet(context, { sender, channel })
      }
    },
  })
}

function pumpOf(broker: Broker): (channel: Channel) => Pump {
  const pumps = new WeakMap<Channel, Pump>()
  return (channel) => {
    const known = pumps.get(channel)
    if (known) return known
    const pump = createPump(broker, channel)
    channel.observer = pump
    pumps.set(channel, pump)
    return pump
  }
}

function clientOf(clients: Map<Connection, Client>, connection: Connection): Client {
  const known = clients.get(connection)
  if (known) return known
  const client: Client = { entitled: new Set(), closers: new Set(), replies: new Map() }
  clients.set(connection, client)
  onSocketClosed(connection, () => {
    clients.delete(connection)
    for (const closer of client.closers) closer()
  })
  return client
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()))
}
