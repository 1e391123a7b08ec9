import type { JsonObject } from '../core/canonical-json.ts'
import { isSame } from './change.ts'
import { reborn, unseenFields } from './deletion.ts'
import { recordKeys } from './record-keys.ts'
import { calm, draftOf, finish, linkOf, setLink, without, type Merged } from './draft.ts'
import { writableFields } from './mapping.ts'
import { mergeRow } from './merge.ts'
import {
  isOlder,
  markerOf,
  WHOLE,
  type IncomingRow,
  type Link,
  type RecordDocument,
  type Version,
} from './record.ts'
import { ruleOf, type Side } from './side.ts'

/** What one connection still has to be told about a record: the difference of the states, not a list of events. */
export type Push =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'create'; readonly marker: string; readonly fields: JsonObject }
  | { readonly kind: 'update'; readonly externalId: string; readonly fields: JsonObject }
  | { readonly kind: 'delete'; readonly externalId: string }

const nothing: Push = { kind: 'nothing' }

/** The smallest change that makes the other side agree; contests that wait for a person are left out. */
export function pushOf(record: RecordDocument, side: Side): Push {
  if (!side.pushes) return nothing
  const link = linkOf(record, side.connectionId)
  if (link.goneAt !== undefined || link.held[WHOLE] || link.parked) return nothing
  const { externalId } = link
  if (record.deleted) {
    if (externalId === null || side.policy.deletes === 'ignore') return nothing
    return { kind: 'delete', externalId }
  }
  if (externalId === null) {
    const fields = only(record.fields, writableFields(side.mapping))
    const marker = markerOf(record.id, link.generation)
    return { kind: 'create', marker, fields: withoutNulls(fields) }
  }
  const changed = unseenFields(record, side).filter((field) => !link.held[field])
  if (changed.length === 0) return nothing
  const nulls = Object.fromEntries(changed.map((field) => [field, null]))
  return { kind: 'update', externalId, fields: { ...nulls, ...only(record.fields, changed) } }
}

function only(fields: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)))
}

function withoutNulls(fields: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
}

/** The record with its outbox filled in: every side that is to be told something, now or when somebody lets it. */
export function addressed(record: RecordDocument, sides: readonly Side[]): RecordDocument {
  const pending = sides
    .filter((side) => pushOf(record, side).kind !== 'nothing')
    .map(({ connectionId }) => connectionId)
  const { keys: _, ...rest } = record
  const keys = recordKeys(record.fields, sides)
  return {
    ...rest,
    pending: record.hold === undefined ? pending : [],
    ...(keys.length === 0 ? {} : { keys }),
  }
}

/** What a vendor answered to a write that it did. */
export interface Pushed {
  readonly externalId: string
  readonly version?: Version | undefined
  /** The row as it is there now, decoded. */
  readonly row?: IncomingRow | undefined
}

/**
 * Stores what a push has brought about, in the record as it is now: it may have changed meanwhile on either side. The
 * vendor's own form of what we sent becomes their half of the agreement.
 */
export function recordPush(
  record: RecordDocument,
  { push, pushed }: { readonly push: Push; readonly pushed: Pushed },
  context: { readonly side: Side; readonly now: Date },
): Merged {
  const { side, now } = context
  const draft = draftOf(record, now)
  if (push.kind === 'nothing') return finish(draft)
  const at = now.toISOString()
  if (push.kind === 'delete') {
    // Somebody may have brought the record back while it was being deleted there: then it is created there anew.
    const isBack = record.deleted === null
    setLink(draft, side.connectionId, (link) =>
      isBack ? reborn(link) : { ...calm(link), goneAt: at },
    )
    return finish(draft)
  }
  setLink(draft, side.connectionId, (before) => {
    // While it was created there another row may have become its copy: what was agreed of that one is not of this.
    const isOther = before.externalId !== null && before.externalId !== pushed.externalId
    const link = isOther ? { ...before, base: {}, theirs: {}, version: null } : before
    return {
      ...calm(link),
      ...agreedOn(link, push.fields, { side, row: pushed.row }),
      externalId: pushed.externalId,
      version: pushed.version ?? link.version,
      ...(pushed.version ? {} : { pushedAt: at }),
    }
  })
  const merged = pushed.row && mergeRow(draft.record, pushed.row, context)
  return merged?.changed ? merged : finish(draft)
}

function agreedOn(
  link: Link,
  sent: JsonObject,
  { side, row }: { readonly side: Side; readonly row: IncomingRow | undefined },
): Pick<Link, 'base' | 'theirs'> {
  const base = { ...link.base, ...sent }
  let theirs: JsonObject = link.theirs
  for (const [field, ours] of Object.entries(sent)) {
    theirs = without(theirs, field)
    const answered = row && Object.hasOwn(row.fields, field) ? (row.fields[field] ?? null) : ours
    if (!isSame(answered, ours, ruleOf(side, field)?.equality)) {
      theirs = { ...theirs, [field]: answered }
    }
  }
  return { base, theirs }
}

/** The row was read again: what is written next is compared with this version. */
export function noteVersion(
  record: RecordDocument,
  version: Version,
  { side, now }: { readonly side: Side; readonly now: Date },
): Merged {
  const draft = draftOf(record, now)
  const known = linkOf(record, side.connectionId).version
  if (!known || isOlder(known, version)) {
    setLink(draft, side.connectionId, (link) => ({ ...link, version }))
  }
  return finish(draft)
}

/** The push was refused for good: it waits until the record changes, or a person sends it again. */
export function parkPush(
  record: RecordDocument,
  reason: NonNullable<Link['parked']>,
  { side, now }: { readonly side: Side; readonly now: Date },
): Merged {
  const draft = draftOf(record, now)
  setLink(draft, side.connectionId, (link) => ({ ...calm(link), parked: reason }))
  return finish(draft)
}

/** What was refused for good is not what is to be pushed by now: it is tried, and then it leaves the list of what is parked. */
export function outdatePush(
  record: RecordDocument,
  { side, now }: { readonly side: Side; readonly now: Date },
): Merged {
  const draft = draftOf(record, now)
  setLink(draft, side.connectionId, (link) => ({ ...calm(link), wasParked: true }))
  return finish(draft)
}

/** The push is tried again later. */
export function delayPush(
  record: RecordDocument,
  retryAt: Date,
  { side, now }: { readonly side: Side; readonly now: Date },
): Merged {
  const draft = draftOf(record, now)
  setLink(draft, side.connectionId, (link) => ({
    ...link,
    attempts: (link.attempts ?? 0) + 1,
    retryAt: retryAt.toISOString(),
  }))
  return finish(draft)
}

/** The push waits for something else; that is no failure of its own. */
export function putOffPush(
  record: RecordDocument,
  retryAt: Date,
  { side, now }: { readonly side: Side; readonly now: Date },
): Merged {
  const draft = draftOf(record, now)
  setLink(draft, side.connectionId, (link) => ({ ...link, retryAt: retryAt.toISOString() }))
  return finish(draft)
}

/** A record that was parked for a side is to be tried again. */
export function unpark(record: RecordDocument, connectionId: string, now: Date): Merged {
  const draft = draftOf(record, now)
  if (linkOf(record, connectionId).parked) setLink(draft, connectionId, calm)
  return finish(draft)
}
