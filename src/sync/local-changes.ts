import type { JsonObject } from '../core/canonical-json.ts'
import type { Stored, Write, WriteOutcome } from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import { newId } from '../core/ids.ts'
import { deleteLocally } from './deletion.ts'
import type { Merged } from './draft.ts'
import { changeLocally } from './merge.ts'
import { announce } from './outbox.ts'
import type { SyncPorts } from './ports.ts'
import { addressed } from './push.ts'
import type { RecordDocument, ShardDocument } from './record.ts'
import { sidesOf } from './sides.ts'

type RecordPorts = Pick<SyncPorts, 'shards' | 'tasks' | 'mappingOf' | 'outbound' | 'clock'>

export interface RecordKey {
  readonly tenantId: string
  readonly entityType: string
  readonly id: string
}

/** Throws `not_found`. */
export async function findRecord(
  ports: Pick<SyncPorts, 'shards'>,
  { tenantId, entityType, id }: RecordKey,
): Promise<Stored<RecordDocument>> {
  const stored = await ports.shards.get([tenantId, entityType], id)
  if (stored?.document.kind !== 'record') {
    throw new AppError('not_found', `there is no ${entityType} ${id}`)
  }
  return { document: stored.document, etag: stored.etag }
}

export interface LocalChange {
  /** Who made it, for the origin of the fields. */
  readonly by: string
  /** The tag that the caller has seen; a record that has changed since is a `conflict`. */
  readonly etag?: string | undefined
}

/** A record of our own. Its outbox is written with it: every connection that is pushed to gets it. */
export async function createRecord(
  ports: RecordPorts,
  { tenantId, entityType, by }: { tenantId: string; entityType: string; by: string },
  fields: JsonObject,
): Promise<Stored<RecordDocument>> {
  const at = ports.clock().toISOString()
  const record: RecordDocument = {
    id: newId('rec'),
    kind: 'record',
    tenantId,
    entityType,
    rev: 1,
    fields,
    origin: { by, at },
    origins: {},
    deleted: null,
    links: {},
    pending: [],
    createdAt: at,
    updatedAt: at,
  }
  return store(ports, { merged: { record, conflicts: [], changed: true }, etag: undefined })
}

/** Throws `not_found`, `conflict`. Fields that are not named stay as they are; null empties one. */
export async function changeRecord(
  ports: RecordPorts,
  key: RecordKey,
  change: LocalChange & { readonly fields: JsonObject },
): Promise<Stored<RecordDocument>> {
  const found = await findAt(ports, key, change.etag)
  if (found.document.deleted) throw new AppError('not_found', `${key.id} is deleted`)
  const merged = changeLocally(found.document, change.fields, {
    by: change.by,
    now: ports.clock(),
  })
  return merged.changed ? store(ports, { merged, etag: found.etag }) : found
}

/** The record stays as a mark; where it is linked it is deleted. Throws `not_found`, `conflict`. */
export async function deleteRecord(
  ports: RecordPorts,
  key: RecordKey,
  change: LocalChange,
): Promise<void> {
  const found = await findAt(ports, key, change.etag)
  const merged = deleteLocally(found.document, { by: change.by, now: ports.clock() })
  if (merged.changed) await store(ports, { merged, etag: found.etag })
}

async function findAt(
  ports: RecordPorts,
  key: RecordKey,
  etag: string | undefined,
): Promise<Stored<RecordDocument>> {
  const found = await findRecord(ports, key)
  if (etag !== undefined && etag !== found.etag) throw stale(key.id)
  return found
}

function stale(id: string): AppError {
  return new AppError('conflict', `${id} has changed: read it again`)
}

/** Writes a record with its outbox and its conflicts, and tells the workers. Throws `conflict`. */
export async function store(
  ports: RecordPorts,
  {
    merged,
    etag,
    writes = [],
  }: {
    readonly merged: Merged
    readonly etag: string | undefined
    /** Other documents of the same write. */
    readonly writes?: readonly Write<ShardDocument>[]
  },
): Promise<Stored<RecordDocument>> {
  const { tenantId, entityType } = merged.record
  const sides = await sidesOf(ports, tenantId, entityType)
  const document = addressed(merged.record, sides)
  const outcome: WriteOutcome = await ports.shards.write(
    [tenantId, entityType],
    [
      etag === undefined ? { kind: 'create', document } : { kind: 'replace', document, etag },
      ...writes,
      ...merged.conflicts.map((conflict) => ({ kind: 'upsert', document: conflict }) as const),
    ],
  )
  if (!outcome.committed) throw stale(document.id)
  const others = sides.filter(({ pushes }) => pushes)
  await announce(ports, [document], { sides: others, correlationId: document.id })
  return { document, etag: outcome.etags[0] ?? '' }
}
