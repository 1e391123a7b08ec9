import { ServiceBusClient, type ServiceBusClientOptions } from '@azure/service-bus'
import type { QueueDeclaration } from '../../../infra/local/service-bus/declaration.ts'
import {
  startServiceBus,
  type ServiceBusOptions,
} from '../../../infra/local/service-bus/service-bus.ts'

export function declare(name: string, rules: Partial<QueueDeclaration> = {}): QueueDeclaration {
  return {
    name,
    lockDurationSeconds: 60,
    maxDeliveryCount: 10,
    defaultTimeToLiveSeconds: 1_209_600,
    deadLetterOnExpiration: true,
    duplicateDetectionWindowSeconds: 0,
    requiresSession: false,
    ...rules,
  }
}

const QUEUES = [
  declare('orders'),
  declare('twice', { maxDeliveryCount: 2 }),
  declare('fleeting', { deadLetterOnExpiration: false }),
  declare('once', { duplicateDetectionWindowSeconds: 600 }),
  declare('chats', { requiresSession: true, maxDeliveryCount: 3 }),
]

/** Retries are off, so that a test sees every error; a lost socket is noticed soon. */
const CLIENT_OPTIONS: ServiceBusClientOptions = {
  retryOptions: { maxRetries: 0, timeoutInMs: 5000 },
}

/** The emulator with the stock SDK client connected to it. */
export async function startNamespace(options: ServiceBusOptions = {}) {
  const emulator = await startServiceBus({ queues: QUEUES, ...options })
  const connectionString = emulator.settings['SERVICE_BUS_CONNECTION_STRING'] ?? ''
  const clients: ServiceBusClient[] = []
  const connect = (clientOptions: ServiceBusClientOptions = CLIENT_OPTIONS) => {
    const client = new ServiceBusClient(connectionString, clientOptions)
    clients.push(client)
    return client
  }
  return {
    emulator,
    connectionString,
    client: connect(),
    connect,
    control: emulator.control,
    advance: (ms: number) => emulator.control.clock.advance(ms),
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()))
      await emulator[Symbol.asyncDispose]()
    },
  }
}

export type Namespace = Awaited<ReturnType<typeof startNamespace>>

/** A receiver of `queue` that renews no locks by itself: it would go by the real clock. */
export function receiverOf({ client }: Namespace, queue: string) {
  return client.createReceiver(queue, { maxAutoLockRenewalDurationInMs: 0 })
}

export function deadLettersOf({ client }: Namespace, queue: string) {
  return client.createReceiver(queue, {
    subQueueType: 'deadLetter',
    receiveMode: 'receiveAndDelete',
  })
}

export const WAIT = { maxWaitTimeInMs: 4000 }
/** For asserting that nothing comes. */
export const NO_WAIT = { maxWaitTimeInMs: 150 }

/** The only element. */
export function only<T>(items: readonly T[]): T {
  const [item] = items
  if (item === undefined || items.length !== 1) throw new Error(`expected one, got ${items.length}`)
  return item
}

/** The code of the error with which `action` fails. */
export async function failureOf(action: Promise<unknown>): Promise<string> {
  try {
    await action
    return 'none'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}
