import { z } from 'zod'
import { MINUTE_MS } from '../core/time.ts'
import type { Gate, Take } from './bucket.ts'
import { key, perMinute, type Share } from './gates.ts'

/** Calls per minute that we answer. Whoever sends more gets 429. */
export const incomingLimits = {
  'servicenow-webhook': { source: 6_000, registration: 12_000, tenant: 6_000, user: 600 },
  // What a registration may do stands in its own document.
  webhooks: { source: 60_000, registration: 6_000, tenant: 300_000, user: 300_000 },
  'oauth-refresh': { source: 600, registration: 12_000, tenant: 5_000, user: 30 },
  'signalr-negotiate': { source: 600, registration: 12_000, tenant: 5_000, user: 60 },
  /** Operators, and people who connect something. */
  management: { source: 3_000, registration: 12_000, tenant: 5_000, user: 1_200 },
} as const
export type Endpoint = keyof typeof incomingLimits

const levelsShape = z
  .strictObject({ source: perMinute, registration: perMinute, tenant: perMinute, user: perMinute })
  .partial()
export const incomingShape = z
  .strictObject({
    'servicenow-webhook': levelsShape,
    webhooks: levelsShape,
    'oauth-refresh': levelsShape,
    'signalr-negotiate': levelsShape,
    management: levelsShape,
  } satisfies Record<Endpoint, z.ZodType>)
  .partial()
  .default({})
export type IncomingOverrides = z.infer<typeof incomingShape>

/** Callers come in bursts: after a quiet time half of a minute's calls may come at once, ahead of the pace. */
const INCOMING_BURST = 0.5

export interface IncomingCall {
  readonly endpoint: Endpoint
  /** The caller's address; null where no front end tells it. */
  readonly source?: string | null
  /** The function, or what is registered behind it. */
  readonly registration?: string
  /** What the registration's own document allows it. */
  readonly registrationPerMinute?: number
  readonly tenantId?: string
  readonly userId?: string
}

/** Everything that a call from outside has to pass, as far as is known of it yet. */
export function takeIncoming(call: IncomingCall, overrides: IncomingOverrides, share: Share): Take {
  const { endpoint, source, registration, registrationPerMinute, tenantId, userId } = call
  const own = overrides[endpoint] ?? {}
  const limitOf = (level: keyof typeof own) => own[level] ?? incomingLimits[endpoint][level]
  const rows: readonly (readonly [string, number, readonly (string | null | undefined)[]])[] = [
    ['source', limitOf('source'), [source]],
    ['registration', registrationPerMinute ?? limitOf('registration'), [registration]],
    ['tenant', limitOf('tenant'), [tenantId]],
    ['user', limitOf('user'), [tenantId, userId]],
  ]
  const gates: Gate[] = rows.flatMap(([level, limit, parts]) => {
    const known = parts.filter((part) => typeof part === 'string')
    if (known.length < parts.length) return []
    const most = limit * share.part
    return {
      kind: 'pace',
      level,
      key: key('in', level, endpoint, ...known),
      intervalMs: MINUTE_MS / most,
      allowance: Math.max(1, most * INCOMING_BURST),
      shared: false,
      learns: false,
    }
  })
  const none = key('in', '-')
  return {
    gates,
    keys: { learned: none, queue: none, sharedQueue: none, share: none, contenders: none },
    tenant: '',
    cost: 1,
    patienceMs: 0,
    queues: false,
  }
}
