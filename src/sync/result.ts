import type { JsonObject } from '../core/canonical-json.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { Counts, Run } from './record.ts'
import type { InboundMessage } from './task.ts'

export const RESULT_TTL_SECONDS = 30 * 24 * 3_600

/** What a run did: kept for thirty days. */
export interface SyncResult {
  readonly id: string
  readonly integrationId: string
  readonly tenantId: string
  readonly taskId: string
  readonly status: 'success' | 'partial' | 'failed'
  readonly recordsProcessed: number
  readonly recordsCreated: number
  readonly recordsUpdated: number
  readonly recordsFailed: number
  readonly conflictsDetected: number
  readonly conflictsResolved: number
  /** Milliseconds from the first slice to the end of the last. */
  readonly duration: number
  readonly executedAt: string
  readonly ttl: number
  /** Fields of the mapping that the vendor has stopped to give; told by the first run that met none of them. */
  readonly fieldsMissing?: readonly string[]
  readonly error?: NonNullable<Run['error']>
}

/** A row that could not be taken, with everything needed to explain it and try it again. */
export interface ParkedRow {
  readonly id: string
  readonly tenantId: string
  readonly kind: 'row'
  readonly taskId: string
  readonly connectionId: string
  readonly entityType: string
  readonly externalId: string
  readonly reason: { readonly code: ErrorCode; readonly message: string }
  readonly payload: JsonObject
  readonly parkedAt: string
  /** The run that met it last. */
  readonly runId: string
}

/** A record that a connection does not take. */
export interface ParkedPush {
  readonly id: string
  readonly tenantId: string
  readonly kind: 'push'
  readonly taskId: string
  readonly connectionId: string
  readonly entityType: string
  readonly recordId: string
  /** As the vendor or the mapping says it. */
  readonly reason: { readonly code: string; readonly message: string }
  readonly parkedAt: string
}

/** Deletions that look like a mistake: held until a person approves. */
export interface ParkedDeletes {
  readonly id: string
  readonly tenantId: string
  readonly kind: 'deletes'
  readonly taskId: string
  readonly connectionId: string
  readonly entityType: string
  readonly reason: { readonly code: ErrorCode; readonly message: string }
  /** How many rows are missing, of how many that were known. */
  readonly missing: number
  readonly known: number
  readonly parkedAt: string
}

export type ParkedDocument = ParkedRow | ParkedMessage | ParkedPush | ParkedDeletes

/** What pushing one record did: kept for thirty days. */
export interface PushResult {
  readonly id: string
  readonly integrationId: string
  readonly tenantId: string
  readonly entityId: string
  readonly externalId: string | null
  readonly operation: 'create' | 'update' | 'delete'
  readonly success: boolean
  /** Milliseconds. */
  readonly duration: number
  readonly executedAt: string
  readonly ttl: number
  readonly error?: { readonly code: string; readonly message: string; readonly retryable: boolean }
}

/** A message that no worker could read. */
export interface ParkedMessage {
  readonly id: string
  readonly tenantId: string
  readonly kind: 'message'
  readonly queue: string
  readonly messageId: string
  readonly reason: { readonly code: ErrorCode; readonly message: string }
  /** The body as it came, as JSON text. */
  readonly payload: string
  readonly parkedAt: string
}

/** What a run leaves behind. */
export type RunEnd = Pick<Run, 'counts' | 'startedAt' | 'error' | 'newlyMissing'>

export function resultOf(
  message: InboundMessage,
  { counts, startedAt, error, newlyMissing = [] }: RunEnd,
  now: Date,
): SyncResult {
  return {
    id: message.correlationId,
    integrationId: message.integrationId,
    tenantId: message.tenantId,
    taskId: message.taskId,
    status: statusOf(counts, error !== undefined),
    recordsProcessed: counts.processed,
    recordsCreated: counts.created,
    recordsUpdated: counts.updated,
    recordsFailed: counts.failed,
    conflictsDetected: counts.conflicts,
    conflictsResolved: counts.resolved,
    duration: Math.max(0, now.getTime() - Date.parse(startedAt)),
    executedAt: now.toISOString(),
    ttl: RESULT_TTL_SECONDS,
    ...(newlyMissing.length > 0 ? { fieldsMissing: newlyMissing } : {}),
    ...(error ? { error } : {}),
  }
}

function statusOf(counts: Counts, stopped: boolean): SyncResult['status'] {
  if (stopped) return counts.processed > counts.failed ? 'partial' : 'failed'
  return counts.failed > 0 ? 'partial' : 'success'
}
