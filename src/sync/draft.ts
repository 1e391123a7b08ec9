import { hashOf, type Json } from '../core/canonical-json.ts'
import { idOf } from '../core/ids.ts'
import { canonicalOf, isSame } from './change.ts'
import type { ConflictDocument, FieldOrigin, Held, Link, Origin, RecordDocument } from './record.ts'
import { resolutionOf, ruleOf, type Side } from './side.ts'

/** A record while it is being changed, with the conflicts that the change opens, moves or closes. */
export interface Draft {
  readonly before: RecordDocument
  record: RecordDocument
  readonly conflicts: Map<string, ConflictDocument>
  readonly now: Date
}

export interface Merged {
  readonly record: RecordDocument
  /** To be stored in the same write as the record. */
  readonly conflicts: readonly ConflictDocument[]
  readonly changed: boolean
}

export function draftOf(record: RecordDocument, now: Date): Draft {
  return { before: record, record, conflicts: new Map(), now }
}

export function finish({ before, record, conflicts, now }: Draft): Merged {
  if (record === before) return { record, conflicts: [], changed: false }
  const told = record.fields !== before.fields || record.deleted !== before.deleted
  const links = told ? unparked(record.links) : record.links
  return {
    record: { ...record, links, rev: before.rev + 1, updatedAt: now.toISOString() },
    conflicts: [...conflicts.values()],
    changed: true,
  }
}

/** What was refused before may be taken now that the record is another. */
function unparked(links: RecordDocument['links']): RecordDocument['links'] {
  return Object.fromEntries(
    Object.entries(links).map(([id, link]) => [
      id,
      link.parked ? { ...calm(link), wasParked: true } : link,
    ]),
  )
}

/** A link with nothing to wait for. */
export function calm(link: Link, goneAt: string | null = link.goneAt ?? null): Link {
  const { externalId, generation, base, theirs, version, held } = link
  const alive = { externalId, generation, base, theirs, version, held }
  return goneAt === null ? alive : { ...alive, goneAt }
}

const noLink: Link = {
  externalId: null,
  generation: 0,
  base: {},
  theirs: {},
  version: null,
  held: {},
}

export function linkOf({ links }: RecordDocument, connectionId: string): Link {
  return Object.hasOwn(links, connectionId) ? (links[connectionId] ?? noLink) : noLink
}

/** Whether a record still has no row of the connection. */
export function isFree(record: RecordDocument, connectionId: string): boolean {
  return !record.deleted && linkOf(record, connectionId).externalId === null
}

export function setLink(draft: Draft, connectionId: string, change: (link: Link) => Link): void {
  const { record } = draft
  const link = change(linkOf(record, connectionId))
  draft.record = { ...record, links: { ...record.links, [connectionId]: link } }
}

export function originOf({ origin, origins }: RecordDocument, field: string): FieldOrigin {
  return Object.hasOwn(origins, field) ? (origins[field] ?? origin) : origin
}

/** Values that changes of two connections bring back in turns so often are fought over by two machines. */
const MAX_TURNS = 8
const TURN_WINDOW_MS = 3_600_000

/** The field's next origin; undefined when two systems keep undoing each other's change. */
function nextOrigin(
  record: RecordDocument,
  { field, value, origin }: { field: string; value: Json; origin: Origin },
): FieldOrigin | undefined {
  const last = originOf(record, field)
  const was = hashOf(canonicalOf(record.fields[field])).slice(0, 12)
  const back =
    last.was === hashOf(canonicalOf(value)).slice(0, 12) &&
    last.by !== origin.by &&
    Math.abs(Date.parse(origin.at) - Date.parse(last.at)) < TURN_WINDOW_MS
  const turns = back ? (last.turns ?? 0) + 1 : 0
  if (turns >= MAX_TURNS) return undefined
  return { ...origin, was, ...(turns > 0 ? { turns } : {}) }
}

/** Gives a field a value. False when two systems keep undoing each other: then it stays as it is. */
export function setField(
  draft: Draft,
  change: { readonly field: string; readonly value: Json; readonly origin: Origin },
): boolean {
  const { record } = draft
  const origin = nextOrigin(record, change)
  if (!origin) return false
  const { field, value } = change
  draft.record = {
    ...record,
    fields: { ...record.fields, [field]: value },
    origins: { ...record.origins, [field]: origin },
  }
  rebaseHeld(draft, field)
  return true
}

/** Both halves of what was agreed become this value. */
export function agree(draft: Draft, side: Side, change: { field: string; value: Json }): void {
  setLink(draft, side.connectionId, (link) => ({
    ...link,
    base: { ...link.base, [change.field]: change.value },
    theirs: without(link.theirs, change.field),
  }))
}

export function without<T>(map: Readonly<Record<string, T>>, key: string): Record<string, T> {
  return Object.fromEntries(Object.entries(map).filter(([name]) => name !== key))
}

export interface Contested {
  readonly field: string
  readonly external: Json
  readonly reason: ConflictDocument['reason']
}

/** Keeps a contest for a person. */
export function hold(draft: Draft, side: Side, { field, external, reason }: Contested): void {
  const { record } = draft
  const conflictId = conflictIdOf(record, side.connectionId, field)
  const opened = document(draft, side, { field, external, reason })
  draft.conflicts.set(conflictId, { ...opened, id: conflictId, status: 'open' })
  putHeld(draft, side.connectionId, {
    field,
    held: { conflictId, external, reason, since: opened.createdAt },
  })
}

/** Keeps what lost. Called before the winner is written. */
export function settle(
  draft: Draft,
  side: Side,
  settled: Contested & { readonly winner: 'local' | 'external' },
): void {
  const id = conflictIdOf(draft.record, side.connectionId, settled.field)
  draft.conflicts.set(id, {
    ...document(draft, side, settled),
    id,
    status: 'resolved',
    winner: settled.winner,
    resolvedBy: resolutionOf(side, settled.field).strategy,
  })
}

function document(draft: Draft, side: Side, { field, external, reason }: Contested) {
  const { record, now } = draft
  const { tenantId, entityType, id: recordId } = record
  const at = now.toISOString()
  return {
    kind: 'conflict',
    tenantId,
    entityType,
    recordId,
    connectionId: side.connectionId,
    field,
    reason,
    strategy: resolutionOf(side, field).strategy,
    base: valueOf(field, linkOf(record, side.connectionId).base, null),
    local: valueOf(field, record.fields, record.deleted && { deletedAt: record.deleted.at }),
    external,
    createdAt: at,
    updatedAt: at,
  } as const
}

function valueOf(field: string, fields: RecordDocument['fields'], whole: Json): Json {
  return field === '' ? (whole ?? fields) : (fields[field] ?? null)
}

/** The revision makes it another conflict the next time; a repeated try of this one has the same. */
export function conflictIdOf(
  { id, rev }: RecordDocument,
  connectionId: string,
  field: string,
): string {
  return idOf('conflict', id, connectionId, field, String(rev))
}

function putHeld(
  draft: Draft,
  connectionId: string,
  { field, held }: { readonly field: string; readonly held: Held },
): void {
  setLink(draft, connectionId, (link) => ({ ...link, held: { ...link.held, [field]: held } }))
}

/** The other side of a waiting contest has moved on: the person sees what is there now. */
export function moveHeld(draft: Draft, side: Side, moved: { field: string; external: Json }): void {
  const held = linkOf(draft.record, side.connectionId).held[moved.field]
  if (!held) return
  putHeld(draft, side.connectionId, {
    field: moved.field,
    held: { ...held, external: moved.external },
  })
  rewrite(draft, side.connectionId, { field: moved.field, closed: {} })
}

/** A waiting contest is over. */
export function release(
  draft: Draft,
  connectionId: string,
  closing: { field: string; winner: ConflictDocument['winner']; by: string },
): void {
  const { field, winner, by } = closing
  if (!linkOf(draft.record, connectionId).held[field]) return
  rewrite(draft, connectionId, {
    field,
    closed: { status: 'resolved', ...(winner ? { winner } : {}), resolvedBy: by },
  })
  setLink(draft, connectionId, (link) => ({ ...link, held: without(link.held, field) }))
}

function rewrite(
  draft: Draft,
  connectionId: string,
  { field, closed }: { field: string; closed: Partial<ConflictDocument> },
): void {
  const { record, now } = draft
  const link = linkOf(record, connectionId)
  const held = link.held[field]
  if (!held) return
  draft.conflicts.set(held.conflictId, {
    id: held.conflictId,
    kind: 'conflict',
    tenantId: record.tenantId,
    entityType: record.entityType,
    recordId: record.id,
    connectionId,
    field,
    reason: held.reason,
    status: 'open',
    strategy: 'manual',
    base: valueOf(field, link.base, null),
    local: valueOf(field, record.fields, record.deleted && { deletedAt: record.deleted.at }),
    external: held.external,
    createdAt: held.since,
    updatedAt: now.toISOString(),
    ...closed,
  })
}

/** Our side of waiting contests has moved on; one whose sides now say the same is over. */
function rebaseHeld(draft: Draft, field: string): void {
  for (const [connectionId, link] of Object.entries(draft.record.links)) {
    const held = link.held[field]
    if (held) rewrite(draft, connectionId, { field, closed: {} })
  }
}

/** Whether the value of a field is the same here and as last agreed with a side. */
export function isAgreed({ record }: Pick<Draft, 'record'>, side: Side, field: string): boolean {
  const link = linkOf(record, side.connectionId)
  return isSame(record.fields[field], link.base[field], ruleOf(side, field)?.equality)
}
