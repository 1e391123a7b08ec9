import { Control } from '../control.ts'
import type { Emulator, EmulatorOptions } from '../emulator.ts'
import { serveAdmin } from './admin/server.ts'
import { serveAmqp } from './amqp/server.ts'
import { Broker } from './broker.ts'
import {
  MAX_MESSAGE_BYTES,
  QUEUE_SIZE_QUOTA_BYTES,
  topologyQueues,
  type QueueDeclaration,
} from './declaration.ts'
import { inspectBroker } from './inspect.ts'

export interface ServiceBusOptions extends EmulatorOptions {
  /** TCP port of the admin REST API; 0 or absent takes any free one. */
  readonly adminPort?: number
  /** The queues that exist at the start; those of `src/topology.json` when absent. */
  readonly queues?: readonly QueueDeclaration[]
  /** Bytes of the largest message or batch. Default: the Standard tier's 256 KiB. */
  readonly maxMessageBytes?: number
  /** Bytes that one queue may hold. */
  readonly sizeQuotaBytes?: number
  /** Key of the connection string. */
  readonly sharedAccessKey?: string
}

/** The name and key that Microsoft's own emulator uses. No secret: everything listens on 127.0.0.1. */
const KEY_NAME = 'RootManageSharedAccessKey'
const KEY = 'SAS_KEY_VALUE'

/** Service Bus queues over AMQP 1.0 (OASIS AMQP 1.0; Azure, "AMQP 1.0 in Azure Service Bus protocol guide"). */
export async function startServiceBus(options: ServiceBusOptions = {}): Promise<Emulator> {
  const control = new Control(() => inspectBroker(broker))
  const broker: Broker = new Broker({
    clock: control.clock,
    sizeQuotaBytes: options.sizeQuotaBytes ?? QUEUE_SIZE_QUOTA_BYTES,
  })
  for (const queue of options.queues ?? topologyQueues) broker.create(queue)
  const sharedKey = { name: KEY_NAME, key: options.sharedAccessKey ?? KEY }
  const shared = { broker, control, sharedKey, latencyMs: options.latencyMs ?? 0 }
  const amqp = await serveAmqp({
    ...shared,
    port: options.port ?? 0,
    maxMessageBytes: options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
  })
  const admin = await serveAdmin({ ...shared, port: options.adminPort ?? 0 })
  const connectionString = (port: number) =>
    `Endpoint=sb://127.0.0.1:${port};SharedAccessKeyName=${sharedKey.name};SharedAccessKey=${sharedKey.key};UseDevelopmentEmulator=true;`
  return {
    name: 'servicebus',
    settings: {
      SERVICE_BUS_CONNECTION_STRING: connectionString(amqp.port),
      SERVICE_BUS_ADMIN_CONNECTION_STRING: connectionString(admin.port),
    },
    control,
    async [Symbol.asyncDispose]() {
      await admin[Symbol.asyncDispose]()
      await amqp[Symbol.asyncDispose]()
      broker[Symbol.dispose]()
      control[Symbol.dispose]()
    },
  }
}
