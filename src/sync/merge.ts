import type { JsonObject } from '../core/canonical-json.ts'
import { isSame } from './change.ts'
import { mergeIntoDeleted } from './deletion.ts'
import { draftOf, finish, linkOf, setField, setLink, type Merged } from './draft.ts'
import { mergeFields } from './merge-fields.ts'
import {
  isOlder,
  recordIdOf,
  type IncomingRow,
  type RecordDocument,
  type StreamKey,
} from './record.ts'
import type { Side } from './side.ts'

/** A row that is no record yet becomes one; `former` tells it from the record that it was before. */
export function recordOf(
  row: IncomingRow,
  of: { readonly key: StreamKey; readonly now: Date; readonly former?: string | undefined },
): RecordDocument {
  const { key, now, former } = of
  const { tenantId, entityType, connectionId } = key
  const at = now.toISOString()
  return {
    id: recordIdOf(key, row.externalId, former),
    kind: 'record',
    tenantId,
    entityType,
    rev: 1,
    fields: row.fields,
    origin: { by: connectionId, at: row.version.time },
    origins: {},
    deleted: null,
    links: {
      [connectionId]: {
        externalId: row.externalId,
        generation: 0,
        base: row.fields,
        theirs: {},
        version: row.version,
        held: {},
      },
    },
    pending: [],
    createdAt: at,
    updatedAt: at,
  }
}

/**
 * Three-way merge of a row into its record: what only the other side changed is taken, what only we changed stays to be
 * pushed, what both changed is decided by the field's strategy and the loser is kept. Nothing else moves, and the same row
 * a second time changes nothing.
 */
export function mergeRow(
  record: RecordDocument,
  row: IncomingRow,
  { side, now }: { readonly side: Side; readonly now: Date },
): Merged {
  const draft = draftOf(record, now)
  const link = linkOf(record, side.connectionId)
  if (link.version && isOlder(row.version, link.version)) return finish(draft)
  if (record.deleted || link.goneAt !== undefined) mergeIntoDeleted(draft, side, row)
  else mergeFields(draft, side, row)
  return finish(draft)
}

/** Makes an external row the copy of a record that it has none of yet: nothing was ever agreed. */
export function adoptRow(
  record: RecordDocument,
  row: IncomingRow,
  { side, now }: { readonly side: Side; readonly now: Date },
): Merged {
  const draft = draftOf(record, now)
  setLink(draft, side.connectionId, ({ generation }) => ({
    externalId: row.externalId,
    generation,
    // What is to be deleted there needs no merge.
    base: record.deleted ? row.fields : {},
    theirs: {},
    version: row.version,
    held: {},
  }))
  if (!record.deleted) mergeFields(draft, side, row)
  return finish(draft)
}

/** A change through our own API, or a person's decision. Fields that it does not name stay as they are. */
export function changeLocally(
  record: RecordDocument,
  changes: JsonObject,
  { by, now }: { readonly by: string; readonly now: Date },
): Merged {
  const draft = draftOf(record, now)
  for (const [field, value] of Object.entries(changes)) {
    if (isSame(record.fields[field], value, undefined)) continue
    const at = now.toISOString()
    setField(draft, { field, value, origin: { by, at } })
  }
  return finish(draft)
}
