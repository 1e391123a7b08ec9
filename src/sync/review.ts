import type { Json, JsonObject } from '../core/canonical-json.ts'
import type { Stored } from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import { agree, draftOf, finish, linkOf, release, setField, setLink, type Draft } from './draft.ts'
import { reborn, revive } from './deletion.ts'
import { findRecord, store, type LocalChange, type RecordKey } from './local-changes.ts'
import type { SyncPorts } from './ports.ts'
import { WHOLE, type ConflictDocument, type RecordDocument } from './record.ts'
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
  if (deleted && winner === 'external') {
    const { externalId, version } = linkOf(draft.record, side.connectionId)
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
