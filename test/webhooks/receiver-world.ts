import type { Log } from '../../src/core/log.ts'
import type { IncomingWebhook } from '../../src/webhooks/call.ts'
import type { Delivery } from '../../src/webhooks/delivery.ts'
import type { SyncTarget } from '../../src/webhooks/hand-over.ts'
import { limiter } from '../../src/rate-limit/limiter.ts'
import { limitOverridesShape } from '../../src/rate-limit/limits.ts'
import type { WebhookPorts } from '../../src/webhooks/ports.ts'
import { openWebhookReceiver } from '../../src/webhooks/receive.ts'
import { secretName, type Registration, type SecretUsage } from '../../src/webhooks/registration.ts'
import type { Standing } from '../../src/webhooks/standing.ts'
import type { Subscription } from '../../src/webhooks/subscription.ts'
import { sign } from '../../src/webhooks/sign.ts'
import { schemeNamed } from '../../src/webhooks/schemes.ts'
import { memoryBlobs } from '../ports/memory-blobs.ts'
import { memoryCollection } from '../ports/memory-collection.ts'
import { memoryQueue } from '../ports/memory-queue.ts'
import { memoryVault } from '../ports/memory-vault.ts'
import { now as start } from './samples.ts'

export const incidentTarget: SyncTarget = {
  taskId: 'task-1',
  entityType: 'incident',
  integrationId: 'servicenow',
  syncMode: 'pull',
  priority: 'normal',
}

export const registration: Registration = {
  id: 'reg-1',
  registrationId: 'reg-1',
  tenantId: 'tenant-1',
  connectionId: 'conn-1',
  integrationId: 'servicenow',
  scheme: 'servicenow',
  state: 'active',
  forward: 'inbound',
  maxBodyBytes: 1_048_576,
  requestsPerMinute: 600_000,
  expected: {},
  secrets: [{ id: 's1', purpose: 'signing', createdAt: start.toISOString() }],
  createdAt: start.toISOString(),
}

/** A receiver whose stores, queues and vault are in memory; `restart` gives another instance on the same ones. */
export async function world(some: Partial<Registration> = {}, targets = [incidentTarget]) {
  const registrations = memoryCollection<Registration>()
  const usage = memoryCollection<SecretUsage>()
  const subscriptions = memoryCollection<Subscription>()
  const standings = memoryCollection<Standing>()
  const deliveries = memoryCollection<Delivery>()
  const inbound = memoryQueue()
  const outbound = memoryQueue()
  const vault = memoryVault()
  const blobs = memoryBlobs()
  const lines: string[] = []
  const fetched: string[] = []
  const answers = new Map<string, unknown>()
  let nowMs = start.getTime()
  const write = (level: string) => (message: string, fields?: object) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
  }
  const log: Log = {
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    metric: (name, value, fields) => write('metric')(`${name}=${value}`, fields),
  }
  const limits = limiter({
    shared: undefined,
    overrides: limitOverridesShape.parse({}),
    partAlone: 1,
    clock: () => new Date(nowMs),
    sleep: () => Promise.resolve(),
    log,
  })
  const ports: WebhookPorts = {
    registrations,
    usage,
    subscriptions,
    standings,
    deliveries,
    inbound,
    outbound,
    vault,
    blobs,
    targetsOf: async () => targets,
    admit: async ({ id, tenantId, requestsPerMinute }) => {
      const decision = await limits.admit({
        endpoint: 'webhooks',
        registration: id,
        registrationPerMinute: requestsPerMinute,
        tenantId,
      })
      return decision.kind === 'allowed' ? 0 : decision.waitMs
    },
    fetch: async (input) => {
      const url = input instanceof Request ? input.url : input.toString()
      fetched.push(url)
      const body = answers.get(url)
      if (body === undefined) throw new TypeError('fetch failed')
      return Response.json(body)
    },
    publicUrl: 'https://hooks.example.com',
    clock: () => new Date(nowMs),
    log,
  }
  let receiver = openWebhookReceiver(ports)
  const own: Registration = { ...registration, ...some }
  const here = {
    ports,
    registrations,
    usage,
    subscriptions,
    standings,
    deliveries,
    inbound,
    outbound,
    vault,
    blobs,
    lines,
    fetched,
    answers,
    registration: own,
    now: () => new Date(nowMs),
    advance: (ms: number) => {
      nowMs += ms
    },
    restart: () => {
      receiver = openWebhookReceiver(ports)
    },
    another: () => openWebhookReceiver(ports),
    register: async (document: Registration, secrets: Readonly<Record<string, string>>) => {
      await registrations.write([document.id], [{ kind: 'upsert', document }])
      for (const [id, value] of Object.entries(secrets)) {
        await vault.set(secretName(document.id, id), value)
      }
    },
    receive: (incoming: IncomingWebhook) => receiver.receive(incoming),
    relay: () => receiver.relay(),
    flush: () => receiver.flush(),
    forget: () => receiver.forget(own.id),
    /** The record of a delivery, not those of refusals and duplicates. */
    records: (status?: Delivery['status']) =>
      deliveries.all().filter((one) => status === undefined || one.status === status),
  }
  await here.register(own, { s1: SECRET })
  return here
}

export const SECRET = 'topsecret'

export interface Sending {
  readonly scheme?: string
  readonly secret?: string
  readonly id?: string
  readonly registrationId?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly now?: Date
  readonly target?: string
  readonly method?: string
}

/** A call as a sender of the scheme makes it. */
export function calling(body: string | Uint8Array, more: Sending = {}): IncomingWebhook {
  const { scheme = 'servicenow', secret = SECRET, id = 'evt-1', registrationId = 'reg-1' } = more
  const { target = `/webhooks/${registrationId}/events`, method = 'POST', now = start } = more
  const entry = schemeNamed(scheme)
  if (!entry) throw new Error(`no scheme ${scheme}`)
  const idHeaders = (entry.id ?? []).flatMap((place) =>
    place.in === 'header' ? [[place.name, id] as const] : [],
  )
  const signed = sign(entry, {
    method,
    url: `https://hooks.example.com${target}`,
    headers: {
      'content-type': 'application/json',
      ...Object.fromEntries(idHeaders),
      ...more.headers,
    },
    rawBody: Buffer.from(body),
    now,
    secret,
  })
  return incoming(signed.rawBody, {
    registrationId,
    method,
    target: signed.url.replace('https://hooks.example.com', ''),
    headers: signed.headers,
  })
}

export function incoming(
  rawBody: Uint8Array,
  call: Partial<Omit<IncomingWebhook, 'readBody'>>,
): IncomingWebhook {
  return {
    registrationId: 'reg-1',
    method: 'POST',
    target: '/webhooks/reg-1/events',
    headers: {},
    sourceIp: '203.0.113.7',
    ...call,
    readBody: async () => rawBody,
  }
}

/** What the business rule posts about an incident. */
export function incidentEvent(sysId: string, more: object = {}): string {
  return JSON.stringify({
    event_type: 'incident.updated',
    table: 'incident',
    operation: 'update',
    record: {
      sys_id: sysId,
      number: 'INC1',
      sys_updated_on: '2026-11-20 11:59:58',
      sys_mod_count: '3',
    },
    timestamp: start.toISOString(),
    ...more,
  })
}
