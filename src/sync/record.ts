import { hashOf, type JsonObject } from '../core/canonical-json.ts'
import type { ErrorCode } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import type { Cursor } from './cursor.ts'

/** A business record of a tenant, whatever systems hold copies of it. */
export interface RecordDocument {
  readonly id: string
  readonly kind: 'record'
  readonly tenantId: string
  readonly entityType: string
  readonly fields: JsonObject
  readonly createdAt: string
  readonly updatedAt: string
  /** When the vendor was found to have it no more, after it said so. */
  readonly deletedAt?: string
}

/** The vendor's version of a row: later stamps win, then higher counts. */
export interface Version {
  readonly time: string
  readonly count: number
}

/** Which external record a record is, and what of it was seen last. */
export interface LinkDocument {
  readonly id: string
  readonly kind: 'link'
  readonly tenantId: string
  readonly entityType: string
  readonly connectionId: string
  readonly externalId: string
  readonly recordId: string
  /** Hash of the mapped fields: equal means that nothing of ours changed there. */
  readonly hash: string
  readonly version: Version
}

export interface Counts {
  readonly processed: number
  readonly created: number
  readonly updated: number
  readonly failed: number
}
export const noCounts: Counts = { processed: 0, created: 0, updated: 0, failed: 0 }

export interface Run {
  readonly runId: string
  /** Until when no other run may take the stream. */
  readonly leaseUntil: string
  /** Where the run is: it began behind the cursor, by the overlap. */
  readonly position: Cursor | null
  /** Rows behind the position that were asked for and may not be seen. */
  readonly skip?: number
  readonly startedAt: string
  readonly counts: Counts
  /** The message that works on it: an older one of the same run has handed over and must not go on. */
  readonly slice: number
  readonly finished: boolean
  /** Why it ended before the end of the stream. */
  readonly error?: { readonly code: ErrorCode; readonly message: string }
}

/**
 * How far a stream of a connection was read. Every page is committed together with this document on condition that
 * nobody else wrote it: it is the checkpoint and the fence in one.
 */
export interface StreamDocument {
  readonly id: string
  readonly kind: 'stream'
  readonly tenantId: string
  readonly entityType: string
  readonly connectionId: string
  /** Everything up to here is in the store. Never moves back. */
  readonly cursor: Cursor | null
  /** Raised by each worker that takes the stream over. */
  readonly epoch: number
  readonly run: Run | null
}

export type ShardDocument = RecordDocument | LinkDocument | StreamDocument

/** A row of a vendor, decoded: what inbound work is about. */
export interface IncomingRow {
  readonly externalId: string
  readonly version: Version
  readonly fields: JsonObject
}

export interface StreamKey {
  readonly tenantId: string
  readonly entityType: string
  readonly connectionId: string
}

export function linkId({ connectionId, entityType }: StreamKey, externalId: string): string {
  return idOf('link', connectionId, entityType, externalId)
}

export function streamId({ connectionId, entityType }: StreamKey): string {
  return idOf('stream', connectionId, entityType)
}

/** Whether a row tells anything new: the same content does not, nor does an older version than the one seen. */
export function newsOf(
  row: IncomingRow,
  link: LinkDocument | undefined,
): 'news' | 'unchanged' | 'outdated' {
  if (link === undefined) return 'news'
  if (link.hash === hashOf(row.fields)) return 'unchanged'
  return isOlder(row.version, link.version) ? 'outdated' : 'news'
}

/**
 * The record and the link that a row with news makes of what the store has. A row without a link becomes a record whose
 * id follows from the row, so that a repeated try makes no second one.
 */
export function applyRow(
  row: IncomingRow,
  known: { readonly link?: LinkDocument | undefined; readonly record?: RecordDocument | undefined },
  context: { readonly key: StreamKey; readonly now: Date },
): { readonly record: RecordDocument; readonly link: LinkDocument } {
  const { key, now } = context
  const link: LinkDocument = {
    id: linkId(key, row.externalId),
    kind: 'link',
    ...key,
    externalId: row.externalId,
    recordId: known.link?.recordId ?? idOf('rec', key.connectionId, key.entityType, row.externalId),
    hash: hashOf(row.fields),
    version: row.version,
  }
  const record: RecordDocument = {
    id: link.recordId,
    kind: 'record',
    tenantId: key.tenantId,
    entityType: key.entityType,
    fields: { ...known.record?.fields, ...row.fields },
    createdAt: known.record?.createdAt ?? now.toISOString(),
    updatedAt: now.toISOString(),
  }
  return { record, link }
}

function isOlder(a: Version, b: Version): boolean {
  return a.time === b.time ? a.count < b.count : a.time < b.time
}
