import { z } from 'zod'
import { MINUTE_MS } from '../core/time.ts'
import type { BudgetGate, Gate, PaceGate, Take, TakeKeys } from './bucket.ts'

export type Operation = 'fetch' | 'update' | 'create'
export type Lane = 'person' | 'webhook' | 'incremental' | 'backfill'

const DAY_MS = 24 * 60 * MINUTE_MS

const perMinute = z.number().int().min(1).max(1_000_000)

/** The limits of one integration: calls per minute, and per day of the UTC clock. */
const integrationShape = z.strictObject({
  /** Of all tenants together. */
  integration: perMinute,
  /** Of all tenants together, by kind of call. */
  operations: z.strictObject({ fetch: perMinute, update: perMinute, create: perMinute }),
  connection: perMinute,
  day: z.number().int().min(1),
  /** Whose quota the vendor's answers speak of: that of the account behind a connection, or one of ours for all. */
  quotaOf: z.enum(['connection', 'integration']),
})
export type IntegrationLimits = z.infer<typeof integrationShape>

/** Overrides of integrations, and of what one tenant may do in all of them. */
export const limitOverridesShape = z.strictObject({
  tenant: perMinute.optional(),
  integrations: z.record(z.string(), integrationShape.partial()).default({}),
})
export type LimitOverrides = z.infer<typeof limitOverridesShape>

/** What a connection's document may say: only of itself, for it is the tenant's. */
export interface ConnectionLimits {
  readonly connection?: number | undefined
  readonly day?: number | undefined
}

const operations = { fetch: 200, update: 150, create: 100 } as const
const TENANT_PER_MINUTE = 5_000
/** Where nobody knows better. Limits of days are the vendors' own, or what a vendor's limit of an hour makes of a day. */
const otherwise: IntegrationLimits = {
  integration: 300,
  operations,
  connection: 300,
  day: 100_000,
  quotaOf: 'connection',
}

export const integrationLimits: Readonly<Record<string, IntegrationLimits>> = {
  salesforce: { ...otherwise, integration: 300, day: 100_000 },
  github: { ...otherwise, integration: 360, connection: 80, day: 120_000 },
  servicenow: { ...otherwise, integration: 400, connection: 400, day: 600_000 },
  zendesk: { ...otherwise, integration: 400, connection: 200, day: 288_000 },
  freshservice: { ...otherwise, integration: 200, connection: 100, day: 144_000 },
  slack: { ...otherwise, integration: 300, connection: 50, day: 72_000 },
  notion: { ...otherwise, integration: 300, connection: 180, day: 259_200 },
}

/**
 * What a lane may use of a burst and of a day. The rest is kept for those above it, so a person never waits for a
 * backfill, and a backfill never spends the day's last calls.
 */
export const lanes: Readonly<Record<Lane, { readonly burst: number; readonly day: number }>> = {
  person: { burst: 1, day: 1 },
  webhook: { burst: 0.85, day: 0.95 },
  incremental: { burst: 0.65, day: 0.9 },
  backfill: { burst: 0.4, day: 0.8 },
}

export interface OutgoingCall {
  readonly integrationId: string
  readonly operation: Operation
  readonly tenantId: string
  readonly connectionId: string
  readonly lane: Lane
  /** Calls that the vendor counts for this one. Default 1. */
  readonly cost?: number
  readonly limits?: ConnectionLimits | undefined
}

/** The part of every limit that a process may use by itself while it cannot ask the others, in (0, 1]. */
export interface Share {
  readonly part: number
}

/**
 * Everything that a call to a vendor has to pass. All keys of outgoing calls carry one hash tag: an integration's limit
 * joins all tenants and a tenant's limit all integrations, so one atomic step needs all of them on one node.
 */
export function takeOutgoing(call: OutgoingCall, overrides: LimitOverrides, share: Share): Take {
  const limits = limitsOf(call.integrationId, overrides)
  const { integrationId, operation, tenantId, connectionId, lane, limits: own } = call
  const pace = (gate: Pick<PaceGate, 'level' | 'key' | 'shared' | 'learns'>, limit: number) =>
    paceGate(gate, { limit: limit * share.part, part: lanes[lane].burst })
  const allTenants = { shared: true, learns: false }
  const oneTenant = { shared: false, learns: false }
  return {
    gates: [
      pace(
        {
          level: 'integration',
          key: key('out', 'i', integrationId),
          shared: true,
          learns: limits.quotaOf === 'integration',
        },
        limits.integration,
      ),
      pace(
        { level: 'operation', key: key('out', 'o', integrationId, operation), ...allTenants },
        limits.operations[operation],
      ),
      pace(
        { level: 'tenant', key: key('out', 't', tenantId), ...oneTenant },
        overrides.tenant ?? TENANT_PER_MINUTE,
      ),
      pace(
        {
          level: 'connection',
          key: key('out', 'c', tenantId, connectionId),
          shared: false,
          learns: limits.quotaOf === 'connection',
        },
        given(own?.connection) ?? limits.connection,
      ),
      {
        ...budgetGate(tenantId, connectionId),
        limit: Math.max(1, (given(own?.day) ?? limits.day) * share.part),
        part: lanes[lane].day,
      },
    ],
    keys: outgoingKeys(call, limits),
    tenant: tenantId.toWellFormed(),
    cost: call.cost ?? 1,
    patienceMs: 0,
    queues: lane !== 'person',
  }
}

/** Where what a call's answer taught is kept. */
export function learnedFrom(call: OutgoingCall, overrides: LimitOverrides) {
  const { key: budgetKey, periodMs } = budgetGate(call.tenantId, call.connectionId)
  return {
    learnedKey: outgoingKeys(call, limitsOf(call.integrationId, overrides)).learned,
    budget: { key: budgetKey, periodMs },
  }
}

function limitsOf(integrationId: string, { integrations }: LimitOverrides): IntegrationLimits {
  const known = Object.hasOwn(integrationLimits, integrationId)
    ? (integrationLimits[integrationId] ?? otherwise)
    : otherwise
  const given = Object.hasOwn(integrations, integrationId) ? integrations[integrationId] : {}
  return { ...known, ...withoutHoles(given ?? {}) }
}

/** A document may hold anything. */
function given(limit: number | undefined): number | undefined {
  return typeof limit === 'number' && limit >= 1 ? limit : undefined
}

function withoutHoles(
  given: Partial<Record<keyof IntegrationLimits, unknown>>,
): Partial<IntegrationLimits> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

function outgoingKeys(call: OutgoingCall, { quotaOf }: IntegrationLimits): TakeKeys {
  const { integrationId, operation, tenantId, connectionId, lane } = call
  return {
    learned:
      quotaOf === 'connection'
        ? key('out', 'l', tenantId, connectionId)
        : key('out', 'l', integrationId),
    queue: key('out', 'q', tenantId, connectionId, lane),
    sharedQueue: key('out', 'w', integrationId, operation, lane),
    share: key('out', 's', integrationId, operation, tenantId),
    contenders: key('out', 'n', integrationId, operation),
  }
}

function budgetGate(tenantId: string, connectionId: string): BudgetGate {
  return {
    kind: 'budget',
    level: 'day',
    key: key('out', 'd', tenantId, connectionId),
    limit: 1,
    part: 1,
    periodMs: DAY_MS,
  }
}

/** Of a limit so much may come at once; the pace is as much slower, so that no minute ever sees more than the limit. */
const BURST_PART = 0.025
const LEAST_BURST = 4

/** A gate that lets at most `limit` calls through in any minute, whenever it begins. */
function paceGate(
  gate: Pick<PaceGate, 'level' | 'key' | 'shared' | 'learns'>,
  { limit, part, burst = BURST_PART }: { limit: number; part: number; burst?: number },
): PaceGate {
  const most = Math.max(LEAST_BURST, Math.ceil(limit * burst))
  const calls = Math.max(1, Math.min(most, Math.floor(limit / 2)))
  return {
    kind: 'pace',
    ...gate,
    intervalMs: MINUTE_MS / (limit - calls + 1),
    allowance: Math.max(1, calls * part),
  }
}

/** Calls per minute that we answer. Whoever sends more gets 429. */
export const incomingLimits = {
  'servicenow-webhook': { source: 6_000, registration: 12_000, tenant: 6_000, user: 600 },
  // A registration has a pace of its own besides; this one is against floods of addresses and made-up ids.
  webhooks: { source: 60_000, registration: 300_000, tenant: 300_000, user: 300_000 },
  'oauth-refresh': { source: 600, registration: 12_000, tenant: 5_000, user: 30 },
  management: { source: 3_000, registration: 12_000, tenant: 6_000, user: 1_200 },
  'signalr-negotiate': { source: 600, registration: 12_000, tenant: 5_000, user: 60 },
} as const
export type Endpoint = keyof typeof incomingLimits

/** People come in bursts: nothing is lost when half of a minute's calls comes at once. */
const INCOMING_BURST = 0.5

export interface IncomingCall {
  readonly endpoint: Endpoint
  /** The caller's address; null where no front end tells it. */
  readonly source?: string | null
  /** The function, or what is registered behind it. */
  readonly registration?: string
  readonly tenantId?: string
  readonly userId?: string
}

/** Everything that a call from outside has to pass, as far as is known of it yet. */
export function takeIncoming(call: IncomingCall, share: Share): Take {
  const { endpoint, source, registration, tenantId, userId } = call
  const limits = incomingLimits[endpoint]
  const rows: readonly (readonly [string, number, readonly (string | null | undefined)[]])[] = [
    ['source', limits.source, [source]],
    ['registration', limits.registration, [registration]],
    ['tenant', limits.tenant, [tenantId]],
    ['user', limits.user, [tenantId, userId]],
  ]
  const gates: Gate[] = rows.flatMap(([level, limit, parts]) => {
    const known = parts.filter((part) => typeof part === 'string')
    if (known.length < parts.length) return []
    return paceGate(
      { level, key: key('in', level, endpoint, ...known), shared: false, learns: false },
      { limit: limit * share.part, part: 1, burst: INCOMING_BURST },
    )
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

/** No part can pretend to be another's: everything but letters, digits and a few signs is escaped, and half characters go. */
function key(tag: 'in' | 'out', ...parts: readonly string[]): string {
  return `limit:{${tag}}:${parts.map((part) => encodeURIComponent(part.toWellFormed())).join(':')}`
}
