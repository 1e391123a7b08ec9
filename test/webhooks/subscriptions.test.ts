import { expect, test } from 'vitest'
import { AppError } from '../../src/core/errors.ts'
import { HOUR_MS, MINUTE_MS } from '../../src/core/time.ts'
import { graphSubscriber } from '../../src/webhooks/graph-subscriber.ts'
import { keepSubscriptions, noteLifecycle, subscribe } from '../../src/webhooks/subscriptions.ts'
import { calling, incidentTarget, registration, world } from './receiver-world.ts'

const target = { ...incidentTarget, entityType: 'message', integrationId: 'microsoft-graph' }
const DAY_MS = 24 * HOUR_MS

/** A Graph that keeps subscriptions until they run out. */
function graph(now: () => Date) {
  const alive = new Map<string, { expirationDateTime: string }>()
  const calls: string[] = []
  const bodies: Record<string, unknown>[] = []
  let serial = 0
  let isAway = false
  const answer = (id: string, expirationDateTime: string) => {
    alive.set(id, { expirationDateTime })
    return Response.json({ id, expirationDateTime })
  }
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    const method = init?.method ?? 'GET'
    calls.push(`${method} ${url.pathname}`)
    if (isAway) throw new TypeError('fetch failed')
    const text = typeof init?.body === 'string' ? init.body : '{}'
    const body = JSON.parse(text) as Record<string, string> // our own
    bodies.push(body)
    for (const [id, { expirationDateTime }] of alive) {
      if (new Date(expirationDateTime) <= now()) alive.delete(id)
    }
    const until = body['expirationDateTime'] ?? ''
    if (method === 'POST') return answer(`sub-${(serial += 1)}`, until)
    const id = url.pathname.split('/').at(-1) ?? ''
    return alive.has(id) ? answer(id, until) : new Response('{}', { status: 404 })
  }
  return { alive, calls, bodies, fetch, away: (value: boolean) => (isAway = value) }
}

async function subscribed() {
  const here = await world({ scheme: 'microsoft-graph' }, [target])
  const vendor = graph(here.now)
  const subscriber = graphSubscriber({
    fetch: vendor.fetch,
    accessOf: async () => ({
      origin: 'https://graph.example.com',
      headers: { authorization: 'Bearer t' },
    }),
  })
  const ports = { ...here.ports, subscriber, random: () => 0.5 }
  await subscribe(
    ports,
    { tenantId: registration.tenantId, id: registration.id },
    { resource: 'users/1/messages', changeType: 'created', lifetimeMinutes: 4_230 },
  )
  const keep = () => keepSubscriptions(ports)
  /** The timer, every ten minutes. */
  const run = async (ms: number) => {
    for (let left = ms; left > 0; left -= 10 * MINUTE_MS) {
      here.advance(10 * MINUTE_MS)
      await keep()
    }
  }
  const alerts = () => here.lines.filter((line) => line.startsWith('error webhook subscription'))
  const stored = () => here.subscriptions.all()[0]
  return { here, vendor, ports, keep, run, alerts, stored }
}

test('a subscription is made with our address and secret, and renewed long before it ends', async () => {
  const { here, vendor, keep, run, alerts, stored } = await subscribed()
  expect(await keep()).toBe(1)
  expect(vendor.bodies).toEqual([
    {
      changeType: 'created',
      resource: 'users/1/messages',
      notificationUrl: 'https://hooks.example.com/webhooks/reg-1/events',
      lifecycleNotificationUrl: 'https://hooks.example.com/webhooks/reg-1/events',
      expirationDateTime: new Date(here.now().getTime() + 4_230 * MINUTE_MS).toISOString(),
      clientState: 'topsecret',
    },
  ])
  await run(30 * DAY_MS)
  expect(vendor.calls.filter((call) => call.startsWith('POST'))).toHaveLength(1)
  expect(vendor.calls.length).toBeLessThan(14)
  expect([...vendor.alive.keys()]).toEqual(['sub-1'])
  expect(stored()).toMatchObject({ subscriptionId: 'sub-1', gaps: [] })
  expect([alerts(), here.inbound.waiting]).toEqual([[], []])
  expect(JSON.stringify(here.subscriptions.all())).not.toContain('topsecret')
})

test('S14: one that runs out while the vendor is away is made anew, the gap is marked, read again and told of once', async () => {
  const { here, vendor, keep, run, alerts, stored } = await subscribed()
  await keep()
  const endedAt = stored()?.expiresAt
  await run(2 * DAY_MS)
  vendor.away(true)
  await run(2 * DAY_MS)
  expect(alerts()).toHaveLength(1)
  expect(here.inbound.waiting).toEqual([])
  vendor.away(false)
  await run(HOUR_MS)
  expect([...vendor.alive.keys()]).toEqual(['sub-2'])
  const { confirmedAt, gaps, alertedAt } = stored() ?? {}
  expect(gaps).toEqual([{ from: endedAt, to: confirmedAt }])
  expect(alertedAt).toBeNull()
  expect(here.inbound.waiting).toMatchObject([
    { body: { taskId: 'task-1', record: { entityType: 'message' } } },
  ])
  await run(DAY_MS)
  expect(alerts()).toHaveLength(1)
  expect(here.inbound.waiting).toHaveLength(1)
})

test('S14: one that runs out while we are away is found expired, with its gap, and told of once', async () => {
  const { here, keep, run, alerts, stored } = await subscribed()
  await keep()
  const endedAt = stored()?.expiresAt
  here.advance(5 * DAY_MS)
  await keep()
  expect(stored()).toMatchObject({
    subscriptionId: 'sub-2',
    gaps: [{ from: endedAt, to: here.now().toISOString() }],
  })
  await run(DAY_MS)
  expect(alerts()).toHaveLength(1)
  expect(here.inbound.waiting).toHaveLength(1)
})

test('what may be missing is asked for before it is written that nothing is missing any more', async () => {
  const { here, keep, stored } = await subscribed()
  await keep()
  here.advance(5 * DAY_MS)
  here.inbound.goAway()
  await keep()
  expect(stored()?.gaps).toEqual([])
  delete here.inbound.before
  here.advance(10 * MINUTE_MS)
  await keep()
  expect(stored()?.gaps).toHaveLength(1)
  expect(here.inbound.waiting).toHaveLength(1)
})

test('S14: what was missed by one that could not be written down is asked for again, and not taken for the same question', async () => {
  const { here, keep } = await subscribed()
  await keep()
  here.advance(5 * DAY_MS)
  let writes = 0
  here.subscriptions.before = (operation) => {
    writes += operation === 'write' ? 1 : 0
    if (writes === 2) throw new AppError('store_unavailable', 'it is away')
  }
  await keep()
  delete here.subscriptions.before
  expect(here.inbound.waiting).toHaveLength(1)
  here.advance(5 * DAY_MS)
  await keep()
  expect(here.inbound.waiting).toHaveLength(2)
})

test('S14: an alert that could not be written down is given once all the same', async () => {
  const { here, ports, alerts } = await subscribed()
  const renew = async () => {
    // The vendor tells of it in the very moment in which it cannot be renewed.
    await noteLifecycle(ports, 'reg-1', { subscriptionId: 'sub-1', what: 'renew' })
    return { kind: 'failed', reason: 'it is away' } as const
  }
  await keepSubscriptions(ports)
  const failing = { ...ports, subscriber: { renew, create: renew } }
  here.advance(5 * DAY_MS)
  await keepSubscriptions(failing)
  expect(alerts()).toEqual([])
  const away = async () => ({ kind: 'failed', reason: 'it is away' }) as const
  const later = { ...ports, subscriber: { renew: away, create: away } }
  for (let times = 0; times < 3; times += 1) {
    here.advance(HOUR_MS)
    await keepSubscriptions(later)
  }
  expect(alerts()).toHaveLength(1)
})

test('of two timers at the same moment one renews', async () => {
  const { vendor, keep } = await subscribed()
  await Promise.all([keep(), keep()])
  expect(vendor.calls).toHaveLength(1)
})

test('the subscription of a retired registration is forgotten', async () => {
  const { here, vendor, keep } = await subscribed()
  await here.register({ ...here.registration, state: 'retired' }, {})
  expect(await keep()).toBe(0)
  expect([vendor.calls, here.subscriptions.all()]).toEqual([[], []])
})

test('another scheme knows no subscriptions', async () => {
  const here = await world()
  const wanted = { resource: 'r', changeType: 'created', lifetimeMinutes: 60 }
  await expect(
    subscribe(here.ports, { tenantId: 'tenant-1', id: 'reg-1' }, wanted),
  ).rejects.toMatchObject({ code: 'bad_request' })
})

const lifecycle = (event: string, subscriptionId = 'sub-1') =>
  calling(JSON.stringify({ value: [{ lifecycleEvent: event, subscriptionId }] }), {
    scheme: 'microsoft-graph',
  })

test('S14: told that something was missed, it marks the gap and reads again', async () => {
  const { here, keep, stored } = await subscribed()
  await keep()
  const from = here.now().toISOString()
  here.advance(HOUR_MS)
  await here.receive(lifecycle('missed'))
  expect(stored()?.gaps).toEqual([{ from, to: here.now().toISOString() }])
  expect(here.inbound.waiting).toMatchObject([{ body: { record: { entityType: 'message' } } }])
})

test('told that it was removed, the next turn makes it anew; told so again of the old one, it stays', async () => {
  const { here, vendor, keep, stored } = await subscribed()
  await keep()
  here.advance(HOUR_MS)
  await here.receive(lifecycle('subscriptionRemoved'))
  await keep()
  expect(stored()).toMatchObject({ subscriptionId: 'sub-2', gaps: [{}] })
  await here.receive(lifecycle('subscriptionRemoved'))
  await keep()
  expect(stored()).toMatchObject({ subscriptionId: 'sub-2', gaps: [{}] })
  expect(vendor.calls.filter((call) => call.startsWith('POST'))).toHaveLength(2)
})

test('told that it must be authorized again, the next turn renews it', async () => {
  const { here, vendor, keep } = await subscribed()
  await keep()
  here.advance(HOUR_MS)
  await here.receive(lifecycle('reauthorizationRequired'))
  await keep()
  expect(vendor.calls).toEqual(['POST /v1.0/subscriptions', 'PATCH /v1.0/subscriptions/sub-1'])
  expect(here.inbound.waiting).toEqual([])
})

test('a lifecycle that cannot be noted is not answered 2xx', async () => {
  const { here, keep, ports } = await subscribed()
  await keep()
  here.subscriptions.goAway()
  await expect(here.receive(lifecycle('missed'))).rejects.toMatchObject({
    code: 'store_unavailable',
  })
  delete here.subscriptions.before
  await noteLifecycle(ports, 'reg-unknown', { subscriptionId: 'x', what: 'renew' })
})
