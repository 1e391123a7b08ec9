import { setTimeout as delay } from 'node:timers/promises'
import type {
  ServiceBusClient,
  ServiceBusReceivedMessage,
  ServiceBusReceiver,
} from '@azure/service-bus'
import type { ServiceBusOptions } from './host-json.ts'
import type { ListenRequest, QueueBus, QueueListener } from './queue-port.ts'
import { BusClients } from './service-bus-client.ts'

/** The message bus of production: queues of Service Bus through the official SDK. */
export function openServiceBus(options: ServiceBusOptions): QueueBus {
  const clients = new BusClients(options)
  return {
    listen: (request) => {
      const listening = { request, options, client: clients.client(request.trigger.connection) }
      const { batch, sessions } = request.trigger
      return batch || sessions ? new PollingListener(listening) : new StreamingListener(listening)
    },
    send: (connection, queue, messages) => clients.send(connection, queue, messages),
    [Symbol.asyncDispose]: () => clients[Symbol.asyncDispose](),
  }
}

interface Listening {
  readonly request: ListenRequest
  readonly options: ServiceBusOptions
  readonly client: Promise<ServiceBusClient>
}

/** How long one look for messages takes; it bounds how long a stop waits, and loses no message to an abort. */
const POLL_MS = 1_000
const RECOVERY_MS = 1_000

const receiverOptions = ({ maxAutoLockRenewalDuration }: ServiceBusOptions) => ({
  receiveMode: 'peekLock' as const,
  maxAutoLockRenewalDurationInMs: maxAutoLockRenewalDuration,
  // The host hands over the body as it is; the SDK would parse what looks like JSON.
  skipParsingBodyAsJson: true,
})

/** One message an invocation, `maxConcurrentCalls` at a time. The SDK opens the link again by itself. */
class StreamingListener implements QueueListener {
  readonly #underWay = new Set<Promise<void>>()
  readonly #opening: Promise<{
    receiver: ServiceBusReceiver
    subscription: { close: () => Promise<void> }
  }>

  constructor({ request, options, client }: Listening) {
    this.#opening = client.then((open) => {
      const receiver = open.createReceiver(request.trigger.queue, receiverOptions(options))
      const subscription = receiver.subscribe(
        {
          processMessage: (message) =>
            this.#track(process({ receiver, request, options }, [message])),
          processError: async ({ error, errorSource }) =>
            request.problem(`${errorSource}: ${error.message}`),
        },
        { autoCompleteMessages: false, maxConcurrentCalls: options.maxConcurrentCalls },
      )
      return { receiver, subscription }
    })
    this.#opening.catch((error: unknown) => request.problem(String(error)))
  }

  async stop(): Promise<void> {
    const open = await this.#opening.catch(() => undefined)
    await open?.subscription.close()
    await Promise.all(this.#underWay)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = await this.#opening.catch(() => undefined)
    await open?.receiver.close()
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#underWay.add(work)
    await work
    this.#underWay.delete(work)
  }
}

/** Batches (one loop a queue) and sessions (`maxConcurrentSessions` loops). A broken receiver is opened anew. */
class PollingListener implements QueueListener {
  readonly #listening: Listening
  readonly #stop = new AbortController()
  readonly #loops: Promise<unknown>

  constructor(listening: Listening) {
    this.#listening = listening
    const { request, options } = listening
    const loops = request.trigger.sessions ? options.maxConcurrentSessions : 1
    this.#loops = Promise.all(Array.from({ length: loops }, () => this.#loop()))
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#loops
  }

  /** Waits for no function: each loop closes its own receiver, and the client closes the rest. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#receive(signal)
      } catch (error) {
        if (signal.aborted) return
        // Nothing waited in any session: look again.
        if (isTimeout(error)) continue
        this.#listening.request.problem(String(error))
        await delay(RECOVERY_MS, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async #receive(signal: AbortSignal): Promise<void> {
    const receiver = await this.#open(signal)
    try {
      await this.#drain(receiver, signal)
    } finally {
      await receiver.close()
    }
  }

  async #open(abortSignal: AbortSignal): Promise<ServiceBusReceiver> {
    const { request, options } = this.#listening
    const client = await this.#listening.client
    const { queue, sessions } = request.trigger
    if (!sessions) return client.createReceiver(queue, receiverOptions(options))
    const accepting = client.acceptNextSession(queue, { ...receiverOptions(options), abortSignal })
    const given = await unlessAborted(accepting, abortSignal)
    if (given) return given
    // The SDK gives up a pending accept only after a while; what it is still given nobody will work on.
    accepting.then((late) => late.close()).catch(() => undefined)
    throw new Error('stopped while no session had a message')
  }

  /** Until the stop; for a session also until it has been empty for its idle timeout. */
  async #drain(receiver: ServiceBusReceiver, signal: AbortSignal): Promise<void> {
    const { request, options } = this.#listening
    const { batch, sessions } = request.trigger
    const idleMs = sessions
      ? (options.sessionIdleTimeout ?? options.clientRetryOptions.tryTimeout)
      : Infinity
    let lastMs = performance.now()
    while (!signal.aborted && performance.now() - lastMs < idleMs) {
      const messages = batch
        ? await gather(receiver, options, signal)
        : await receiver.receiveMessages(options.maxConcurrentCallsPerSession, {
            maxWaitTimeInMs: Math.min(POLL_MS, idleMs),
          })
      if (messages.length === 0) continue
      const groups = batch ? [messages] : messages.map((message) => [message])
      const processing = { receiver, request, options }
      await Promise.all(groups.map((group) => process(processing, group)))
      lastMs = performance.now()
    }
  }
}

/** Up to `maxMessageBatchSize` messages; waits up to `maxBatchWaitTime` for `minMessageBatchSize` of them. */
async function gather(
  receiver: ServiceBusReceiver,
  options: ServiceBusOptions,
  signal: AbortSignal,
): Promise<readonly ServiceBusReceivedMessage[]> {
  const { maxMessageBatchSize, minMessageBatchSize, maxBatchWaitTime } = options
  const batch = await receiver.receiveMessages(maxMessageBatchSize, { maxWaitTimeInMs: POLL_MS })
  const startedMs = performance.now()
  while (batch.length > 0 && batch.length < minMessageBatchSize && !signal.aborted) {
    const leftMs = maxBatchWaitTime - (performance.now() - startedMs)
    if (leftMs <= 0) break
    const more = await receiver.receiveMessages(maxMessageBatchSize - batch.length, {
      maxWaitTimeInMs: Math.min(POLL_MS, leftMs),
    })
    batch.push(...more)
  }
  return batch
}

interface Processing {
  readonly receiver: ServiceBusReceiver
  readonly request: ListenRequest
  readonly options: ServiceBusOptions
}

/** Runs the function; completes on success (unless told not to) and abandons on failure. Never rejects. */
async function process(
  { receiver, request, options }: Processing,
  messages: readonly ServiceBusReceivedMessage[],
): Promise<void> {
  const succeeded = await request.handle(messages)
  const completes = request.trigger.autoComplete ?? options.autoCompleteMessages
  if (succeeded && !completes) return
  const settle = async (message: ServiceBusReceivedMessage): Promise<void> => {
    try {
      await (succeeded ? receiver.completeMessage(message) : receiver.abandonMessage(message))
    } catch (error) {
      const act = succeeded ? 'complete' : 'abandon'
      request.problem(`cannot ${act} message ${String(message.messageId)}: ${String(error)}`)
    }
  }
  await Promise.all(messages.map(settle))
}

/** What the work comes to; undefined as soon as the signal is aborted. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const stop = () => resolve(undefined)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ServiceTimeout'
}
