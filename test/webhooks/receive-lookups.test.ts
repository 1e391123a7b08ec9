import { describe, expect, test } from 'vitest'
import { AppError } from '../../src/core/errors.ts'
import { openWebhookReceiver } from '../../src/webhooks/receive.ts'
import { retireSecret } from '../../src/webhooks/registrations.ts'
import { calling, incidentEvent, incoming, world } from './receiver-world.ts'

describe('handshakes', () => {
  const slack = { scheme: 'slack', integrationId: 'slack' }
  const challenge = JSON.stringify({ type: 'url_verification', challenge: '<b>3eZb</b>' })

  test('S10: a signed challenge is echoed as plain text', async () => {
    const here = await world(slack)
    const receipt = await here.receive(calling(challenge, { scheme: 'slack' }))
    expect(receipt).toMatchObject({
      kind: 'answered',
      answer: { status: 200, body: '<b>3eZb</b>', contentType: 'text/plain; charset=utf-8' },
    })
    expect(here.records()).toMatchObject([{ status: 'handshake', verified: true }])
  })

  test('S10: an unsigned challenge is not', async () => {
    const here = await world(slack)
    const receipt = await here.receive(incoming(Buffer.from(challenge), {}))
    expect(receipt).toMatchObject({ kind: 'answered', answer: { status: 401, body: '' } })
  })

  test('S10: nothing is echoed for an unknown registration', async () => {
    const here = await world(slack)
    const call = calling(challenge, { scheme: 'slack', registrationId: 'reg-9' })
    expect(await here.receive(call)).toEqual({ kind: 'unknown_registration' })
  })

  test('S10: Meta proves itself by the token of the vault', async () => {
    const here = await world({
      scheme: 'whatsapp',
      secrets: [{ id: 'v', purpose: 'verify-token', createdAt: '' }],
    })
    await here.vault.set('webhook-reg-1-v', 'verify-me')
    const target = (token: string) =>
      `/webhooks/reg-1/x?hub.mode=subscribe&hub.verify_token=${token}&hub.challenge=1158201444`
    const ask = (token: string) =>
      here.receive(incoming(Buffer.alloc(0), { method: 'GET', target: target(token) }))
    expect(await ask('verify-me')).toMatchObject({ answer: { status: 200, body: '1158201444' } })
    expect(await ask('wrong')).toMatchObject({ answer: { status: 403, body: '' } })
    expect(JSON.stringify(here.records())).not.toContain('verify-me')
  })

  test('a secret that the vendor brings is in the vault before the answer, once', async () => {
    const here = await world({ scheme: 'asana', state: 'pending', secrets: [] })
    const greeting = (secret: string) =>
      here.receive(incoming(Buffer.alloc(0), { headers: { 'x-hook-secret': secret } }))
    expect(await greeting('brought')).toMatchObject({ answer: { status: 200 } })
    const [stored] = here.registrations.all()
    expect(stored).toMatchObject({ state: 'active', secrets: [{ purpose: 'signing' }] })
    expect(await here.vault.get(`webhook-reg-1-${stored?.secrets[0]?.id}`)).toBe('brought')
    expect(await greeting('another')).toMatchObject({ answer: { status: 403 } })
    const body = '{"events":[{"action":"changed","resource":{"gid":"1","resource_type":"task"}}]}'
    const delivered = calling(body, { scheme: 'asana', secret: 'brought' })
    expect(await here.receive(delivered)).toMatchObject({ kind: 'accepted' })
  })

  test('a secret whose answer was lost is answered again, and learned once', async () => {
    const here = await world({ scheme: 'asana', state: 'pending', secrets: [] })
    const greeting = incoming(Buffer.alloc(0), { headers: { 'x-hook-secret': 'brought' } })
    here.registrations.after = (operation) => {
      if (operation !== 'write') return
      delete here.registrations.after
      throw new AppError('store_unavailable', 'the answer was lost')
    }
    await expect(here.receive(greeting)).rejects.toMatchObject({ code: 'store_unavailable' })
    here.advance(120_000)
    const again = { answer: { status: 200, headers: { 'X-Hook-Secret': 'brought' } } }
    expect(await here.receive(greeting)).toMatchObject(again)
    expect(await here.another().receive(greeting)).toMatchObject(again)
    expect(here.registrations.all()[0]?.secrets).toHaveLength(1)
  })

  test('a secret is learned once though two calls bring one to two instances', async () => {
    const here = await world({ scheme: 'asana', state: 'pending', secrets: [] })
    const greeting = (secret: string) =>
      here.another().receive(incoming(Buffer.alloc(0), { headers: { 'x-hook-secret': secret } }))
    const receipts = await Promise.all([greeting('one'), greeting('two')])
    expect(receipts.map(({ kind }) => kind).sort()).toEqual(['answered', 'refused'])
    expect(here.registrations.all()[0]?.secrets).toHaveLength(1)
  })
})

describe('a registration that waited for its secret', () => {
  test('learns none from an instance that has not heard of the first', async () => {
    const here = await world({ scheme: 'asana', state: 'pending', secrets: [] })
    const elsewhere = here.another()
    const greeting = (secret: string) =>
      incoming(Buffer.alloc(0), { headers: { 'x-hook-secret': secret } })
    expect(await elsewhere.receive(incoming(Buffer.alloc(0), {}))).toEqual({ kind: 'refused' })
    expect(await here.receive(greeting('one'))).toMatchObject({ kind: 'answered' })
    expect(await elsewhere.receive(greeting('two'))).toEqual({ kind: 'refused' })
    expect(JSON.stringify([...here.vault.secrets])).not.toContain('two')
  })
})

describe('lookups', () => {
  test('a registration is read once for all who ask at the same time', async () => {
    const here = await world()
    const ids = Array.from({ length: 50 }, (_, index) => `evt-${index}`)
    await Promise.all(ids.map((id) => here.receive(calling(incidentEvent(id), { id }))))
    expect(here.registrations.counts.reads).toBe(1)
  })

  test('while the store is away what was read last stands for five minutes', async () => {
    const here = await world()
    await here.receive(calling(incidentEvent('a')))
    here.registrations.goAway()
    here.advance(299_000)
    const call = (id: string) => calling(incidentEvent(id), { id, now: here.now() })
    expect(await here.receive(call('b'))).toMatchObject({ kind: 'accepted' })
    here.advance(2_000)
    await expect(here.receive(call('c'))).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  test('a vault that is away at the first call is said to be', async () => {
    const here = await world()
    here.vault.goAway()
    await expect(here.receive(calling(incidentEvent('a')))).rejects.toMatchObject({
      code: 'vault_unavailable',
    })
  })

  test('a body above the limit is not read, and the limit is the registration’s', async () => {
    const here = await world({ maxBodyBytes: 10 })
    const limits: number[] = []
    const call = calling(incidentEvent('a'))
    const readBody = async (limit: number): Promise<Uint8Array> => {
      limits.push(limit)
      throw new AppError('body_too_large', 'too large')
    }
    await expect(here.receive({ ...call, readBody })).rejects.toMatchObject({
      code: 'body_too_large',
    })
    expect(limits).toEqual([10])
    expect(here.inbound.waiting).toEqual([])
  })

  test('an address that cannot be of a registration costs no read', async () => {
    const here = await world()
    for (const id of ['x', '../reg-1', 'reg-1 ', '9', '']) {
      await here.receive(incoming(Buffer.alloc(0), { registrationId: id }))
    }
    expect(here.registrations.counts.reads).toBe(0)
  })

  test('the use of a secret is stored at first and then once a minute', async () => {
    const here = await world()
    const counts: (number | undefined)[] = []
    for (const [index, wait] of [0, 1_000, 58_000, 1_000].entries()) {
      here.advance(wait)
      const id = `evt-${index}`
      await here.receive(calling(incidentEvent(id), { id, now: here.now() }))
      counts.push(here.usage.all()[0]?.count)
    }
    expect(counts).toEqual([1, 1, 1, 4])
  })

  test('a count that cannot be stored is not lost', async () => {
    const here = await world()
    here.usage.goAway()
    expect(await here.receive(calling(incidentEvent('a')))).toMatchObject({ kind: 'accepted' })
    delete here.usage.before
    await here.flush()
    expect(here.usage.all()).toMatchObject([{ secretId: 's1', count: 1 }])
  })

  test('a secret ends at its minute though the registration was read before', async () => {
    const acceptUntil = '2026-11-20T12:00:05.000Z'
    const here = await world({
      secrets: [{ id: 's1', purpose: 'signing', createdAt: '', acceptUntil }],
    })
    expect(await here.receive(calling(incidentEvent('a')))).toMatchObject({ kind: 'accepted' })
    here.advance(6_000)
    const late = calling(incidentEvent('b'), { id: 'evt-2', now: here.now() })
    expect(await here.receive(late)).toEqual({ kind: 'refused' })
  })

  test('S9: a secret that was revoked is refused where the clock is an hour behind and the secret was read before', async () => {
    const here = await world()
    const clock = () => new Date(here.now().getTime() - 3_600_000)
    const behind = openWebhookReceiver({ ...here.ports, clock })
    const call = (id: string) => calling(incidentEvent(id), { id, now: clock() })
    expect(await behind.receive(call('a'))).toMatchObject({ kind: 'accepted' })
    const ports = {
      ...here.ports,
      vendorOf: async () => 'servicenow',
      newId: () => 'id1',
      forget: () => {},
    }
    const { tenantId, id } = here.registration
    await retireSecret(ports, { tenantId, id }, { secretId: 's1', afterMs: 0, hours: 24 })
    here.advance(10_000)
    expect(await behind.receive(call('b'))).toEqual({ kind: 'refused' })
  })

  test('S11: what nobody could read is kept whole though the store was away when it came first', async () => {
    const here = await world()
    here.deliveries.goAway()
    const call = calling('{"operation":"no such"}')
    await expect(here.receive(call)).rejects.toMatchObject({ code: 'store_unavailable' })
    delete here.deliveries.before
    await here.receive(calling(incidentEvent('a'), { id: 'evt-2' }))
    expect(await here.receive(call)).toMatchObject({ kind: 'accepted' })
    expect(here.records('quarantined')).toMatchObject([{ body: { at: 'document' } }])
  })
})
