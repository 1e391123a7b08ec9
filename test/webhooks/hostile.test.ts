import { brotliCompressSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { schemes } from '../../src/webhooks/schemes.ts'
import { calling, incidentEvent, incoming, SECRET, world } from './receiver-world.ts'

const MB = 1024 * 1024

/** S11: what a sender with the right secret may still do to us. */
const bodies: readonly (readonly [string, () => Uint8Array, Record<string, string>?])[] = [
  ['a million elements', () => Buffer.from(`[${'1,'.repeat(500_000)}1]`)],
  ['a thousand and one events', () => Buffer.from(`[${'{},'.repeat(1_000)}{}]`)],
  ['lists nested 400,000 deep', () => Buffer.from('['.repeat(400_000) + ']'.repeat(400_000))],
  [
    'objects nested 100,000 deep',
    () => Buffer.from(`${'{"record":'.repeat(100_000)}1${'}'.repeat(100_000)}`),
  ],
  [
    'an event around such a nest',
    () =>
      Buffer.from(
        `{"operation":"update","table":"incident","record":{"sys_id":"a","sys_updated_on":"T","sys_mod_count":"1","x":${'['.repeat(300_000)}${']'.repeat(300_000)}}}`,
      ),
  ],
  ['invalid UTF-8', () => Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
  ['a number of 900,000 digits', () => Buffer.from(`{"record":{"sys_id":${'9'.repeat(900_000)}}}`)],
  ['an id of a megabyte', () => Buffer.from(incidentEvent('x'.repeat(900_000)))],
  ['a bomb in gzip', () => gzipSync(Buffer.alloc(50 * MB)), { 'content-encoding': 'gzip' }],
  [
    'a bomb in brotli',
    () => brotliCompressSync(Buffer.alloc(50 * MB)),
    { 'content-encoding': 'br' },
  ],
  ['broken gzip', () => Buffer.from('not gzip'), { 'content-encoding': 'gzip' }],
  ['an encoding that is none', () => Buffer.from('{}'), { 'content-encoding': '__proto__' }],
  ['nothing', () => Buffer.alloc(0)],
  ['__proto__', () => Buffer.from('{"__proto__":{"operation":"update"},"constructor":1}')],
]

test.for(bodies)(
  'S11: %s is kept in quarantine and queues nothing',
  async ([, body, headers = {}]) => {
    for (const forward of ['inbound', 'outbound'] as const) {
      const here = await world({ maxBodyBytes: MB, forward })
      const receipt = await here.receive(calling(body(), { headers }))
      expect(['accepted', 'unreadable']).toContain(receipt.kind)
      expect([...here.inbound.waiting, ...here.outbound.waiting]).toEqual([])
      expect(here.records('quarantined')).toHaveLength(1)
    }
  },
)

test.for<[string, Uint8Array, Record<string, string>, string]>([
  [
    'unpacked beyond the limit',
    gzipSync(Buffer.alloc(2 * MB, '1')),
    { 'content-encoding': 'gzip' },
    'the content encoding cannot be undone',
  ],
  [
    'too many elements',
    Buffer.from(`[${'{},'.repeat(1_000)}{}]`),
    {},
    '1001 elements are too many',
  ],
])('S11: what is %s is said to be', async ([, body, headers, reason]) => {
  const here = await world({ maxBodyBytes: MB, scheme: 'hubspot-v3' })
  await here.receive(calling(body, { headers, scheme: 'hubspot-v3' }))
  expect(here.records('quarantined')).toMatchObject([{ quarantine: [{ index: 0, reason }] }])
})

test('S16: of a batch of a hundred with one that is malformed, the others go on in one answer', async () => {
  const targets = [
    {
      taskId: 't',
      entityType: 'contact',
      integrationId: 'hubspot',
      syncMode: 'pull',
      priority: 'low',
    },
  ]
  const here = await world({ scheme: 'hubspot-v3', integrationId: 'hubspot' }, targets)
  const elements: unknown[] = Array.from({ length: 100 }, (_, index) => ({
    subscriptionType: 'contact.propertyChange',
    objectId: index,
    occurredAt: 1,
  }))
  elements[50] = 'oops'
  const call = calling(JSON.stringify(elements), { scheme: 'hubspot-v3' })
  expect(await here.receive(call)).toMatchObject({ kind: 'accepted', synced: true })
  expect(here.inbound.waiting).toHaveLength(99)
  expect(here.records('queued')).toMatchObject([
    { elements: 100, quarantine: [{ index: 50, reason: 'an element is no object' }] },
  ])
})

test('S16: what is quarantined in a batch may not be lost while the store is away', async () => {
  const here = await world({ scheme: 'hubspot-v3' })
  here.deliveries.goAway()
  const call = calling('[{"subscriptionType":"contact.creation","objectId":1},7]', {
    scheme: 'hubspot-v3',
  })
  await expect(here.receive(call)).rejects.toMatchObject({ code: 'store_unavailable' })
})

const names = Object.keys(schemes)

describe('whatever comes to whatever registration', () => {
  test('ends in an answer, and queues nothing that was not proved', async () => {
    const header = fc.constantFrom(
      'content-type',
      'content-encoding',
      'authorization',
      'x-hook-secret',
      'x-goog-resource-state',
      'x-syncline-replay',
      'x-hub-signature-256',
      'webhook-signature',
      '__proto__',
    )
    const call = fc.record({
      scheme: fc.constantFrom(...names),
      method: fc.constantFrom('POST', 'GET', 'OPTIONS'),
      query: fc.oneof(
        fc.constant(''),
        fc.string().map((text) => `?${text}`),
        fc.constant('?validationToken=x'),
      ),
      headers: fc.dictionary(header, fc.string({ unit: 'binary', maxLength: 30 })),
      rawBody: fc.oneof(
        fc.uint8Array({ maxLength: 80 }),
        fc.json().map((text) => Buffer.from(text)),
      ),
    })
    await fc.assert(
      fc.asyncProperty(call, async ({ scheme, query, ...received }) => {
        const here = await world({ scheme })
        here.answers.set('https://www.googleapis.com/oauth2/v3/certs', { keys: [] })
        here.answers.set('https://login.microsoftonline.com/common/discovery/v2.0/keys', {
          keys: [],
        })
        const receipt = await here.receive(
          incoming(received.rawBody, { ...received, target: `/webhooks/reg-1/x${query}` }),
        )
        expect(['refused', 'answered', 'method_not_allowed']).toContain(receipt.kind)
        expect([...here.inbound.waiting, ...here.outbound.waiting]).toEqual([])
        expect(JSON.stringify([here.records(), here.lines, receipt])).not.toContain(SECRET)
      }),
      { numRuns: 400 },
    )
  })

  test.for(names)('%s: neither records nor lines hold what proves the sender', async (scheme) => {
    const secret = 'a-secret-of-the-sender'
    const here = await world({ scheme, integrationId: scheme })
    await here.vault.set('webhook-reg-1-s1', secret)
    const bodies = ['{"value":[{"id":1}],"id":"1"}', '<a><Id>1</Id></a>', 'To=1&Body=2']
    for (const body of bodies) {
      const call = attempt(() => calling(body, { scheme, secret }))
      const receipt = call && (await here.receive(call))
      expect(receipt?.kind).not.toBe('unknown_registration')
    }
    const kept = here.records().map((record) => {
      const { body } = record
      return body?.at === 'document'
        ? { ...record, body: Buffer.from(body.base64, 'base64').toString() }
        : record
    })
    expect(JSON.stringify([kept, here.lines, here.inbound.waiting])).not.toContain(secret)
  })
})

/** Some schemes cannot be signed with a text for a key. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

describe('key sets', () => {
  const certs = 'https://www.googleapis.com/oauth2/v3/certs'
  const token = (kid: string) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    return `Bearer ${part({ alg: 'RS256', kid })}.${part({})}.AAAA`
  }
  const call = (kid: string) =>
    incoming(Buffer.from('{"message":{"messageId":"1"}}'), {
      headers: { authorization: token(kid) },
    })
  const pubsub = {
    scheme: 'google-pubsub',
    secrets: [],
    expected: { audience: 'a', email: 'e' },
  }

  test('are fetched once for many calls, and for unknown keys once a minute', async () => {
    const here = await world(pubsub)
    here.answers.set(certs, { keys: [{ kty: 'RSA', kid: 'k1', n: 'AQAB', e: 'AQAB' }] })
    await Promise.all(Array.from({ length: 20 }, () => here.receive(call('k1'))))
    expect(here.fetched).toEqual([certs])
    for (const kid of ['k2', 'k3', 'k4']) {
      expect(await here.receive(call(kid))).toEqual({ kind: 'refused' })
    }
    expect(here.fetched).toHaveLength(1)
    here.advance(60_000)
    await Promise.all(['k2', 'k3', 'k4'].map((kid) => here.receive(call(kid))))
    expect(here.fetched).toHaveLength(2)
  })

  test('that cannot be fetched are the sender’s reason to try again, and old ones stand meanwhile', async () => {
    const here = await world(pubsub)
    await expect(here.receive(call('k1'))).rejects.toMatchObject({ code: 'issuer_unavailable' })
    here.answers.set(certs, { keys: [{ kty: 'RSA', kid: 'k1', n: 'AQAB', e: 'AQAB' }] })
    expect(await here.receive(call('k1'))).toEqual({ kind: 'refused' })
    here.answers.delete(certs)
    here.advance(2 * 3_600_000)
    expect(await here.receive(call('k1'))).toEqual({ kind: 'refused' })
  })
})
