import type { Collection, Stored } from '../core/collection.ts'
import { instanceOrigin, type Connection } from '../core/connection.ts'
import { codeOf } from '../core/errors.ts'
import { addMs } from '../core/time.ts'
import type { CredentialAccess } from './access.ts'
import type { Credential } from './credential.ts'
import type { CredentialAnswer, CredentialPorts } from './ports.ts'

export interface RefreshResult {
  readonly credentialId: string
  readonly tenantId: string
  readonly integrationId: string
  readonly success: boolean
  readonly newExpiryTime: string | null
  /** Milliseconds. */
  readonly duration: number
  /** A code, or the words of the answer; never a secret. */
  readonly reason?: string
}

/** What one run of the refresher did. */
export interface RefreshAudit {
  readonly id: string
  readonly tenantId: string
  readonly kind: 'token-refresh'
  readonly executedAt: string
  readonly totalAttempted: number
  readonly successful: number
  readonly failed: number
  readonly results: readonly RefreshResult[]
  readonly ttl: number
}

export interface SweepPorts extends Pick<
  CredentialPorts,
  'credentials' | 'clock' | 'newId' | 'log'
> {
  readonly audits: Collection<RefreshAudit>
  readonly connections: Collection<Connection>
}

export interface SweepLimits {
  readonly thresholdMs: number
  /** What is not done by then is left for the next run. */
  readonly timeLimitMs: number
}

/** Audits tell of many tenants: no tenant's own partition holds them. */
const OPERATORS = '_operators'
const AUDIT_TTL_SECONDS = 30 * 24 * 3_600
/** Refreshes at a time: each waits for a provider most of the time. */
const CONCURRENCY = 8
/** A document holds two megabytes. */
const MAX_RESULTS = 5_000

/** Refreshes every token that ends soon, so that grants do not die of idleness, and writes an audit. */
export async function refreshExpiring(
  ports: SweepPorts,
  access: CredentialAccess,
  { thresholdMs, timeLimitMs }: SweepLimits,
): Promise<RefreshAudit> {
  const startedAt = ports.clock()
  const due: Stored<Credential>[] = []
  for await (const stored of ports.credentials.query(dueQuery(addMs(startedAt, thresholdMs)))) {
    due.push(stored)
  }
  const results: RefreshResult[] = []
  const work = async () => {
    for (let next = due.pop(); next; next = due.pop()) {
      if (ports.clock().getTime() - startedAt.getTime() > timeLimitMs) return
      const result = await refreshOne(ports, access, { credential: next.document, thresholdMs })
      if (result) results.push(result)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work))
  const successful = results.filter(({ success }) => success).length
  const audit: RefreshAudit = {
    id: ports.newId(),
    tenantId: OPERATORS,
    kind: 'token-refresh',
    executedAt: startedAt.toISOString(),
    totalAttempted: results.length,
    successful,
    failed: results.length - successful,
    results: results.slice(0, MAX_RESULTS),
    ttl: AUDIT_TTL_SECONDS,
  }
  await ports.audits.write([OPERATORS], [{ kind: 'create', document: audit }])
  return audit
}

function dueQuery(before: Date) {
  return {
    anyOf: [
      [
        { field: 'type', is: '=', value: 'oauth2' },
        { field: 'enabled', is: '=', value: true },
        { field: 'expiryTime', is: '<=', value: before.toISOString() },
      ],
    ],
  } as const
}

interface One {
  readonly credential: Credential
  readonly thresholdMs: number
}

/** Undefined where nothing was attempted: it waits for a person, no connection uses it, others are at it. */
async function refreshOne(
  ports: SweepPorts,
  access: CredentialAccess,
  { credential, thresholdMs }: One,
): Promise<RefreshResult | undefined> {
  const { id: credentialId, tenantId, integrationId, expiryTime, needsReauth } = credential
  const startedAt = ports.clock().getTime()
  const answer = await ask(ports, access, { credential, thresholdMs })
  if (!answer || (needsReauth && answer.kind !== 'authorized')) return undefined
  const newExpiry = answer.kind === 'authorized' ? answer.expiresAt?.toISOString() : undefined
  const success = newExpiry !== undefined && newExpiry > (expiryTime ?? '')
  // Another instance refreshes it, or a pause is kept after a failure that was told already.
  if (answer.kind === 'authorized' && !success) return undefined
  return {
    credentialId,
    tenantId,
    integrationId,
    success,
    newExpiryTime: newExpiry ?? expiryTime,
    duration: Math.max(0, ports.clock().getTime() - startedAt),
    ...(answer.kind === 'authorized' ? {} : { reason: answer.reason }),
  }
}

async function ask(
  ports: SweepPorts,
  access: CredentialAccess,
  { credential, thresholdMs }: One,
): Promise<CredentialAnswer | undefined> {
  const { id: credentialId, tenantId, integrationId } = credential
  try {
    const origin = await originOf(ports, credential)
    if (origin === undefined) return undefined
    const request = { tenantId, credentialId, integrationId, origin, lastingMs: thresholdMs }
    return await access.getCredential(request)
  } catch (error) {
    // One credential's trouble is not the others'.
    const code = codeOf(error)
    ports.log.warn(`token refresh failed: ${code}`, { credentialId, tenantId, code })
    return { kind: 'retry', reason: code, afterMs: 0 }
  }
}

/** The origin of the registered instance that a credential is for; undefined when no connection uses it. */
async function originOf(
  { connections }: SweepPorts,
  { id, tenantId }: Credential,
): Promise<string | undefined> {
  const query = { anyOf: [[{ field: 'credentialId', is: '=', value: id }]] } as const
  for await (const { document } of connections.query(query, [tenantId])) {
    const origin = instanceOrigin(document)
    if (origin !== undefined) return origin
  }
  return undefined
}
