import { conflictIdOf, draftOf, finish, setLink, without, type Merged } from './draft.ts'
import { WHOLE, type ConflictDocument, type RecordDocument } from './record.ts'
import type { Side } from './side.ts'

/** A new record and one that it may already be: a person says. */
export function likelyDuplicate(of: {
  readonly record: RecordDocument
  readonly other: RecordDocument
  readonly side: Side
  readonly now: Date
}): ConflictDocument {
  const { record, other, side, now } = of
  const at = now.toISOString()
  return {
    id: conflictIdOf(record, side.connectionId, 'duplicate'),
    kind: 'conflict',
    tenantId: record.tenantId,
    entityType: record.entityType,
    recordId: record.id,
    connectionId: side.connectionId,
    field: WHOLE,
    reason: 'likely_duplicate',
    status: 'open',
    strategy: 'manual',
    base: null,
    local: { recordId: other.id, fields: other.fields },
    external: record.fields,
    createdAt: at,
    updatedAt: at,
  }
}

/** The record that was there is not created in the system whose row it may be. */
export function awaitReview(
  record: RecordDocument,
  of: { readonly conflict: ConflictDocument; readonly side: Side; readonly now: Date },
): Merged {
  const { conflict, side, now } = of
  const draft = draftOf(record, now)
  const held = {
    conflictId: conflict.id,
    external: null,
    reason: conflict.reason,
    since: conflict.createdAt,
  }
  setLink(draft, side.connectionId, (link) => ({ ...link, held: { ...link.held, [WHOLE]: held } }))
  return finish(draft)
}

/** The person has decided. */
export function endReview(
  record: RecordDocument,
  { side, now }: { readonly side: Side; readonly now: Date },
): Merged {
  const draft = draftOf(record, now)
  setLink(draft, side.connectionId, (link) => ({ ...link, held: without(link.held, WHOLE) }))
  return finish(draft)
}
