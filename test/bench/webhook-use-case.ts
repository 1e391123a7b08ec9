import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Collection, Document } from '../../src/core/collection.ts'
import type { Queue } from '../../src/core/queue.ts'
import { limiter } from '../../src/rate-limit/limiter.ts'
import { limitOverridesShape } from '../../src/rate-limit/limits.ts'
import { openWebhookReceiver } from '../../src/webhooks/receive.ts'
import type { Delivery } from '../../src/webhooks/delivery.ts'
import type { Registration, SecretUsage } from '../../src/webhooks/registration.ts'
import type { Standing } from '../../src/webhooks/standing.ts'
import type { Subscription } from '../../src/webhooks/subscription.ts'
import { schemes } from '../../src/webhooks/schemes.ts'
import { sign } from '../../src/webhooks/sign.ts'
import type { Bench } from './harness.ts'
import { quantile } from './harness.ts'

const CALLS = 60_000
const WARM_UP = 10_000

const real = path.join(
  import.meta.dirname,
  '../../../shared/data/bench/incident_webhooks_2000.json.gz',
)

/** Real incidents in the shape of the business rule's post where they are at hand, else made up; about 3 kB each. */
export function incidentBodies(): readonly string[] {
  if (existsSync(real)) {
    return JSON.parse(gunzipSync(readFileSync(real)).toString('utf8')) as string[] // a list of texts
  }
  return Array.from({ length: 500 }, (_, index) =>
    JSON.stringify({
      event_type: 'incident.updated',
      table: 'incident',
      operation: 'update',
      record: {
        sys_id: `incident-${index}`,
        sys_updated_on: '2026-11-20 12:00:00',
        sys_mod_count: String(index),
        description: 'x'.repeat(2_500),
      },
    }),
  )
}

/** The whole use case, from raw bytes to receipt, with ports that keep nothing: what our own code costs. */
export const webhookUseCase: Bench = {
  name: 'webhook-use-case',
  summary: `${CALLS} signed webhooks of about 3 kB through the use case, ports in memory, one core`,
  run: async (progress) => {
    const secret = 'topsecret'
    const registration: Registration = {
      id: 'reg-1',
      registrationId: 'reg-1',
      tenantId: 't',
      connectionId: 'c',
      integrationId: 'servicenow',
      scheme: 'servicenow',
      state: 'active',
      forward: 'inbound',
      maxBodyBytes: 1024 * 1024,
      requestsPerMinute: 600_000_000,
      expected: {},
      secrets: [{ id: 's1', purpose: 'signing', createdAt: '' }],
      createdAt: '',
    }
    let sent = 0
    const limits = limiter({
      shared: undefined,
      overrides: limitOverridesShape.parse({ incoming: { webhooks: { tenant: 1_000_000 } } }),
      partAlone: 1,
      clock: () => new Date(),
      sleep: async () => {},
      log: { info() {}, warn() {}, error() {}, metric() {} },
    })
    const receiver = openWebhookReceiver({
      registrations: keepingNothing(registration),
      usage: keepingNothing<SecretUsage>(),
      subscriptions: keepingNothing<Subscription>(),
      standings: keepingNothing<Standing>(),
      deliveries: keepingNothing<Delivery>(),
      inbound: countingQueue((count) => (sent += count)),
      outbound: countingQueue(() => {}),
      vault: {
        get: async () => secret,
        latest: async () => undefined,
        set: async () => '',
        remove: async () => {},
        ping: async () => {},
      },
      blobs: { put: async () => {}, get: async () => undefined },
      admit: async ({ id, tenantId, requestsPerMinute }) => {
        const decision = await limits.admit({
          endpoint: 'webhooks',
          registration: id,
          registrationPerMinute: requestsPerMinute,
          tenantId,
        })
        return decision.kind === 'allowed' ? 0 : decision.waitMs
      },
      targetsOf: async () => [
        {
          taskId: 'task',
          entityType: 'incident',
          integrationId: 'servicenow',
          syncMode: 'pull',
          priority: 'normal',
        },
      ],
      fetch,
      publicUrl: 'https://hooks.example.com',
      clock: () => new Date(),
      log: { info() {}, warn() {}, error() {}, metric() {} },
    })
    const bodies = incidentBodies()
    const calls = bodies.map((body, index) => {
      const { headers, rawBody } = sign(schemes.servicenow, {
        method: 'POST',
        url: 'https://hooks.example.com/webhooks/reg-1/events',
        headers: { 'content-type': 'application/json', 'x-snow-event-id': `evt-${index}` },
        rawBody: Buffer.from(body),
        now: new Date(),
        secret,
      })
      return {
        registrationId: 'reg-1',
        method: 'POST',
        target: '/webhooks/reg-1/events',
        headers,
        sourceIp: '203.0.113.7',
        readBody: async () => rawBody,
      }
    })
    progress(`${CALLS} calls, one after another`)
    const took = new Float64Array(CALLS)
    let startedAt = performance.now()
    let usedBefore = process.cpuUsage()
    for (let index = -WARM_UP; index < CALLS; index += 1) {
      if (index === 0) {
        sent = 0
        startedAt = performance.now()
        usedBefore = process.cpuUsage()
      }
      const call = calls[(index + WARM_UP) % calls.length]
      if (!call) throw new Error('there are no bodies')
      const before = performance.now()
      const receipt = await receiver.receive(call)
      if (index >= 0) took[index] = performance.now() - before
      if (receipt.kind !== 'accepted') throw new Error(`a call was ${receipt.kind}`)
    }
    const seconds = (performance.now() - startedAt) / 1_000
    const { user, system } = process.cpuUsage(usedBefore)
    if (sent !== CALLS) throw new Error(`${sent} of ${CALLS} events were handed over`)
    return [
      { name: 'webhook_use_case', value: CALLS / seconds, unit: 'calls/s' },
      // On a machine that has other things to do this is what one core could.
      {
        name: 'webhook_use_case_core',
        value: (CALLS * 1e6) / (user + system),
        unit: 'calls/s of a core',
      },
      { name: 'webhook_use_case_p99', value: quantile([...took], 0.99), unit: 'ms' },
    ]
  },
}

function keepingNothing<T extends Document>(document?: T): Collection<T> {
  return {
    get: async () => document && { document, etag: '1' },
    getMany: async () => [],
    // oxlint-disable-next-line eslint/require-yield -- nothing is kept
    query: async function* () {},
    write: async (_partition, writes) => ({ committed: true, etags: writes.map(() => '1') }),
    ping: async () => {},
  }
}

function countingQueue(count: (messages: number) => void): Queue {
  return { send: async (messages) => count(messages.length), ping: async () => {} }
}
