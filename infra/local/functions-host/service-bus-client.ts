import type { ServiceBusClient, ServiceBusSender } from '@azure/service-bus'
import type { Connection } from './app-settings.ts'
import type { ServiceBusOptions } from './host-json.ts'
import type { OutgoingMessage } from './queue-output.ts'

/** One SDK client for each connection, opened when it is first needed. */
export class BusClients implements AsyncDisposable {
  readonly #options: ServiceBusOptions
  readonly #clients = new Map<string, Promise<ServiceBusClient>>()
  readonly #senders = new Map<string, Promise<ServiceBusSender>>()

  constructor(options: ServiceBusOptions) {
    this.#options = options
  }

  client(connection: Connection): Promise<ServiceBusClient> {
    return remember(this.#clients, JSON.stringify(connection), () => this.#open(connection))
  }

  async send(
    connection: Connection,
    queue: string,
    messages: readonly OutgoingMessage[],
  ): Promise<void> {
    const sender = await remember(this.#senders, JSON.stringify([connection, queue]), async () =>
      (await this.client(connection)).createSender(queue),
    )
    let batch = await sender.createMessageBatch()
    for (const message of messages) {
      if (batch.tryAddMessage(message)) continue
      if (batch.count > 0) await sender.sendMessages(batch)
      batch = await sender.createMessageBatch()
      if (!batch.tryAddMessage(message)) {
        throw new Error(`a message of ${message.body.length} bytes is too large for queue ${queue}`)
      }
    }
    if (batch.count > 0) await sender.sendMessages(batch)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(
      [...this.#clients.values()].map(async (client) => (await client).close()),
    )
  }

  async #open(connection: Connection): Promise<ServiceBusClient> {
    const { ServiceBusClient: Client } = await import('@azure/service-bus')
    const { clientRetryOptions } = this.#options
    const options = {
      retryOptions: {
        mode: clientRetryOptions.mode === 'fixed' ? FIXED : EXPONENTIAL,
        timeoutInMs: clientRetryOptions.tryTimeout,
        retryDelayInMs: clientRetryOptions.delay,
        maxRetryDelayInMs: clientRetryOptions.maxDelay,
        maxRetries: clientRetryOptions.maxRetries,
      },
    }
    if (connection.kind === 'string') return new Client(connection.connectionString, options)
    const { DefaultAzureCredential } = await import('@azure/identity')
    const { namespace, clientId } = connection
    const credential = new DefaultAzureCredential(
      clientId ? { managedIdentityClientId: clientId } : {},
    )
    return new Client(namespace, credential, options)
  }
}

/** Values of the SDK's RetryMode, which is exported as a type of `@azure/core-amqp` only. */
const EXPONENTIAL = 0
const FIXED = 1

function remember<T>(
  known: Map<string, Promise<T>>,
  key: string,
  make: () => Promise<T>,
): Promise<T> {
  const existing = known.get(key)
  if (existing) return existing
  const made = make()
  known.set(key, made)
  return made
}
