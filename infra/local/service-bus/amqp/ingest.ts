import { randomBytes } from 'node:crypto'
import type { Delivery, EventContext, Receiver } from 'rhea'
import type { Broker, Channel } from '../broker.ts'
import { parseMessage, splitBatch, type Content } from '../codec/message.ts'
import { submit } from '../queue/queue.ts'
import type { Submission } from '../queue/state.ts'
import { CONDITIONS, entityNotFound, refusal, type Refusal } from './conditions.ts'
import type { ServerContext } from './context.ts'
import { accepted, finish, rejected, setAttach } from './rhea-internals.ts'

/** Message format of a batch: an envelope whose data sections are messages. */
const BATCH_FORMAT = 0x8001_3700

/** Takes messages from a link on which a client sends. */
export function openIngest(context: ServerContext, receiver: Receiver, channel: Channel): void {
  receiver.set_target({ address: receiver.target.address })
  setAttach(receiver, { max_message_size: context.maxMessageBytes })
  receiver.open()
  const operation = `send ${channel.path}`
  receiver.on('message', (event: EventContext) => {
    const { delivery, message } = event
    if (!delivery || !Buffer.isBuffer(message)) return
    context.calls.enter({
      operation,
      connection: receiver.connection,
      refuse: (error) => finish(delivery, rejected(error)),
      work: () => {
        const refused = ingest(context, { channel, receiver, delivery, bytes: message })
        return () => finish(delivery, refused ? rejected(refused) : accepted())
      },
    })
  })
}

function ingest(
  context: ServerContext,
  sent: {
    readonly channel: Channel
    readonly receiver: Receiver
    readonly delivery: Delivery
    readonly bytes: Buffer
  },
): Refusal | undefined {
  const { channel, bytes } = sent
  if (channel.entity.deleted) return entityNotFound(sent.receiver.connection.hostname, channel.path)
  const tooLarge = checkSize(context.maxMessageBytes, bytes)
  if (tooLarge) return tooLarge
  try {
    const messages = sent.delivery.format === BATCH_FORMAT ? splitBatch(bytes) : [bytes]
    const stored = store(context.broker, channel, messages.map(toSubmission))
    return 'condition' in stored ? stored : undefined
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return refusal(CONDITIONS.decode, `The message is malformed: ${error.message}`)
  }
}

export function checkSize(maxMessageBytes: number, bytes: Buffer): Refusal | undefined {
  if (bytes.length <= maxMessageBytes) return undefined
  return refusal(
    CONDITIONS.tooLarge,
    `The received message (size:${bytes.length} bytes) exceeds the limit (${maxMessageBytes} bytes) currently allowed on the link.`,
  )
}

/** Counted with every message, for its bookkeeping. */
const MESSAGE_OVERHEAD_BYTES = 512

export function toSubmission(bytes: Buffer): Submission<Content> {
  const { content, messageId, sessionId, timeToLiveMs, dueMs } = parseMessage(bytes, newMessageId)
  return {
    content,
    messageId,
    bytes: bytes.length + MESSAGE_OVERHEAD_BYTES,
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(timeToLiveMs === undefined ? {} : { timeToLiveMs }),
    ...(dueMs === undefined ? {} : { dueMs }),
  }
}

/** The service gives a message without id one of 32 hexadecimal digits. */
function newMessageId(): string {
  return randomBytes(16).toString('hex')
}

/** Stores all of them or none; tells their sequence numbers or what stands against it. */
export function store(
  broker: Broker,
  channel: Channel,
  submissions: readonly Submission<Content>[],
): readonly number[] | Refusal {
  const result = broker.perform(channel, (queue, now) => submit(queue, submissions, now))
  switch (result.kind) {
    case 'stored':
      return result.sequenceNumbers
    case 'quota-exceeded':
      return refusal(CONDITIONS.quota, `The queue '${channel.path}' has reached its size quota.`)
    case 'session-required':
      return refusal(
        CONDITIONS.notAllowed,
        `The SessionId was not set on a message, and it cannot be sent to '${channel.path}', which requires sessions.`,
      )
    default:
      return result satisfies never
  }
}
