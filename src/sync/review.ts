import type { Json, JsonObject } from '../core/canonical-json.ts'
import type { Stored } from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import {
  agree,
  draftOf,
  finish,
  isFree,
  linkOf,
  release,
  setField,
  setLink,
  type Draft,
} from './draft.ts'
import { reborn, revive } from './deletion.ts'
import { endReview } from './likely-duplicate.ts'
import { findRecord, store, type LocalChange, type RecordKey } from './local-changes.ts'
import type { SyncPorts } from './ports.ts'
import { adoptRow } from './merge.ts'
import {
  linkId,
  WHOLE,
  type ConflictDocument,
  type LinkDocument,
  type RecordDocument,
} from './record.ts'
import type { Side } from './side.ts'
import { sidesOf } from './sides.ts'

type ReviewPorts = Pick<SyncPorts, 'shards' | 'tasks' | 'mappingOf' | 'outbound' | 'clock'>

export type Choice =
  | { readonly choice: 'local' | 'external' }
  | { readonly choice: 'value'; readonly value: Json }

/** Throws `not_found`. */
export async function findConflict(
  ports: Pick<SyncPorts, 'shards'>,
  { tenantId, entityType, id }: RecordKey,
): Promise<Stored<ConflictDocument>> {
  const stored = await ports.shards.get([tenantId, entityType], id)
  if (stored?.document.kind !== 'conflict') {
    throw new AppError('not_found', `there is no conflict ${id}`)
  }
  return { document: stored.document, etag: stored.etag }
}

/**
 * A person's decision. Both sides get the value that was chosen; the conflict keeps the other one. A decision about
 * values that are not there any more is refused with `conflict`, as is one about a conflict that is over.
 */
export async function resolveOpenConflict(
  ports: ReviewPorts,
  key: RecordKey,
  decision: LocalChange & { readonly choose: Choice },
): Promise<Stored<RecordDocument>> {
  const { document: conflict, etag } = await findConflict(ports, key)
  if (decision.etag !== undefined && decision.etag !== etag) {
    throw new AppError('conflict', `${key.id} has moved on: read it again`)
  }
  const { tenantId, entityType, recordId, connectionId, field } = conflict
  const found = await findRecord(ports, { tenantId, entityType, id: recordId })
  if (conflict.reason === 'likely_duplicate') {
    return decideDuplicate(ports, { found, conflict, decision })
  }
  const held = linkOf(found.document, connectionId).held[field]
  if (conflict.status !== 'open' || held?.conflictId !== conflict.id) {
    throw new AppError('conflict', `${key.id} is not open any more`)
  }
  const sides = await sidesOf(ports, tenantId, entityType)
  const side = sides.find((one) => one.connectionId === connectionId)
  if (!side) throw new AppError('conflict', `no task synchronises ${connectionId} any more`)
  const draft = draftOf(found.document, ports.clock())
  const deciding: Deciding = { draft, side, conflict, ...decision }
  if (field === WHOLE) decideWhole(deciding, held.external)
  else decideField(deciding, held.external)
  return store(ports, { merged: finish(draft), etag: found.etag })
}

interface DuplicateDecision {
  readonly found: Stored<RecordDocument>
  readonly conflict: ConflictDocument
  readonly decision: LocalChange & { readonly choose: Choice }
}

/** `external`: it is a record of its own. `local`: it is the one that was there, which gets its row. */
async function decideDuplicate(
  ports: ReviewPorts,
  { found, conflict, decision }: DuplicateDecision,
): Promise<Stored<RecordDocument>> {
  const { choose, by } = decision
  const now = ports.clock()
  const at = now.toISOString()
  if (choose.choice === 'value') {
    throw new AppError('bad_request', 'it is the same record or another: choose local or external')
  }
  if (conflict.status !== 'open' || found.document.hold !== conflict.id) {
    throw new AppError('conflict', `${conflict.id} is not open any more`)
  }
  const closed = {
    ...conflict,
    status: 'resolved',
    winner: choose.choice,
    resolvedBy: by,
    updatedAt: at,
  } as const
  const { tenantId, entityType, connectionId } = conflict
  const sides = await sidesOf(ports, tenantId, entityType)
  const side = sides.find((one) => one.connectionId === connectionId)
  if (!side) throw new AppError('conflict', `no task synchronises ${connectionId} any more`)
  const other = await findRecord(ports, { tenantId, entityType, id: otherOf(conflict) })
  const { hold: _, ...record } = found.document
  const own = { ...record, rev: record.rev + 1, updatedAt: at }
  const freed = endReview(other.document, { side, now })
  if (choose.choice === 'external') {
    await store(ports, { merged: freed, etag: other.etag })
    const merged = { record: own, conflicts: [closed], changed: true }
    return store(ports, { merged, etag: found.etag })
  }
  const { externalId, version, base } = linkOf(record, connectionId)
  if (externalId === null || !isFree(other.document, connectionId)) {
    throw new AppError('conflict', 'the record has got another row meanwhile')
  }
  const row = { externalId, version: version ?? { time: at, count: 0 }, fields: base }
  const merged = adoptRow(other.document, row, { side, now })
  const empty: RecordDocument = { ...own, links: {}, pending: [], deleted: { by, at } }
  const key = { tenantId, entityType, connectionId }
  const link: LinkDocument = {
    id: linkId(key, externalId),
    kind: 'link',
    ...key,
    externalId,
    recordId: other.document.id,
  }
  return store(ports, {
    merged: { ...merged, conflicts: [...merged.conflicts, closed] },
    etag: other.etag,
    writes: [
      { kind: 'replace', document: empty, etag: found.etag },
      { kind: 'upsert', document: link },
    ],
  })
}

function otherOf({ local }: ConflictDocument): string {
  const other = (local as JsonObject)['recordId'] // every likely duplicate names one
  return typeof other === 'string' ? other : ''
}

interface Deciding {
  readonly draft: Draft
  readonly side: Side
  readonly conflict: ConflictDocument
  readonly choose: Choice
  readonly by: string
}

function decideField(deciding: Deciding, external: Json): void {
  const { draft, side, conflict, choose, by } = deciding
  const { field } = conflict
  release(draft, side.connectionId, { field, winner: choose.choice, by })
  // What stands there is known now: whatever differs from it is pushed.
  agree(draft, side, { field, value: external })
  const value = choose.choice === 'value' ? choose.value : external
  if (choose.choice === 'local') return
  const origin = { by, at: draft.now.toISOString() }
  if (!setField(draft, { field, value, origin })) {
    throw new AppError('conflict', `${field} is changed back and forth: stop one of the systems`)
  }
}

function decideWhole(deciding: Deciding, external: Json): void {
  const { draft, side, choose, by } = deciding
  if (choose.choice === 'value') {
    throw new AppError('bad_request', 'a record is kept or deleted: choose local or external')
  }
  const { deleted } = draft.record
  const winner = choose.choice
  release(draft, side.connectionId, { field: WHOLE, winner, by })
  const at = draft.now.toISOString()
  const { externalId, version, goneAt } = linkOf(draft.record, side.connectionId)
  // Where the row is gone, the other side has said so: by now both are of one mind.
  if (deleted && winner === 'external' && goneAt === undefined) {
    revive(draft, side, {
      externalId: externalId ?? '',
      version: version ?? { time: at, count: 0 },
      fields: external as JsonObject, // of a row that is there, the whole of it is held
    })
  }
  // The deletion stands, or is taken back: the next push does the rest.
  if (!deleted && winner === 'external') draft.record = { ...draft.record, deleted: { by, at } }
  if (!deleted && winner === 'local') setLink(draft, side.connectionId, reborn)
}
