import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { setTimeout as delay } from 'node:timers/promises'
import { demo, seedRegistration } from '../../infra/local/demo.ts'
import { cosmosClient, seedTask, storeDocument } from '../../infra/local/seed.ts'
import topology from '../../src/topology.json' with { type: 'json' }
import type { FunctionsProcess } from '../../infra/local/functions-process.ts'
import { fireTimer, startRunning, type Running } from './running.ts'

let running: Running
let functions: FunctionsProcess

beforeAll(async () => {
  running = await startRunning({ storage: true })
  functions = await running.startFunctions()
  await running.writeSettings({ PUBLIC_URL: functions.url })
})
afterAll(async () => {
  await functions[Symbol.asyncDispose]()
  await running[Symbol.asyncDispose]()
})

const secret = () => running.stack.settings['DEMO_SALESFORCE_SECRET'] ?? ''

function post(body: string, more: { path?: string; headers?: Record<string, string> } = {}) {
  const { path = `/webhooks/${demo.registrationId}/events`, headers = {} } = more
  const signature = createHmac('sha256', secret()).update(body).digest('base64')
  return fetch(`${functions.url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-salesforce-content-sha256': signature,
      ...headers,
    },
    body,
  })
}

/** What the management API answers, as far as it is looked at here. */
interface Answer {
  readonly success: boolean
  readonly data?: {
    readonly id?: string
    readonly url?: string
    readonly secrets?: readonly { readonly id: string }[]
    readonly [name: string]: unknown
  }
  readonly error?: { readonly code: string }
}

async function operate(
  method: string,
  path: string,
  more: { role?: string; tenant?: string; body?: object; etag?: string } = {},
) {
  const { role = 'admin', tenant = demo.tenantId, body, etag } = more
  const { token } = await running.stack.issuer.control.mint({
    subject: 'me',
    tenantId: tenant,
    roles: [role],
  })
  const answer = await fetch(`${functions.url}/api/v1/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      ...(etag === undefined ? {} : { 'if-match': etag }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  })
  return {
    status: answer.status,
    etag: answer.headers.get('etag') ?? '',
    body: (await answer.json()) as Answer,
  }
}

const opportunity = JSON.stringify({
  eventId: 'evt-1',
  eventType: 'Opportunity.updated',
  sobjectType: 'Opportunity',
  recordId: '006000000000001AAA',
  operation: 'update',
})

describe('the receiver of the demo', () => {
  test('answers as the contract says', async () => {
    const answer = await post(opportunity)
    expect([answer.status, await answer.json()]).toEqual([
      200,
      {
        success: true,
        eventType: 'Opportunity.updated',
        entityId: '006000000000001AAA',
        synced: false,
      },
    ])
  })

  test.for<[string, number, string, Parameters<typeof post>[1]]>([
    [
      'a forged signature',
      401,
      opportunity,
      { headers: { 'x-salesforce-content-sha256': 'AAAA' } },
    ],
    ['an unknown registration', 404, opportunity, { path: '/webhooks/reg-999/events' }],
    ['no registration', 400, opportunity, { path: '/webhooks' }],
    ['no JSON', 400, '{"a":', {}],
    ['too large a body', 413, JSON.stringify({ a: 'x'.repeat(1_100_000) }), {}],
  ])('answers %s with %i', async ([, status, body, more]) => {
    const answer = await post(body, more)
    expect(answer.status).toBe(status)
    expect(await answer.json()).toMatchObject({ error: expect.any(String) })
  })
})

describe('the management of webhooks', () => {
  const wanted = { connectionId: demo.connectionId, scheme: 'github', secret: 'hook-secret-1' }
  const deliver = async (url: string, secret: string, body: string) => {
    const mac = createHmac('sha256', secret).update(body).digest('hex')
    const answer = await fetch(url.replace(/^https?:\/\/[^/]+/, functions.url), {
      method: 'POST',
      headers: {
        'x-hub-signature-256': `sha256=${mac}`,
        'x-github-event': 'issues',
        'x-github-delivery': mac,
      },
      body,
    })
    return answer.status
  }
  const issue = (id: number) => JSON.stringify({ action: 'opened', issue: { id, token: 'secret' } })

  test('makes a registration, rotates its secret, revokes it with what it let in, and shows no secret', async () => {
    const made = await operate('POST', 'webhook-registrations', { body: wanted })
    expect(made).toMatchObject({ status: 201, body: { success: true, data: { state: 'active' } } })
    const { id = '', url = '', secrets: [first] = [] } = made.body.data ?? {}
    expect(await deliver(url, 'hook-secret-1', issue(1))).toBe(200)
    const path = `webhook-registrations/${id}`
    const added = await operate('POST', `${path}/secrets`, {
      body: { secret: 'hook-secret-2' },
      etag: made.etag,
    })
    expect(added.status).toBe(201)
    expect(await deliver(url, 'hook-secret-2', issue(2))).toBe(200)
    const stale = await operate('DELETE', `${path}/secrets/${first?.id}`, { etag: made.etag })
    expect(stale).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } })
    const revoked = await operate('DELETE', `${path}/secrets/${first?.id}`, { etag: added.etag })
    expect(revoked.body.data?.['accepted']).toMatchObject([{ eventType: 'issues.opened' }])
    expect(await deliver(url, 'hook-secret-1', issue(3))).toBe(401)
    expect(await deliver(url, 'hook-secret-2', issue(4))).toBe(200)
    const patched = await operate('PATCH', path, {
      body: { events: ['issues.closed'], requestsPerMinute: 60 },
      etag: revoked.etag,
    })
    expect(patched).toMatchObject({
      status: 200,
      body: { data: { events: ['issues.closed'], requestsPerMinute: 60, scheme: 'github' } },
    })
    const behind = await operate('PATCH', path, { body: { events: [] }, etag: revoked.etag })
    expect(behind).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } })
    const shown = await operate('GET', path)
    expect(shown.body.data).toMatchObject({ events: ['issues.closed'], forward: 'inbound' })
    expect(shown.body.data?.secrets).toHaveLength(2)
    expect(JSON.stringify([made, added, revoked, shown])).not.toContain('hook-secret')
    expect((await operate('DELETE', path)).status).toBe(200)
    expect(await deliver(url, 'hook-secret-2', issue(5))).toBe(404)
  })

  test('lists, shows and replays what came in', async () => {
    const made = await operate('POST', 'webhook-registrations', { body: wanted })
    const { id: registrationId = '', url = '' } = made.body.data ?? {}
    for (const one of [1, 2, 3]) await deliver(url, 'hook-secret-1', issue(one))
    const listed = await operate('GET', `deliveries?registrationId=${registrationId}&limit=2`)
    expect(listed.body).toMatchObject({
      data: [{ entityId: '3' }, { entityId: '2' }],
      pagination: { limit: 2 },
    })
    const { nextCursor } = (listed.body as unknown as { pagination: { nextCursor: string } })
      .pagination
    const next = await operate(
      'GET',
      `deliveries?registrationId=${registrationId}&limit=2&cursor=${nextCursor}`,
    )
    expect(next.body).toMatchObject({ data: [{ entityId: '1' }] })
    const [{ id }] = listed.body.data as unknown as [{ id: string }]
    const shown = await operate('GET', `deliveries/${id}`)
    expect(shown.body.data).toMatchObject({ content: { issue: { id: 3, token: '[removed]' } } })
    const dry = await operate('POST', `deliveries/${id}/replay`, { body: { dryRun: true } })
    expect(dry).toMatchObject({ status: 200, body: { data: { messages: 0, quarantined: 0 } } })
    const many = await operate('POST', 'deliveries/replay', {
      body: { filter: { registrationId }, dryRun: true },
    })
    expect(many.body.data).toHaveLength(3)
  })

  test.for<[string, string, string, number, Parameters<typeof operate>[2]]>([
    ['a viewer changes', 'POST', 'webhook-registrations', 403, { role: 'viewer', body: wanted }],
    [
      'an operator changes',
      'POST',
      'webhook-registrations',
      403,
      { role: 'operator', body: wanted },
    ],
    ['another tenant reads', 'GET', 'webhook-registrations/reg-123', 404, { tenant: 'other' }],
    ['another tenant retires', 'DELETE', 'webhook-registrations/reg-123', 404, { tenant: 'other' }],
    [
      'a connection that there is not',
      'POST',
      'webhook-registrations',
      404,
      { body: { ...wanted, connectionId: 'x' } },
    ],
    [
      'a scheme that there is not',
      'POST',
      'webhook-registrations',
      400,
      { body: { ...wanted, scheme: 'constructor' } },
    ],
    ['no secret', 'POST', 'webhook-registrations', 400, { body: { ...wanted, secret: undefined } }],
    [
      'a key that is none',
      'POST',
      'webhook-registrations',
      400,
      { body: { ...wanted, scheme: 'discord' } },
    ],
    [
      'a generic scheme that proves nothing',
      'POST',
      'webhook-registrations',
      400,
      { body: { ...wanted, scheme: 'generic', configuration: {} } },
    ],
    [
      'a change of whose registration it is',
      'PATCH',
      'webhook-registrations/reg-123',
      400,
      { body: { connectionId: 'other' } },
    ],
    [
      'a secret among what is expected',
      'PATCH',
      'webhook-registrations/reg-123',
      400,
      { body: { expected: { verifyToken: 'a secret' } } },
    ],
    [
      'another tenant changes',
      'PATCH',
      'webhook-registrations/reg-123',
      404,
      { tenant: 'other', body: { events: [] } },
    ],
    ['a cursor of nobody', 'GET', 'deliveries?cursor=x', 400, {}],
    ['a delivery that there is not', 'GET', 'deliveries/x', 404, {}],
  ])('refuses when %s', async ([, method, path, status, more]) => {
    const answer = await operate(method, path, more)
    expect(answer).toMatchObject({
      status,
      body: { success: false, error: { code: expect.any(String) } },
    })
  })

  test('another tenant sees no deliveries', async () => {
    expect((await operate('GET', 'deliveries', { tenant: 'other' })).body.data).toEqual([])
  })
})

test('a large webhook is kept as a blob and can be shown', async () => {
  const text = 'x'.repeat(200_000)
  expect(
    (await post(JSON.stringify({ ...JSON.parse(opportunity), eventId: 'large', text }))).status,
  ).toBe(200)
  const listed = await operate('GET', `deliveries?registrationId=${demo.registrationId}&limit=1`)
  const [{ id }] = listed.body.data as unknown as [{ id: string }]
  const shown = await operate('GET', `deliveries/${id}`)
  expect(shown.body.data).toMatchObject({ content: { eventId: 'large', text } })
})

test('every minute a timer sends what waited for its queue and tells what nobody told', async () => {
  const { stack } = running
  const at = '2026-01-01T00:00:00.000Z'
  const common = { tenantId: demo.tenantId, connectionId: demo.connectionId, receivedAt: at }
  // As instances leave them that found the queue away, or died.
  await storeDocument(stack, 'deliveries', {
    ...common,
    id: 'delivery-pending',
    registrationId: demo.registrationId,
    status: 'pending',
    queued: false,
    ttl: -1,
    outbox: [{ queue: 'outbound', id: 'event-waited', body: { hello: 'again' } }],
  })
  await storeDocument(stack, 'deliveries', {
    id: 'delivery-untold',
    registrationId: 'servicenow-webhook',
    receivedAt: at,
    status: 'received',
    claimedUntil: at,
    untold: { userId: 'u1', notification: { type: 'incident_assigned', title: 't', body: 'b' } },
  })
  await fireTimer(running, functions, 'WebhookRelay')
  using client = cosmosClient(stack)
  const container = client
    .database(topology.database)
    .container(topology.containers.deliveries.name)
  const read = async (id: string, partition: string) =>
    (await container.item(id, partition).read<{ status: string; outbox?: unknown }>()).resource
  const ended = async () => [
    (await read('delivery-pending', demo.registrationId))?.status,
    (await read('delivery-untold', 'servicenow-webhook'))?.status,
  ]
  while ((await ended()).join() !== 'queued,notified') await delay(50)
  expect(await read('delivery-pending', demo.registrationId)).not.toHaveProperty('outbox')
  expect(await read('delivery-untold', 'servicenow-webhook')).not.toHaveProperty('untold')
}, 30_000)

test('a subscription is asked for, and people see what became of it', async () => {
  const body = {
    connectionId: demo.connectionId,
    scheme: 'microsoft-graph',
    secret: 'client-state',
  }
  const made = await operate('POST', 'webhook-registrations', { body })
  const path = `webhook-registrations/${made.body.data?.id}/subscription`
  expect((await operate('GET', path)).status).toBe(404)
  const wanted = { resource: 'users/1/messages' }
  const asked = await operate('PUT', path, { body: wanted })
  expect(asked).toMatchObject({ status: 202, body: { data: { subscriptionId: null } } })
  await fireTimer(running, functions, 'WebhookRelay')
  // The demo's connection is no Graph: it says so.
  const seen = async () => (await operate('GET', path)).body.data?.['attempts']
  while ((await seen()) !== 1) await delay(50)
  expect((await operate('PUT', path, { body: wanted, tenant: 'other' })).status).toBe(404)
  const other = `webhook-registrations/${demo.registrationId}/subscription`
  expect((await operate('PUT', other, { body: wanted })).status).toBe(400)
  expect((await operate('GET', 'webhook-registrations')).status).toBe(200)
}, 30_000)

test('a vendor that looks with HEAD is answered, if anybody has registered it', async () => {
  const body = { connectionId: demo.connectionId, scheme: 'trello', secret: 'trello-secret' }
  const made = await operate('POST', 'webhook-registrations', { body })
  const look = async (id: unknown) =>
    (await fetch(`${functions.url}/webhooks/${String(id)}/events`, { method: 'HEAD' })).status
  expect(await look(made.body.data?.id)).toBe(200)
  expect(await look(demo.registrationId)).toBe(405)
  expect(await look('reg-999')).toBe(404)
})

test('an event that is forwarded to the outbound queue has the connection told what it was not told yet', async () => {
  await using own = await startRunning({ serviceNow: { count: 1 } })
  const { stack } = own
  const { tenantId, connectionId, entityType, integrationId } = demo
  const common = { tenantId, integrationId, connectionId, entityType }
  const task = { id: demo.taskId, syncMode: 'bidirectional', schedule: '0 0 * * * *' }
  await seedTask(stack, { ...common, ...task })
  const registration = { id: 'reg-out', connectionId, scheme: 'servicenow', secret: 'out-secret' }
  await seedRegistration(stack, { ...registration, forward: 'outbound' })
  await using started = await own.startFunctions()
  await fireTimer(own, started, 'SyncScheduler')
  using client = cosmosClient(stack)
  const shards = client.database(topology.database).container(topology.containers.shards.name)
  const query = "SELECT * FROM c WHERE c.kind = 'record'"
  const found = () =>
    shards.items
      .query<{ id: string; fields: object; links: object }>(query, {
        partitionKey: [tenantId, entityType],
      })
      .fetchAll()
  while ((await found()).resources.length === 0) await delay(50)
  const [record] = (await found()).resources
  if (!record) throw new Error('there is no record')
  // As a worker leaves it that dies before its message is sent.
  const fields = { ...record.fields, shortDescription: 'not told yet' }
  await shards.items.upsert({ ...record, fields, pending: [connectionId] })
  const { control } = stack.serviceNow
  const row = control.rows('incident')[0]
  const body = JSON.stringify({
    event_type: 'incident.updated',
    table: 'incident',
    operation: 'update',
    record: { sys_id: row?.['sys_id'], sys_updated_on: '2026-11-20 12:00:00', sys_mod_count: '9' },
  })
  const stamp = String(Math.floor(Date.now() / 1_000))
  const mac = createHmac('sha256', 'out-secret').update(`${stamp}.evt-out.${body}`)
  const answer = await fetch(`${started.url}/webhooks/reg-out/events`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-snow-timestamp': stamp,
      'x-snow-event-id': 'evt-out',
      'x-snow-signature': `sha256=${mac.digest('base64')}`,
    },
    body,
  })
  expect([answer.status, await answer.json()]).toMatchObject([200, { synced: true }])
  while (control.rows('incident')[0]?.['short_description'] !== 'not told yet') await delay(50)
}, 60_000)
