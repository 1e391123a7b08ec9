import fc from 'fast-check'
import rhea from 'rhea'
import { expect, test } from 'vitest'
import {
  elements,
  integer,
  string,
  text,
  uint,
  valueEnd,
} from '../../../infra/local/service-bus/codec/bytes.ts'
import {
  encodeMessage,
  parseMessage,
  withApplicationProperties,
  withDeadLetterReason,
  withDeadLetterSource,
} from '../../../infra/local/service-bus/codec/message.ts'
import {
  tagFromToken,
  ticks,
  tokenFromTag,
  tokenFromUuid,
  uuidFromToken,
} from '../../../infra/local/service-bus/codec/tokens.ts'
import { readSequence } from '../../../infra/local/service-bus/codec/values.ts'
import { entityPath, verifySignature } from '../../../infra/local/service-bus/sas.ts'

const STAMP = {
  deliveryCount: 2,
  sequenceNumber: 5_000_000_000,
  enqueuedSequenceNumber: 7,
  enqueuedMs: 1_700_000_000_123,
  lockedUntilMs: 1_700_000_060_123,
  state: 0,
} as const

const noId = () => 'invented'

test('a delivered message has what was sent and what the broker knows', () => {
  const sent = rhea.message.encode({
    durable: true,
    ttl: 5000,
    message_id: 'id',
    group_id: 'session',
    message_annotations: { 'x-mine': 1, 'x-opt-sequence-number': 99 },
    application_properties: { a: 'b' },
    body: { deep: [1, 'two'] },
  })
  const parsed = parseMessage(sent, noId)
  expect(parsed).toMatchObject({ messageId: 'id', sessionId: 'session', timeToLiveMs: 5000 })
  const delivered = rhea.message.decode(encodeMessage(parsed.content, STAMP))
  expect(delivered).toMatchObject({
    durable: true,
    ttl: 5000,
    delivery_count: 2,
    message_id: 'id',
    application_properties: { a: 'b' },
    body: { deep: [1, 'two'] },
    message_annotations: {
      'x-mine': 1,
      'x-opt-sequence-number': 5_000_000_000,
      'x-opt-enqueue-sequence-number': 7,
      'x-opt-enqueued-time': new Date(1_700_000_000_123),
      'x-opt-locked-until': new Date(1_700_000_060_123),
      'x-opt-message-state': 0,
    },
  })
})

test('bodies and properties are carried byte by byte', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      fc.dictionary(
        fc.string({ maxLength: 300 }),
        fc.oneof(fc.string(), fc.integer(), fc.boolean()),
      ),
      (body, properties) => {
        const sent = rhea.message.encode({
          message_id: 'id',
          application_properties: properties,
          body: rhea.message.data_section(Buffer.from(body)),
        })
        const { content } = parseMessage(sent, noId)
        expect(sent.includes(content.tail)).toBe(true)
        expect(encodeMessage(content, STAMP).subarray(-content.tail.length)).toEqual(content.tail)
      },
    ),
  )
})

test('a message without an id gets one and keeps its other properties', () => {
  const sent = rhea.message.encode({ subject: 's', group_id: 'g', body: 1 })
  const { content, messageId } = parseMessage(sent, noId)
  expect(messageId).toBe('invented')
  expect(rhea.message.decode(encodeMessage(content, STAMP))).toMatchObject({
    message_id: 'invented',
    subject: 's',
    group_id: 'g',
    body: 1,
  })
})

test('changed application properties replace those of the same name and leave the rest', () => {
  const sent = rhea.message.encode({ application_properties: { a: 1, b: 'old' }, body: 'x' })
  const changes = new Map([
    ['b', string('new')],
    ['c', uint(3)],
  ])
  const changed = withApplicationProperties(parseMessage(sent, noId).content, changes)
  const dead = withDeadLetterSource(withDeadLetterReason(changed, 'why', undefined), 'orders')
  expect(rhea.message.decode(encodeMessage(dead, STAMP))).toMatchObject({
    application_properties: { a: 1, b: 'new', c: 3, DeadLetterReason: 'why' },
    message_annotations: { 'x-opt-deadletter-source': 'orders' },
    body: 'x',
  })
})

function outcomeOf(parse: () => unknown): string {
  try {
    parse()
    return 'parsed'
  } catch (error) {
    return error instanceof RangeError ? 'refused' : String(error)
  }
}

test('malformed bytes are refused, never read beyond their end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (bytes) => {
      expect(outcomeOf(() => parseMessage(Buffer.from(bytes), noId))).toMatch(/^(parsed|refused)$/)
    }),
    { numRuns: 2000 },
  )
})

test('a cut message is refused wherever it is cut', () => {
  const sent = rhea.message.encode({
    message_id: 'id',
    application_properties: { a: 1 },
    body: 'text',
  })
  const starts = new Set<number>([0])
  for (let at = 0; at < sent.length; starts.add(at)) at = valueEnd(sent, at)
  for (let length = 1; length < sent.length; length += 1) {
    if (starts.has(length)) continue
    expect(() => parseMessage(sent.subarray(0, length), noId)).toThrow(RangeError)
  }
})

test('arrays and lists give their elements one by one', () => {
  const encode = (value: unknown) => rhea.message.encode({ body: value }).subarray(-1000)
  const body = (value: unknown) => {
    const bytes = encode(value)
    return bytes.subarray(bytes.lastIndexOf(Buffer.from([0x00, 0x53, 0x77])) + 3)
  }
  const longs = rhea.types.wrap_array([1, 2, 3], 0x81, undefined)
  expect(readSequence(body(longs)).map(integer)).toEqual([1, 2, 3])
  const texts = rhea.types.wrap_list(['a', 'b'].map((item) => rhea.types.wrap_string(item)))
  expect(readSequence(body(texts)).map(text)).toEqual(['a', 'b'])
  expect(elements(body(texts), 0)).toHaveLength(2)
})

test('a lock token is the same in every shape', () => {
  const token = '00112233-4455-6677-8899-aabbccddeeff'
  expect(tagFromToken(token).toString('hex')).toBe('33221100554477668899aabbccddeeff')
  fc.assert(
    fc.property(fc.uuid(), (uuid) => {
      expect([tokenFromTag(tagFromToken(uuid)), tokenFromUuid(uuidFromToken(uuid))]).toEqual([
        uuid,
        uuid,
      ])
    }),
  )
})

test('ticks count from the year 1', () => {
  expect(ticks(0).readBigInt64BE()).toBe(621_355_968_000_000_000n)
  expect(ticks(1).readBigInt64BE() - ticks(0).readBigInt64BE()).toBe(10_000n)
})

// Made with `openssl dgst -sha256 -hmac SAS_KEY_VALUE` over "sb%3A%2F%2F127.0.0.1%2Forders\n2000000000".
const TOKEN =
  'SharedAccessSignature sr=sb%3A%2F%2F127.0.0.1%2Forders&sig=pYsy3HvOxJVb8tMT2PAI8TRRTqT%2BORATFHj%2BLZprZqY%3D&se=2000000000&skn=RootManageSharedAccessKey'
const KEY = { name: 'RootManageSharedAccessKey', key: 'SAS_KEY_VALUE' }

test.for([
  ['is genuine', TOKEN, 0, 'sb://127.0.0.1/orders'],
  ['is too old', TOKEN, 2_000_000_001_000, undefined],
  ['names another resource', TOKEN.replace('orders', 'others'), 0, undefined],
  ['lives longer than was signed', TOKEN.replace('se=2', 'se=3'), 0, undefined],
  ['names another key', TOKEN.replace('RootManage', 'Other'), 0, undefined],
  ['is no token', 'nonsense', 0, undefined],
  ['has no signature', TOKEN.replace(/&sig=[^&]*/, ''), 0, undefined],
] as const)('a signature that %s', ([, token, nowMs, expected]) => {
  expect(verifySignature(token, KEY, nowMs)).toBe(expected)
})

test.for([
  ['orders', 'orders'],
  ['/orders/', 'orders'],
  ['sb://127.0.0.1:5672/orders/$management', 'orders/$management'],
  ['amqps://bus/a/b', 'a/b'],
  ['sb://bus', ''],
] as const)('the path in %s is "%s"', ([address, path]) => {
  expect(entityPath(address)).toBe(path)
})
