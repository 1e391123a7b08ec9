import { AppError } from '../../src/core/errors.ts'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { replaySecretName } from '../../src/webhooks/receive.ts'
import { replayToken } from '../../src/webhooks/replay.ts'
import { calling, incidentEvent, incoming, registration, SECRET, world } from './receiver-world.ts'

const accepted = { kind: 'accepted', eventType: 'incident.updated', entityId: 'a', synced: true }

describe('a delivery', () => {
  test('becomes one message that names the record, and a record of the call', async () => {
    const here = await world()
    expect(await here.receive(calling(incidentEvent('a')))).toMatchObject(accepted)
    expect(here.inbound.waiting).toMatchObject([
      {
        body: {
          tenantId: 'tenant-1',
          connectionId: 'conn-1',
          taskId: 'task-1',
          record: { entityType: 'incident', externalId: 'a', operation: 'update' },
        },
      },
    ])
    expect(here.records()).toMatchObject([
      {
        registrationId: 'reg-1',
        tenantId: 'tenant-1',
        verified: true,
        queued: true,
        status: 'queued',
        secretId: 's1',
        sourceIp: '203.0.113.7',
        duration: 0,
        path: '/webhooks/reg-1/events',
      },
    ])
  })

  test('of something that nobody keeps in step is noted, not queued', async () => {
    const here = await world({}, [])
    expect(await here.receive(calling(incidentEvent('a')))).toMatchObject({ synced: false })
    expect(here.inbound.waiting).toEqual([])
    expect(here.records()).toMatchObject([{ status: 'noted', queued: false }])
  })

  test('of a type that the registration does not want is only noted', async () => {
    const here = await world({ events: ['incident.deleted'] })
    expect(await here.receive(calling(incidentEvent('a')))).toMatchObject({ synced: false })
  })

  test('of an unknown event is kept in quarantine, counted, and answered as accepted', async () => {
    const here = await world()
    const body = incidentEvent('a', { operation: 'explode', event_type: 'incident.exploded' })
    expect(await here.receive(calling(body))).toMatchObject({ kind: 'accepted', synced: false })
    expect(here.records('quarantined')).toMatchObject([
      { quarantine: [{ index: 0, eventType: 'incident.exploded', reason: 'unknown event' }] },
    ])
    expect(here.lines.join()).toContain('webhook_quarantined=1')
  })

  test('that is not JSON is kept in quarantine and the sender is told', async () => {
    const here = await world()
    const receipt = await here.receive(calling('{"subject":"a "quote""}'))
    expect(receipt).toMatchObject({ kind: 'unreadable', reason: 'the body is not JSON' })
    expect(here.records('quarantined')).toMatchObject([
      { verified: true, body: { at: 'document' } },
    ])
  })

  test('goes as it is to the outbound queue where the registration says so', async () => {
    const here = await world({ forward: 'outbound' })
    await here.receive(calling(incidentEvent('a')))
    expect(here.inbound.waiting).toEqual([])
    expect(here.outbound.waiting).toMatchObject([
      {
        body: {
          tenantId: 'tenant-1',
          entityType: 'incident',
          externalId: 'a',
          operation: 'update',
          changes: { number: 'INC1' },
        },
      },
    ])
  })

  test('too large for the bus goes by way of a blob: the message names the delivery that has it whole', async () => {
    const here = await world({ forward: 'outbound' })
    const text = 'x'.repeat(300_000)
    const sent = incidentEvent('a', { record: { sys_id: 'a', text } })
    await here.receive(calling(sent))
    const [message] = here.outbound.waiting
    expect(message?.body).toMatchObject({ externalId: 'a', operation: 'update' })
    expect(Reflect.get(message?.body ?? {}, 'changes')).toEqual({})
    const delivery = here.records().find(({ id }) => id === message?.correlationId)
    const kept = delivery?.body?.at === 'blob' ? delivery.body.name : ''
    expect(Buffer.from(here.blobs.stored.get(kept) ?? []).toString()).toBe(sent)
  })

  test('too large for the bus is not accepted while there is nowhere to keep it', async () => {
    const here = await world({ forward: 'outbound' })
    here.blobs.put = async () => {
      throw new AppError('blob_unavailable', 'it is away')
    }
    const sent = incidentEvent('a', { record: { sys_id: 'a', text: 'x'.repeat(300_000) } })
    await expect(here.receive(calling(sent))).rejects.toMatchObject({ code: 'blob_unavailable' })
    expect(here.outbound.waiting).toEqual([])
  })
})

describe('durability', () => {
  test('S1: what crashed before it was stored was not answered, and is stored once when it comes again', async () => {
    const here = await world()
    here.inbound.goAway()
    here.deliveries.goAway()
    await expect(here.receive(calling(incidentEvent('a')))).rejects.toMatchObject({
      code: 'store_unavailable',
    })
    delete here.inbound.before
    delete here.deliveries.before
    here.restart()
    expect(await here.receive(calling(incidentEvent('a')))).toMatchObject(accepted)
    expect(here.inbound.waiting).toHaveLength(1)
  })

  test('S2: what crashed after it was stored has the same id when it comes again, and one effect', async () => {
    const here = await world()
    const first = await here.receive(calling(incidentEvent('a')))
    here.restart()
    expect(await here.receive(calling(incidentEvent('a')))).toEqual(first)
    expect(here.inbound.waiting).toHaveLength(1)
    expect(here.records('queued')).toHaveLength(1)
    expect(here.records('duplicate')).toMatchObject([{ reason: here.records('queued')[0]?.id }])
  })

  test('S3: with the queue away the delivery waits in the store and the relay sends it later', async () => {
    const here = await world()
    here.inbound.goAway()
    expect(await here.receive(calling(incidentEvent('a')))).toMatchObject(accepted)
    expect(here.records('pending')).toMatchObject([{ queued: false, ttl: -1, outbox: [{}] }])
    await expect(here.relay()).rejects.toMatchObject({ code: 'queue_unavailable' })
    delete here.inbound.before
    expect(await here.relay()).toBe(1)
    expect(here.inbound.waiting).toMatchObject([{ body: { record: { externalId: 'a' } } }])
    const [relayed] = here.records()
    expect(relayed).toMatchObject({ status: 'queued', queued: true })
    expect(relayed).not.toHaveProperty('outbox')
    expect(relayed).not.toHaveProperty('ttl')
    expect(await here.relay()).toBe(0)
  })

  test('S3: a relayed message has the id of the sender’s next try', async () => {
    const here = await world()
    here.inbound.goAway()
    await here.receive(calling(incidentEvent('a')))
    delete here.inbound.before
    await here.relay()
    await here.receive(calling(incidentEvent('a')))
    expect(here.inbound.waiting).toHaveLength(1)
    expect(here.inbound.duplicates()).toBe(1)
  })

  test('S3: with the audit store away the event goes through and its record follows', async () => {
    const here = await world()
    await here.receive(calling(incidentEvent('a')))
    here.deliveries.goAway()
    const next = calling(incidentEvent('b'), { id: 'evt-2' })
    expect(await here.receive(next)).toMatchObject({ synced: true })
    expect(here.inbound.waiting).toHaveLength(2)
    delete here.deliveries.before
    await here.relay()
    expect(here.records('queued').map(({ entityId }) => entityId)).toEqual(['a', 'b'])
  })

  test('what only the store would hold is refused while the store is away', async () => {
    const here = await world({}, [])
    await here.receive(calling(incidentEvent('a')))
    here.deliveries.goAway()
    const next = calling(incidentEvent('b'), { id: 'evt-2' })
    await expect(here.receive(next)).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  test('S4: two identical deliveries at the same moment on two instances are one record and one message', async () => {
    const here = await world()
    const call = calling(incidentEvent('a'))
    const receipts = await Promise.all([here.another().receive(call), here.another().receive(call)])
    expect(receipts).toMatchObject([accepted, accepted])
    expect(here.inbound.waiting).toHaveLength(1)
    expect(here.records('queued')).toHaveLength(1)
  })

  test('S5: one change in two deliveries with ids of their own has one effect and two records', async () => {
    const here = await world()
    await here.receive(calling(incidentEvent('a'), { id: 'evt-1' }))
    await here.receive(calling(incidentEvent('a', { timestamp: 'later' }), { id: 'evt-2' }))
    expect(here.inbound.waiting).toHaveLength(1)
    expect(here.records('queued').map(({ senderId }) => senderId)).toEqual(['evt-1', 'evt-2'])
  })

  test('two changes of one record within the second of its stamp are two messages', async () => {
    const here = await world()
    const record = (number: string) => ({
      record: { sys_id: 'a', number, sys_updated_on: '2026-11-20 11:59:58', sys_mod_count: '3' },
    })
    await here.receive(calling(incidentEvent('a', record('1')), { id: 'evt-1' }))
    await here.receive(calling(incidentEvent('a', record('2')), { id: 'evt-2' }))
    expect(here.inbound.waiting).toHaveLength(2)
  })

  test('without ids and versions, what comes within a second is one message that is sent after it', async () => {
    const here = await world({ scheme: 'freshservice', integrationId: 'freshservice' }, [
      {
        taskId: 't',
        entityType: 'ticket',
        integrationId: 'freshservice',
        syncMode: 'pull',
        priority: 'low',
      },
    ])
    const call = calling('{"ticket_id":7}', { scheme: 'freshservice' })
    await here.receive(call)
    await here.receive(call)
    expect(here.inbound.waiting).toHaveLength(1)
    const [message] = here.inbound.waiting
    expect(message?.notBefore?.getTime()).toBeGreaterThan(here.now().getTime() + 999)
    here.advance(1_000)
    await here.receive(call)
    expect(here.inbound.waiting).toHaveLength(2)
  })

  test.for([
    ['gzip', gzipSync(incidentEvent('a')), { 'content-encoding': 'gzip' }],
    [
      'numbers, escapes, a double key and a line end',
      Buffer.from(
        `${incidentEvent('a').slice(0, -1)},"n":1.0,"u":"Zo\\u00eb","big":12345678901234567890,"n":2}\n`,
      ),
      {},
    ],
  ] as const)('S6: with %s it is verified and kept byte for byte', async ([, bytes, headers]) => {
    const here = await world()
    expect(await here.receive(calling(bytes, { headers }))).toMatchObject(accepted)
    const body = here.records()[0]?.body
    expect(body?.at === 'document' && Buffer.from(body.base64, 'base64').equals(bytes)).toBe(true)
  })
})

describe('a sender', () => {
  test.for<[string, Record<string, string | undefined>]>([
    ['missing', { 'x-snow-signature': undefined }],
    ['short', { 'x-snow-signature': 'sha256=AAAA' }],
    ['not base64', { 'x-snow-signature': 'sha256=%%%' }],
    ['of another scheme', { 'x-snow-signature': 'sha1=AAAA' }],
    ['doubled', { 'x-snow-signature': 'sha256=AAAA,sha256=AAAA' }],
  ])('S7: with a signature that is %s is refused and told nothing', async ([, headers]) => {
    const here = await world()
    const call = calling(incidentEvent('a'))
    const receipt = await here.receive({ ...call, headers: { ...call.headers, ...headers } })
    expect(receipt).toEqual({ kind: 'refused' })
    expect(here.records()).toMatchObject([{ status: 'refused', verified: false, queued: false }])
    expect(here.records()[0]).not.toHaveProperty('body')
  })

  test.for([-600_000, 600_000])('S8: whose stamp is off by %i ms is refused', async (offset) => {
    const here = await world()
    const now = new Date(here.now().getTime() + offset)
    expect(await here.receive(calling(incidentEvent('a'), { now }))).toEqual({ kind: 'refused' })
    expect(here.records()).toMatchObject([{ reason: 'timestamp_out_of_tolerance' }])
  })

  test('S8: may deliver a day-old event again only with an operator’s leave for these bytes', async () => {
    const here = await world()
    await here.vault.set(replaySecretName, 'operators')
    const now = new Date(here.now().getTime() - 86_400_000)
    const until = new Date(here.now().getTime() + 60_000)
    const body = incidentEvent('a')
    const leave = (secret: string) => ({
      'x-syncline-replay': replayToken(secret, Buffer.from(body), until),
    })
    const forged = calling(body, { now, headers: leave(SECRET) })
    expect(await here.receive(forged)).toEqual({ kind: 'refused' })
    expect(await here.receive(calling(body, { now, headers: leave('operators') }))).toMatchObject(
      accepted,
    )
    expect(here.records('queued')).toMatchObject([{ replay: true }])
  })

  test('S9: may use the old and the new secret while one is changed, and it is counted which', async () => {
    const here = await world({
      secrets: [
        { id: 's1', purpose: 'signing', createdAt: '', acceptUntil: '2026-11-20T12:05:00.000Z' },
        { id: 's2', purpose: 'signing', createdAt: '' },
      ],
    })
    await here.vault.set('webhook-reg-1-s2', 'newsecret')
    await here.receive(calling(incidentEvent('a'), { id: 'evt-1' }))
    await here.receive(calling(incidentEvent('b'), { id: 'evt-2', secret: 'newsecret' }))
    await here.receive(calling(incidentEvent('c'), { id: 'evt-3', secret: 'newsecret' }))
    await here.flush()
    expect(here.records('queued').map(({ secretId }) => secretId)).toEqual(['s1', 's2', 's2'])
    expect(here.usage.all().map(({ secretId, count }) => [secretId, count])).toEqual([
      ['s1', 1],
      ['s2', 2],
    ])
    here.advance(300_001)
    const late = calling(incidentEvent('d'), { id: 'evt-4', now: here.now() })
    expect(await here.receive(late)).toEqual({ kind: 'refused' })
  })

  test('S9: whose secret was revoked is refused elsewhere ten seconds later, here at once', async () => {
    const here = await world()
    const elsewhere = here.another()
    const call = (id: string) => calling(incidentEvent(id), { id, now: here.now() })
    await here.receive(call('a'))
    await elsewhere.receive(call('b'))
    await here.register({ ...registration, secrets: [] }, {})
    here.forget()
    expect(await here.receive(call('c'))).toEqual({ kind: 'refused' })
    expect(await elsewhere.receive(call('d'))).toMatchObject({ kind: 'accepted' })
    here.advance(10_000)
    expect(await elsewhere.receive(call('e'))).toEqual({ kind: 'refused' })
  })

  test('S15: of one tenant is refused at the address of another, and the record says so', async () => {
    const here = await world()
    const other = { ...registration, id: 'reg-b', registrationId: 'reg-b', tenantId: 'tenant-b' }
    await here.register(other, { s1: 'of tenant b' })
    const call = calling(incidentEvent('a'), { registrationId: 'reg-b' })
    expect(await here.receive(call)).toEqual({ kind: 'refused' })
    expect(here.records()).toMatchObject([
      { tenantId: 'tenant-b', reason: 'signature_mismatch', status: 'refused' },
    ])
    expect(here.inbound.waiting).toEqual([])
  })

  test('S17: that floods is told when to come again before anything of it is taken, and others are not', async () => {
    const here = await world({ requestsPerMinute: 60 })
    const other = { ...registration, id: 'reg-b', registrationId: 'reg-b' }
    await here.register(other, { s1: SECRET })
    const kinds: string[] = []
    for (let index = 0; index < 100; index += 1) {
      const receipt = await here.receive(
        calling(incidentEvent(`i${index}`), { id: `evt-${index}` }),
      )
      kinds.push(receipt.kind)
    }
    expect(kinds.filter((kind) => kind === 'accepted')).toHaveLength(30)
    expect(here.inbound.waiting).toHaveLength(30)
    expect(await here.receive(calling(incidentEvent('x')))).toEqual({
      kind: 'limited',
      waitMs: 1_000,
    })
    const fromOther = calling(incidentEvent('b'), { id: 'b', registrationId: 'reg-b' })
    expect(await here.receive(fromOther)).toMatchObject({ kind: 'accepted' })
    here.advance(1_000)
    const later = calling(incidentEvent('y'), { id: 'y', now: here.now() })
    expect(await here.receive(later)).toMatchObject({ kind: 'accepted' })
  })

  test.for(['reg-9', 'x', '../reg-1', 'reg-1 ', '__proto__'])('of %s is unknown', async (id) => {
    const here = await world()
    expect(await here.receive(incoming(Buffer.from('{}'), { registrationId: id }))).toEqual({
      kind: 'unknown_registration',
    })
  })

  test('of a retired registration is unknown', async () => {
    const here = await world({ state: 'retired' })
    const receipt = await here.receive(calling(incidentEvent('a')))
    expect(receipt).toEqual({ kind: 'unknown_registration' })
  })

  test('cannot deliver by GET', async () => {
    const here = await world()
    expect(await here.receive(incoming(Buffer.alloc(0), { method: 'GET' }))).toEqual({
      kind: 'method_not_allowed',
    })
  })
})
