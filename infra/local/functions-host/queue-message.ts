import type { QueueTrigger } from './functions.ts'
import type { TriggerInput } from './invocation.ts'
import type { TypedData } from './rpc.ts'

/** What the conversion needs of a received message; `ServiceBusReceivedMessage` has this shape. */
export interface QueueMessage {
  /** Undecoded: bytes of a data section, or an AMQP value. */
  readonly body: unknown
  /** Failed deliveries before this one, as on the wire. */
  readonly deliveryCount?: number
  readonly deadLetterSource?: string
  readonly lockToken?: string
  readonly expiresAtUtc?: Date
  readonly enqueuedTimeUtc?: Date
  readonly messageId?: string | number | Buffer
  readonly contentType?: string
  readonly replyTo?: string
  readonly replyToSessionId?: string
  readonly sequenceNumber?: { toString(): string }
  readonly to?: string
  readonly subject?: string
  readonly correlationId?: string | number | Buffer
  readonly sessionId?: string
  readonly partitionKey?: string
  readonly applicationProperties?: Readonly<Record<string, unknown>>
}

type Value = string | number | Date | Readonly<Record<string, unknown>> | undefined

/** The metadata of the Service Bus extension 5.x by its names; strings travel as strings, the rest as JSON. */
const METADATA: Readonly<Record<string, (message: QueueMessage) => Value>> = {
  // .NET counts this delivery too: 1 the first time, where the JavaScript SDK shows 0.
  DeliveryCount: ({ deliveryCount }) => (deliveryCount ?? 0) + 1,
  DeadLetterSource: ({ deadLetterSource }) => deadLetterSource,
  LockToken: ({ lockToken }) => lockToken,
  ExpiresAtUtc: ({ expiresAtUtc }) => expiresAtUtc,
  EnqueuedTimeUtc: ({ enqueuedTimeUtc }) => enqueuedTimeUtc,
  MessageId: ({ messageId }) => text(messageId),
  ContentType: ({ contentType }) => contentType,
  ReplyTo: ({ replyTo }) => replyTo,
  ReplyToSessionId: ({ replyToSessionId }) => replyToSessionId,
  SequenceNumber: ({ sequenceNumber }) =>
    sequenceNumber === undefined ? undefined : Number(sequenceNumber.toString()),
  To: ({ to }) => to,
  Subject: ({ subject }) => subject,
  Label: ({ subject }) => subject,
  CorrelationId: ({ correlationId }) => text(correlationId),
  SessionId: ({ sessionId }) => sessionId,
  PartitionKey: ({ partitionKey }) => partitionKey,
  TransactionPartitionKey: () => undefined,
  ApplicationProperties: ({ applicationProperties }) => applicationProperties ?? {},
  UserProperties: ({ applicationProperties }) => applicationProperties ?? {},
}

/** Names whose array travels as a collection of strings. */
const TEXTS = new Set([
  'DeadLetterSource',
  'LockToken',
  'MessageId',
  'ContentType',
  'ReplyTo',
  'ReplyToSessionId',
  'To',
  'Subject',
  'Label',
  'CorrelationId',
  'SessionId',
  'PartitionKey',
])

type Form = Pick<QueueTrigger, 'binary'>

/** One message as trigger data. A body is text unless the binding says `dataType: 'binary'`. */
export function toMessageTrigger(message: QueueMessage, { binary }: Form): TriggerInput {
  const metadata: Record<string, TypedData> = {}
  for (const [name, read] of Object.entries(METADATA)) {
    const value = read(message)
    if (value === undefined) continue
    metadata[name] = typeof value === 'string' ? { string: value } : { json: dotnetJson(value) }
  }
  const bytes = bodyBytes(message.body)
  return { metadata, data: binary ? { bytes } : { string: bytes.toString() } }
}

/**
 * A batch as trigger data, metadata as `<Name>Array`. The Node worker does not ask for empty entries, so the host leaves
 * empty strings and missing values out of string collections: such an array is shorter than the batch and its indexes do
 * not line up (GrpcMessageConversionExtensions.ToRpcStringArray).
 */
export function toBatchTrigger(messages: readonly QueueMessage[], { binary }: Form): TriggerInput {
  const metadata: Record<string, TypedData> = {}
  for (const [name, read] of Object.entries(METADATA)) {
    const values = messages.map(read)
    if (name === 'TransactionPartitionKey') continue
    metadata[`${name}Array`] = TEXTS.has(name)
      ? { collectionString: { string: values.filter(isFilledText) } }
      : { json: `[${values.map(dotnetJson).join(',')}]` }
  }
  const bodies = messages.map(({ body }) => bodyBytes(body))
  const data: TypedData = binary
    ? { collectionBytes: { bytes: bodies } }
    : { collectionString: { string: bodies.map(String).filter(isFilledText) } }
  return { metadata, data }
}

function isFilledText(value: Value): value is string {
  return typeof value === 'string' && value !== ''
}

function text(value: string | number | Buffer | undefined): string | undefined {
  return value === undefined ? undefined : String(value)
}

/** JSON as Newtonsoft writes it for a DateTime of unspecified kind: no Z, no trailing zeros in the fraction. */
function dotnetJson(value: unknown): string {
  return JSON.stringify(value ?? null, function dates(this: Record<string, unknown>, key, own) {
    const raw: unknown = this[key]
    return raw instanceof Date ? raw.toISOString().replace(/\.?0*Z$/, '') : (own as unknown)
  })
}

/** Bytes of a data section as they are; an AMQP value as its text or JSON. */
function bodyBytes(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body
  if (body instanceof Uint8Array) return Buffer.from(body)
  if (typeof body === 'string') return Buffer.from(body)
  return Buffer.from(body === undefined || body === null ? '' : JSON.stringify(body))
}
