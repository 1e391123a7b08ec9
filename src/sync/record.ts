import type { Json, JsonObject } from '../core/canonical-json.ts'
import type { ErrorCode } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import type { Strategy } from './conflict.ts'
import type { Cursor } from './cursor.ts'

/** The vendor's version of a row: later stamps win, then higher counts. */
export interface Version {
  readonly time: string
  readonly count: number
}

/** Who gave a field its value: a connection, or `local` for our own API. The time is that system's own. */
export interface Origin {
  readonly by: string
  readonly at: string
}

/** The origin of one field, and what tells a field that two systems keep pushing back and forth. */
export interface FieldOrigin extends Origin {
  /** Hash of the value before this one. */
  readonly was?: string
  /** How often in a row a change brought back the value before. */
  readonly turns?: number
}

/** A contest that waits for a person: neither side is written until then. */
export interface Held {
  readonly conflictId: string
  /** What the other side had when it was last seen. */
  readonly external: Json
  readonly reason: ConflictDocument['reason']
  readonly since: string
}

/** The key of `held` for a contest about the whole record. */
export const WHOLE = ''

/**
 * What one connection and we agreed on last. `base` has our values; where the vendor keeps a value in another form than
 * we gave it (cut, rounded, cleaned), `theirs` has that. A side has changed when it differs from its own half.
 */
export interface Link {
  /** Null: it is to be created there. */
  readonly externalId: string | null
  /** Counts how often the record was created there anew. */
  readonly generation: number
  readonly base: JsonObject
  readonly theirs: JsonObject
  readonly version: Version | null
  /** When the vendor's row was found deleted. */
  readonly goneAt?: string
  /** When we last wrote to it without being told its new version. */
  readonly pushedAt?: string
  readonly held: Readonly<Record<string, Held>>
  /** Tries to write since the last success. */
  readonly attempts?: number
  /** Not written again before. */
  readonly retryAt?: string
  /** Why it is not written until something changes or a person says so. */
  readonly parked?: { readonly code: string; readonly message: string }
  /** It was, and is tried again: it is still on the list of what is parked. */
  readonly wasParked?: true
}

/**
 * A business record of a tenant, whatever systems hold copies of it, with what was agreed with each of them. Everything a
 * change needs is in one document, so that a change costs one write.
 */
export interface RecordDocument {
  readonly id: string
  readonly kind: 'record'
  readonly tenantId: string
  readonly entityType: string
  /** Counts the writes of this record. */
  readonly rev: number
  readonly fields: JsonObject
  /** The origin of every field that has none in `origins`. */
  readonly origin: Origin
  readonly origins: Readonly<Record<string, FieldOrigin>>
  /** A deleted record is kept, so that a late change does not bring it back. */
  readonly deleted: Origin | null
  readonly links: Readonly<Record<string, Link>>
  /** The outbox: connections that are still to be told, written together with what they are to be told. */
  readonly pending: readonly string[]
  /** The open conflict that asks whether it is another record: until then it goes nowhere. */
  readonly hold?: string
  /** By which a new row finds the record that it already is. */
  readonly keys?: readonly string[]
  readonly createdAt: string
  readonly updatedAt: string
}

/** Which record an external row is. It has one id and is never removed, so that one row is never two records. */
export interface LinkDocument {
  readonly id: string
  readonly kind: 'link'
  readonly tenantId: string
  readonly entityType: string
  readonly connectionId: string
  readonly externalId: string
  readonly recordId: string
}

/** Two values that could not both stay. The one that lost is kept here. */
export interface ConflictDocument {
  readonly id: string
  readonly kind: 'conflict'
  readonly tenantId: string
  readonly entityType: string
  readonly recordId: string
  readonly connectionId: string
  /** Empty: the whole record. */
  readonly field: string
  readonly reason: 'both_changed' | 'deleted_and_changed' | 'oscillation' | 'likely_duplicate'
  readonly status: 'open' | 'resolved'
  readonly strategy: Strategy
  readonly base: Json
  readonly local: Json
  readonly external: Json
  readonly winner?: 'local' | 'external' | 'merged' | 'value'
  readonly resolvedBy?: string
  readonly createdAt: string
  readonly updatedAt: string
}

export interface Counts {
  readonly processed: number
  readonly created: number
  readonly updated: number
  readonly failed: number
  readonly conflicts: number
  readonly resolved: number
}
export const noCounts: Counts = {
  processed: 0,
  created: 0,
  updated: 0,
  failed: 0,
  conflicts: 0,
  resolved: 0,
}

export interface Run {
  readonly runId: string
  /** Until when no other run may take the stream. */
  readonly leaseUntil: string
  /** Where the run is: it began behind the cursor, by the overlap. */
  readonly position: Cursor | null
  /** Rows behind the position that were asked for and may not be seen. */
  readonly skip?: number
  /** It reads everything, as was asked at this instant. */
  readonly rereads?: string
  /** The last such wish that was fulfilled. */
  readonly reread?: string
  readonly startedAt: string
  readonly counts: Counts
  /** The message that works on it: an older one of the same run has handed over and must not go on. */
  readonly slice: number
  readonly finished: boolean
  /** Some run has read the stream to its end. */
  readonly complete?: boolean
  /** Up to where deletions were read. */
  readonly deletedTo?: string
  /** When the ids of everything that is there were last compared with ours. */
  readonly comparedAt?: string
  /** Fields of the mapping that the vendor does not give: renamed, removed or hidden from us. Known from run to run. */
  readonly missing?: readonly string[]
  /** Those of them that are missing since this run. */
  readonly newlyMissing?: readonly string[]
  /** Why it ended before the end of the stream. */
  readonly error?: { readonly code: ErrorCode; readonly message: string }
}

/**
 * How far a stream of a connection was read. Every page is committed together with this document on condition that
 * nobody else wrote it: it is the checkpoint and the fence in one. The writing to a connection has one of its own.
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

/** Who writes to a connection, and from when on it may be written to again. */
export interface PusherDocument {
  readonly id: string
  readonly kind: 'pusher'
  readonly tenantId: string
  readonly entityType: string
  readonly connectionId: string
  readonly epoch: number
  readonly owner: string
  readonly leaseUntil: string
  readonly notBefore: string | null
  /** Calls in a row that the vendor did not take. */
  readonly failures: number
  /** Why it is not written to before `notBefore`. */
  readonly waitsFor?: string | null
}

export type ShardDocument =
  | RecordDocument
  | LinkDocument
  | StreamDocument
  | PusherDocument
  | ConflictDocument

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

export function pusherId({ connectionId, entityType }: StreamKey): string {
  return idOf('pusher', connectionId, entityType)
}

/** The id of the record that a row becomes. It follows from the row, so that a repeated try makes no second one. */
export function recordIdOf(
  { connectionId, entityType }: StreamKey,
  externalId: string,
  former?: string,
): string {
  const parts = [connectionId, entityType, externalId]
  return idOf('rec', ...parts, ...(former === undefined ? [] : [former]))
}

/** Written into what we create on the other side, so that it is recognised there. */
export function markerOf(recordId: string, generation: number): string {
  return generation === 0 ? recordId : `${recordId}.${generation}`
}

/** The record and the generation that a marker names; undefined when it is not one of ours. */
export function recordOfMarker(
  marker: string,
): { readonly recordId: string; readonly generation: number } | undefined {
  const found = /^(rec-[\w-]+)(?:\.(\d+))?$/.exec(marker)
  return found?.[1] === undefined
    ? undefined
    : { recordId: found[1], generation: Number(found[2] ?? 0) }
}

export function isOlder(a: Version, b: Version): boolean {
  return a.time === b.time ? a.count < b.count : a.time < b.time
}
