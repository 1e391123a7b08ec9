import {
  elements,
  int,
  integer,
  long,
  NULL,
  section,
  sectionOf,
  string,
  symbol,
  text,
  timestamp,
  uint,
  valueEnd,
} from './bytes.ts'

/** Section descriptors (AMQP 1.0 part 3, 3.2). */
const HEADER = 0x70
const ANNOTATIONS = 0x72
const PROPERTIES = 0x73
const APPLICATION_PROPERTIES = 0x74
const DATA = 0x75

/**
 * A stored message. Everything that the sender wrote stays encoded as it came, so that bodies and property types come
 * back to the byte; only the header's delivery count and the broker's own annotations are written on delivery.
 */
export interface Content {
  /** Encoded durable, priority, ttl, first-acquirer. */
  readonly header: readonly Buffer[]
  /** Encoded keys and values of the sender's annotations, one after the other. */
  readonly annotations: Buffer
  readonly annotationElements: number
  /** Properties, application properties, body, footer. */
  readonly tail: Buffer
  /** Where the application properties are in the tail; an empty range is where they would be. */
  readonly applicationFrom: number
  readonly applicationTo: number
}

/** What the broker has to know of a message. Times in milliseconds. */
export interface ParsedMessage {
  readonly content: Content
  readonly messageId: string
  readonly sessionId: string | undefined
  readonly timeToLiveMs: number | undefined
  readonly dueMs: number | undefined
}

interface Section {
  readonly code: number
  readonly from: number
  readonly valueAt: number
  readonly to: number
}

/** The broker writes these annotations; from a sender they are dropped. */
const BROKER_ANNOTATIONS = new Set([
  'x-opt-enqueued-time',
  'x-opt-sequence-number',
  'x-opt-enqueue-sequence-number',
  'x-opt-locked-until',
  'x-opt-message-state',
  'x-opt-deadletter-source',
])

/** Cuts an encoded message up, copying what is kept. Throws RangeError when it is malformed. */
export function parseMessage(bytes: Buffer, newMessageId: () => string): ParsedMessage {
  const sections = split(bytes)
  const header = fieldsOf(bytes, find(sections, HEADER))
  const annotations = readAnnotations(bytes, find(sections, ANNOTATIONS))
  const propertiesSection = find(sections, PROPERTIES)
  const fields = fieldsOf(bytes, propertiesSection)
  const sentId = identifier(fields[0])
  const messageId = sentId ?? newMessageId()
  const properties =
    sentId !== undefined && propertiesSection
      ? bytes.subarray(propertiesSection.from, propertiesSection.to)
      : section(PROPERTIES, 'list', [string(messageId), ...fields.slice(1)])
  const application = find(sections, APPLICATION_PROPERTIES)
  const body = sections.filter(({ code }) => code >= DATA)
  const applicationBytes = application
    ? bytes.subarray(application.from, application.to)
    : Buffer.alloc(0)
  return {
    content: {
      header: header.slice(0, 4).map((field) => Buffer.from(field)),
      annotations: annotations.bytes,
      annotationElements: annotations.count,
      tail: Buffer.concat([
        properties,
        applicationBytes,
        ...body.map(({ from, to }) => bytes.subarray(from, to)),
      ]),
      applicationFrom: properties.length,
      applicationTo: properties.length + applicationBytes.length,
    },
    messageId,
    sessionId: text(fields[10]),
    timeToLiveMs: integer(header[2]),
    dueMs: annotations.dueMs,
  }
}

/** The messages inside a batch envelope: each of its data sections is one (message format 0x80013700). */
export function splitBatch(bytes: Buffer): Buffer[] {
  return split(bytes)
    .filter(({ code }) => code === DATA)
    .map(({ valueAt, to }) => bytes.subarray(valueAt + (bytes[valueAt] === 0xa0 ? 2 : 5), to))
}

function split(bytes: Buffer): Section[] {
  const sections: Section[] = []
  for (let from = 0; from < bytes.length;) {
    if (bytes[from] !== 0) throw new RangeError(`no message section begins at ${from}`)
    const valueAt = valueEnd(bytes, from + 1)
    const to = valueEnd(bytes, valueAt)
    sections.push({ code: sectionCode(bytes.subarray(from + 1, valueAt)), from, valueAt, to })
    from = to
  }
  return sections
}

function sectionCode(descriptor: Buffer): number {
  const code = integer(descriptor) ?? SYMBOLIC_SECTIONS.indexOf(text(descriptor) ?? '') + HEADER
  if (code < HEADER || code > 0x78) throw new RangeError('unknown message section')
  return code
}

const SYMBOLIC_SECTIONS = [
  'amqp:header:list',
  'amqp:delivery-annotations:map',
  'amqp:message-annotations:map',
  'amqp:properties:list',
  'amqp:application-properties:map',
  'amqp:data:binary',
  'amqp:amqp-sequence:list',
  'amqp:amqp-value:*',
  'amqp:footer:map',
]

function find(sections: readonly Section[], wanted: number): Section | undefined {
  return sections.find(({ code }) => code === wanted)
}

function fieldsOf(bytes: Buffer, found: Section | undefined): Buffer[] {
  return found ? elements(bytes, found.valueAt) : []
}

function readAnnotations(bytes: Buffer, found: Section | undefined) {
  const pairs = found ? elements(bytes, found.valueAt) : []
  const kept: Buffer[] = []
  let dueMs: number | undefined
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const [key, value] = [pairs[index], pairs[index + 1]]
    const name = text(key)
    if (!key || !value || (name !== undefined && BROKER_ANNOTATIONS.has(name))) continue
    if (name === 'x-opt-scheduled-enqueue-time') dueMs = integer(value)
    kept.push(key, value)
  }
  return { bytes: Buffer.concat(kept), count: kept.length, dueMs }
}

/** A message id is a string, ulong, uuid or binary; ids of different types differ. */
function identifier(value: Buffer | undefined): string | undefined {
  if (value === undefined || value[0] === 0x40) return undefined
  return text(value) ?? `0x${value.toString('hex')}`
}

/** What the broker writes into a message on delivery. Times in milliseconds since the epoch. */
export interface Stamp {
  readonly deliveryCount: number
  readonly sequenceNumber: number
  readonly enqueuedSequenceNumber: number
  readonly enqueuedMs: number
  readonly lockedUntilMs?: number | undefined
  readonly state: 0 | 1 | 2
}

const SEQUENCE_NUMBER = symbol('x-opt-sequence-number')
const ENQUEUED_SEQUENCE_NUMBER = symbol('x-opt-enqueue-sequence-number')
const ENQUEUED_TIME = symbol('x-opt-enqueued-time')
const LOCKED_UNTIL = symbol('x-opt-locked-until')
const MESSAGE_STATE = symbol('x-opt-message-state')
const DEAD_LETTER_SOURCE = symbol('x-opt-deadletter-source')

/** The message as a receiver gets it. */
export function encodeMessage(content: Content, stamp: Stamp): Buffer {
  const [durable = NULL, priority = NULL, ttl = NULL, firstAcquirer = NULL] = content.header
  const header = section(HEADER, 'list', [
    durable,
    priority,
    ttl,
    firstAcquirer,
    uint(stamp.deliveryCount),
  ])
  const own = [
    SEQUENCE_NUMBER,
    long(stamp.sequenceNumber),
    ENQUEUED_SEQUENCE_NUMBER,
    long(stamp.enqueuedSequenceNumber),
    ENQUEUED_TIME,
    timestamp(stamp.enqueuedMs),
    MESSAGE_STATE,
    int(stamp.state),
    ...(stamp.lockedUntilMs === undefined ? [] : [LOCKED_UNTIL, timestamp(stamp.lockedUntilMs)]),
  ]
  const annotations = sectionOf(
    {
      descriptor: ANNOTATIONS,
      kind: 'map',
      count: own.length + content.annotationElements,
    },
    [...own, content.annotations],
  )
  return Buffer.concat([header, annotations, content.tail])
}

/** Encoded application properties by name. */
export type EncodedProperties = ReadonlyMap<string, Buffer>

/** Sets application properties; those with other names keep their place and type. */
export function withApplicationProperties(content: Content, changes: EncodedProperties): Content {
  if (changes.size === 0) return content
  const { tail, applicationFrom, applicationTo } = content
  const present = tail.subarray(applicationFrom, applicationTo)
  const pairs = present.length === 0 ? [] : elements(present, valueEnd(present, 1))
  const kept: Buffer[] = []
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const [key, value] = [pairs[index], pairs[index + 1]]
    if (key && value && !changes.has(text(key) ?? '')) kept.push(key, value)
  }
  for (const [name, value] of changes) kept.push(string(name), value)
  const properties = section(APPLICATION_PROPERTIES, 'map', kept)
  return {
    ...content,
    tail: Buffer.concat([
      tail.subarray(0, applicationFrom),
      properties,
      tail.subarray(applicationTo),
    ]),
    applicationTo: applicationFrom + properties.length,
  }
}

/** Names the queue in which the message died. */
export function withDeadLetterSource(content: Content, entity: string): Content {
  return {
    ...content,
    annotations: Buffer.concat([content.annotations, DEAD_LETTER_SOURCE, string(entity)]),
    annotationElements: content.annotationElements + 2,
  }
}

/** Why the message died, as its reader finds it in the application properties. */
export function withDeadLetterReason(
  content: Content,
  reason: string | undefined,
  description: string | undefined,
): Content {
  const changes = new Map<string, Buffer>()
  if (reason !== undefined) changes.set('DeadLetterReason', string(reason))
  if (description !== undefined) changes.set('DeadLetterErrorDescription', string(description))
  return withApplicationProperties(content, changes)
}
