import { z } from 'zod'
import { MINUTE_MS } from '../core/time.ts'
import type { BudgetGate, PaceGate, Take, TakeKeys } from './bucket.ts'
import { key, paceGate, perMinute, type Share } from './gates.ts'
import { incomingShape } from './incoming.ts'

export type Lane = 'person' | 'webhook' | 'incremental' | 'backfill'

const DAY_MS = 24 * 60 * MINUTE_MS

const operationsShape = z.strictObject({
  fetch: perMinute,
  update: perMinute,
  create: perMinute,
  /** Calls of token endpoints. */
  token: perMinute,
})
export type Operation = keyof z.infer<typeof operationsShape>

/** The limits of one integration: calls per minute, and per day of the UTC clock. */
const integrationShape = z.strictObject({
  /** Of all tenants together. */
  integration: perMinute,
  /** Of all tenants together, by kind of call. */
  operations: operationsShape,
  connection: perMinute,
  day: z.number().int().min(1),
  /** Whose quota the vendor's answers speak of: that of the account behind a connection, or one of ours for all. */
  quotaOf: z.enum(['connection', 'integration']),
})
export type IntegrationLimits = z.infer<typeof integrationShape>

const integrationOverrides = integrationShape
  .partial()
  .extend({ operations: operationsShape.partial().optional() })

/** Overrides of integrations, of what one tenant may do in all of them, and of what our own endpoints take. */
export const limitOverridesShape = z.strictObject({
  tenant: perMinute.optional(),
  integrations: z.record(z.string(), integrationOverrides).default({}),
  incoming: incomingShape,
})
export type LimitOverrides = z.infer<typeof limitOverridesShape>

/** What a connection's document may say: only of itself, for it is the tenant's. */
export interface ConnectionLimits {
  readonly connection?: number | undefined
  readonly day?: number | undefined
}

const operations = { fetch: 200, update: 150, create: 100, token: 300 } as const
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
  /** `vendor`: to the vendor's one place for everybody, which has a quota of its own, not to the connection's instance. */
  readonly host?: 'instance' | 'vendor' | undefined
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
  const learner = learnerOf(call, limits)
  return {
    gates: [
      pace(
        {
          level: 'integration',
          key: key('out', 'i', integrationId),
          shared: true,
          learns: learner === 'integration',
        },
        limits.integration,
      ),
      pace(
        {
          level: 'operation',
          key: key('out', 'o', integrationId, operation),
          shared: true,
          learns: learner === 'operation',
        },
        limits.operations[operation],
      ),
      pace(
        { level: 'tenant', key: key('out', 't', tenantId), shared: false, learns: false },
        overrides.tenant ?? TENANT_PER_MINUTE,
      ),
      pace(
        {
          level: 'connection',
          key: key('out', 'c', tenantId, connectionId),
          shared: false,
          learns: learner === 'connection',
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
  const { operations: own = {}, ...rest } = given ?? {}
  return {
    ...known,
    ...withoutHoles(rest),
    operations: { ...known.operations, ...withoutHoles(own) },
  }
}

/** The limit that answers of the called host speak of. */
function learnerOf({ host }: OutgoingCall, { quotaOf }: IntegrationLimits) {
  return host === 'vendor' ? 'operation' : quotaOf
}

/** A document may hold anything. */
function given(limit: number | undefined): number | undefined {
  return typeof limit === 'number' && limit >= 1 ? limit : undefined
}

type WithoutHoles<T> = { [K in keyof T]: Exclude<T[K], undefined> }

function withoutHoles<T extends object>(given: T): WithoutHoles<T> {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as WithoutHoles<T> // nothing else was taken out
}

function outgoingKeys(call: OutgoingCall, limits: IntegrationLimits): TakeKeys {
  const { integrationId, operation, tenantId, connectionId, lane } = call
  const learned = {
    operation: key('out', 'l', 'o', integrationId, operation),
    integration: key('out', 'l', 'i', integrationId),
    connection: key('out', 'l', 'c', tenantId, connectionId),
  }
  return {
    learned: learned[learnerOf(call, limits)],
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
