import {
  RetryMode,
  ServiceBusClient,
  type ServiceBusMessage,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
  type ServiceBusSender,
} from '@azure/service-bus'
import type { TokenCredential } from '@azure/identity'
import { AppError } from '../core/errors.ts'
import type { DeadLetters, DeadMessage, OutgoingMessage, Queue } from '../core/queue.ts'

export type ServiceBusAuth =
  | { readonly connectionString: string }
  | { readonly namespace: string; readonly credential: TokenCredential }

export interface ServiceBus extends AsyncDisposable {
  /** `sessionOf` names the session of a message where the queue has them: one message of a session is worked on at a time. */
  queue(name: string, sessionOf?: (body: object) => string): Queue
  deadLettersOf(name: string): DeadLetters
}

/** Much shorter than the SDK's own minute: a caller that waits is billed. */
const retryOptions = {
  mode: RetryMode.Exponential,
  maxRetries: 2,
  retryDelayInMs: 500,
  maxRetryDelayInMs: 5_000,
  timeoutInMs: 10_000,
}

export function openServiceBus(auth: ServiceBusAuth): ServiceBus {
  const client =
    'connectionString' in auth
      ? new ServiceBusClient(auth.connectionString, { retryOptions })
      : new ServiceBusClient(fullyQualified(auth.namespace), auth.credential, { retryOptions })
  return {
    queue: (name, sessionOf) => queueOf(client, name, sessionOf),
    deadLettersOf: (name) => deadLettersOf(client, name),
    [Symbol.asyncDispose]: () => client.close(),
  }
}

function fullyQualified(namespace: string): string {
  return namespace.includes('.') ? namespace : `${namespace}.servicebus.windows.net`
}

function queueOf(
  client: ServiceBusClient,
  name: string,
  sessionOf?: (body: object) => string,
): Queue {
  let sender: ServiceBusSender | undefined
  let receiver: ServiceBusReceiver | undefined
  return {
    send: (messages) =>
      guard(name, () =>
        send(
          (sender ??= client.createSender(name)),
          messages.map((message) => ({
            ...toServiceBus(message),
            ...(sessionOf ? { sessionId: sessionOf(message.body) } : {}),
          })),
        ),
      ),
    ping: () =>
      guard(name, async () => {
        await (receiver ??= client.createReceiver(name)).peekMessages(1)
      }),
  }
}

/** There are some: the first comes at once, and more of them hardly later. */
const DEAD_WAIT_MS = 500

function deadLettersOf(client: ServiceBusClient, name: string): DeadLetters {
  let receiver: ServiceBusReceiver | undefined
  return {
    take: async (atMost, keep) => {
      receiver ??= client.createReceiver(name, { subQueueType: 'deadLetter' })
      const from = receiver
      const received = await guard(name, async () => {
        // Mostly there are none, and a look costs less than waiting for one.
        if ((await from.peekMessages(1)).length === 0) return []
        return from.receiveMessages(atMost, { maxWaitTimeInMs: DEAD_WAIT_MS })
      })
      const waiting = [...received]
      try {
        for (const message of received) {
          await keep(deadMessage(message))
          await guard(name, () => from.completeMessage(message))
          waiting.shift()
        }
      } finally {
        await Promise.allSettled(waiting.map((message) => from.abandonMessage(message)))
      }
      return received.length
    },
  }
}

function deadMessage(message: ServiceBusReceivedMessage): DeadMessage {
  const { messageId, deadLetterReason, deadLetterErrorDescription } = message
  const words = [deadLetterReason, deadLetterErrorDescription].filter(Boolean).join(': ')
  const body = message.body as unknown // whatever somebody sent
  return { id: String(messageId), body, reason: words || 'no reason given' }
}

/** As few transfers as the link's message size allows. */
async function send(
  sender: ServiceBusSender,
  messages: readonly ServiceBusMessage[],
): Promise<void> {
  const [only, ...others] = messages
  if (only && others.length === 0) return sender.sendMessages(only)
  let batch = await sender.createMessageBatch()
  for (const message of messages) {
    if (batch.tryAddMessage(message)) continue
    await sender.sendMessages(batch)
    batch = await sender.createMessageBatch()
    if (!batch.tryAddMessage(message))
      throw new RangeError('a message is larger than the bus takes')
  }
  if (batch.count > 0) await sender.sendMessages(batch)
}

function toServiceBus({ id, body, correlationId, notBefore, timeToLiveMs }: OutgoingMessage) {
  return {
    messageId: id,
    body,
    contentType: 'application/json',
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(notBefore === undefined ? {} : { scheduledEnqueueTimeUtc: notBefore }),
    ...(timeToLiveMs === undefined ? {} : { timeToLive: timeToLiveMs }),
  } satisfies ServiceBusMessage
}

async function guard<R>(queue: string, work: () => Promise<R>): Promise<R> {
  try {
    return await work()
  } catch (cause) {
    throw new AppError(
      'queue_unavailable',
      `the queue ${queue} could not be reached or refused the work`,
      {
        cause,
      },
    )
  }
}
