import { createHmac, timingSafeEqual } from 'node:crypto'
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
import { beside, quantile, type Bench } from './harness.ts'

const CALLS = 12_000

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
  summary: `${CALLS} signed webhooks of about 3 kB a round through the use case, ports in memory, beside HMAC and parse`,
  run: async (progress, rounds) => {
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
    const ours = async (call: (typeof calls)[number]) => {
      const receipt = await receiver.receive(call)
      if (receipt.kind !== 'accepted') throw new Error(`a call was ${receipt.kind}`)
    }
    const pairs: { readonly ours: Driven; readonly floor: Driven }[] = []
    // The first round warms both up.
    for (let round = 0; round <= rounds; round += 1) {
      progress(round === 0 ? 'warming up' : `round ${round} of ${rounds}`)
      sent = 0
      const pair = { ours: await drive(calls, ours), floor: await drive(calls, bareCheck(secret)) }
      if (sent !== CALLS) throw new Error(`${sent} of ${CALLS} events were handed over`)
      if (round > 0) pairs.push(pair)
    }
    const both = (name: string, unit: string, part: keyof Driven) =>
      beside(
        { name, unit },
        {
          values: pairs.map((pair) => pair.ours[part]),
          floors: pairs.map((pair) => pair.floor[part]),
        },
      )
    return [
      both('webhook_use_case', 'calls/s', 'perSecond'),
      // On a machine that has other things to do this is what one core could.
      both('webhook_use_case_core', 'us of a core', 'coreUs'),
      both('webhook_use_case_p99', 'ms', 'p99'),
    ]
  },
}

interface Call {
  readonly headers: Readonly<Record<string, string>>
  readonly readBody: () => Promise<Uint8Array>
}

interface Driven {
  readonly perSecond: number
  /** Microseconds of the processor for a call. */
  readonly coreUs: number
  readonly p99: number
}

/** So many calls, one after another. */
async function drive<C extends Call>(
  calls: readonly C[],
  work: (call: C) => Promise<void>,
): Promise<Driven> {
  const took = new Float64Array(CALLS)
  const usedBefore = process.cpuUsage()
  const startedAt = performance.now()
  for (let index = 0; index < CALLS; index += 1) {
    const call = calls[index % calls.length]
    if (!call) throw new Error('there are no bodies')
    const before = performance.now()
    await work(call)
    took[index] = performance.now() - before
  }
  const seconds = (performance.now() - startedAt) / 1_000
  const { user, system } = process.cpuUsage(usedBefore)
  return {
    perSecond: CALLS / seconds,
    coreUs: (user + system) / CALLS,
    p99: quantile([...took], 0.99),
  }
}

/** What no receiver can do without: the signature of the raw bytes checked in constant time, and the body parsed. */
function bareCheck(secret: string) {
  return async ({ headers, readBody }: Call): Promise<void> => {
    const body = await readBody()
    const given = Buffer.from((headers['x-snow-signature'] ?? '').replace('sha256=', ''), 'base64')
    const made = createHmac('sha256', secret)
      .update(`${headers['x-snow-timestamp']}.${headers['x-snow-event-id']}.`)
      .update(body)
      .digest()
    if (given.length !== made.length || !timingSafeEqual(given, made)) throw new Error('not signed')
    JSON.parse(Buffer.from(body).toString('utf8'))
  }
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
