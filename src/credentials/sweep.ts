import type { Collection } from '../core/collection.ts'
import { instanceOrigin, type Connection } from '../core/connection.ts'
import { codeOf } from '../core/errors.ts'
import { addMs, SECOND_MS } from '../core/time.ts'
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
  /** Left for a later run for want of quota, or of time. */
  readonly postponed: number
  readonly results: readonly RefreshResult[]
  readonly ttl: number
}

export interface SweepPorts extends Pick<
  CredentialPorts,
  'credentials' | 'clock' | 'newId' | 'log' | 'pause'
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
  const endsMs = startedAt.getTime() + timeLimitMs
  const due: Due[] = []
  for await (const { document } of ports.credentials.query(dueQuery(startedAt, thresholdMs))) {
    due.push({ credential: document, notBeforeMs: 0 })
  }
  // Those that ended first come first: who was left out by one run is not by the next.
  due.sort((a, b) => expiryOf(a).localeCompare(expiryOf(b)))
  const results: RefreshResult[] = []
  let postponed = 0
  const work = async () => {
    while (due.length > 0) {
      const nowMs = ports.clock().getTime()
      if (nowMs > endsMs) return
      const index = due.findIndex(({ notBeforeMs }) => notBeforeMs <= nowMs)
      const [next] = index === -1 ? [] : due.splice(index, 1)
      if (!next) {
        await ports.pause(PAUSE_MS)
        continue
      }
      const { credential } = next
      const result = await refreshOne(ports, access, { credential, thresholdMs })
      if (result?.kind === 'result') results.push(result.result)
      if (result?.kind !== 'limited') continue
      const notBeforeMs = ports.clock().getTime() + result.afterMs
      if (result.afterMs > WORTH_WAITING_MS || notBeforeMs > endsMs) postponed += 1
      else due.push({ credential, notBeforeMs })
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
    postponed: postponed + due.length,
    results: results.slice(0, MAX_RESULTS),
    ttl: AUDIT_TTL_SECONDS,
  }
  await ports.audits.write([OPERATORS], [{ kind: 'create', document: audit }])
  return audit
}

interface Due {
  readonly credential: Credential
  /** There is no quota for it before. */
  readonly notBeforeMs: number
}

/** A pace of ours is kept within the run; whoever has to wait longer is taken by a later one, or refreshed on use. */
const WORTH_WAITING_MS = 30 * SECOND_MS
const PAUSE_MS = SECOND_MS

function expiryOf({ credential }: Due): string {
  return credential.expiryTime ?? ''
}

function dueQuery(now: Date, thresholdMs: number) {
  const before = addMs(now, thresholdMs)
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

type Outcome =
  | { readonly kind: 'result'; readonly result: RefreshResult }
  | { readonly kind: 'limited'; readonly afterMs: number }

/** Undefined where nothing was attempted: it waits for a person, no connection uses it, others are at it. */
async function refreshOne(
  ports: SweepPorts,
  access: CredentialAccess,
  { credential, thresholdMs }: One,
): Promise<Outcome | undefined> {
  const { id: credentialId, tenantId, integrationId, expiryTime, needsReauth } = credential
  const startedAt = ports.clock().getTime()
  const answer = await ask(ports, access, { credential, thresholdMs })
  if (!answer || (needsReauth && answer.kind !== 'authorized')) return undefined
  if (answer.kind === 'retry' && answer.limited) return { kind: 'limited', afterMs: answer.afterMs }
  const newExpiry = answer.kind === 'authorized' ? answer.expiresAt?.toISOString() : undefined
  const success = newExpiry !== undefined && newExpiry > (expiryTime ?? '')
  // Another instance refreshes it, or a pause is kept after a failure that was told already.
  if (answer.kind === 'authorized' && !success) return undefined
  const result: RefreshResult = {
    credentialId,
    tenantId,
    integrationId,
    success,
    newExpiryTime: newExpiry ?? expiryTime,
    duration: Math.max(0, ports.clock().getTime() - startedAt),
    ...(answer.kind === 'authorized' ? {} : { reason: answer.reason }),
  }
  return { kind: 'result', result }
}

async function ask(
  ports: SweepPorts,
  access: CredentialAccess,
  { credential, thresholdMs }: One,
): Promise<CredentialAnswer | undefined> {
  const { id: credentialId, tenantId, integrationId } = credential
  try {
    const place = await placeOf(ports, credential)
    if (!place) return undefined
    const request = { tenantId, credentialId, integrationId, ...place, lastingMs: thresholdMs }
    return await access.getCredential(request)
  } catch (error) {
    // One credential's trouble is not the others'.
    const code = codeOf(error)
    ports.log.warn(`token refresh failed: ${code}`, { credentialId, tenantId, code })
    return { kind: 'retry', reason: code, afterMs: 0 }
  }
}

/** The registered instance that a credential is for; undefined when no connection uses it. */
async function placeOf(
  { connections }: SweepPorts,
  { id, tenantId }: Credential,
): Promise<{ readonly connectionId: string; readonly origin: string } | undefined> {
  const query = { anyOf: [[{ field: 'credentialId', is: '=', value: id }]] } as const
  for await (const { document } of connections.query(query, [tenantId])) {
    const origin = instanceOrigin(document)
    if (origin !== undefined) return { connectionId: document.id, origin }
  }
  return undefined
}
