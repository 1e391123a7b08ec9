import type { JsonObject } from '../core/canonical-json.ts'
import { isSame } from './change.ts'
import { resolveConflict, type Decision } from './conflict.ts'
import {
  calm,
  draftOf,
  finish,
  hold,
  isAgreed,
  linkOf,
  moveHeld,
  originOf,
  release,
  setLink,
  settle,
  type Draft,
  type Merged,
} from './draft.ts'
import { writableFields } from './mapping.ts'
import { mergeFields } from './merge-fields.ts'
import { isOlder, WHOLE, type IncomingRow, type Link, type RecordDocument } from './record.ts'
import { policyOf, resolutionOf, ruleOf, type Side } from './side.ts'

/**
 * A row was found deleted on the other side. The record is deleted as well, unless something changed here that the other
 * side never saw: then it is a contest, whose loser is kept. The record stays as a mark, so that nothing brings it back.
 */
export function mergeDeletion(
  record: RecordDocument,
  { side, at, now }: { readonly side: Side; readonly at: string; readonly now: Date },
): Merged {
  const draft = draftOf(record, now)
  const link = linkOf(record, side.connectionId)
  if (link.externalId === null || link.goneAt !== undefined) return finish(draft)
  setLink(draft, side.connectionId, (before) => ({ ...calm(before), goneAt: at }))
  if (record.deleted || side.policy.deletes === 'ignore') return finish(draft)
  const unseen = side.pushes ? unseenFields(record, side) : []
  if (unseen.length === 0) {
    draft.record = { ...draft.record, deleted: { by: side.connectionId, at } }
    return finish(draft)
  }
  const external = { deletedAt: at }
  const decision = decideWhole(side, { localAt: latestOf(record, unseen), externalAt: at })
  if (decision.winner === 'nobody') {
    hold(draft, side, { field: WHOLE, external, reason: 'deleted_and_changed' })
    return finish(draft)
  }
  const winner = decision.winner === 'external' ? 'external' : 'local'
  settle(draft, side, { field: WHOLE, external, reason: 'deleted_and_changed', winner })
  if (winner === 'external') {
    draft.record = { ...draft.record, deleted: { by: side.connectionId, at } }
  } else setLink(draft, side.connectionId, reborn)
  return finish(draft)
}

function decideWhole(side: Side, when: { localAt: string; externalAt: string }): Decision {
  return resolveConflict(
    { base: null, local: null, external: null, ...when },
    resolutionOf(side, WHOLE),
  )
}

/** Fields whose change here the other side has not been told. */
export function unseenFields(record: RecordDocument, side: Side): readonly string[] {
  return writableFields(side.mapping).filter((field) => !isAgreed({ record }, side, field))
}

function latestOf(record: RecordDocument, fields: readonly string[]): string {
  return (
    fields
      .map((field) => originOf(record, field).at)
      .sort()
      .at(-1) ?? record.updatedAt
  )
}

/** The link of a record that is to be created there anew. */
export function reborn({ generation }: Link): Link {
  return {
    externalId: null,
    generation: generation + 1,
    base: {},
    theirs: {},
    version: null,
    held: {},
  }
}

/**
 * A row that is there although its record is deleted, or was found deleted itself. The caller has made sure that it is
 * really there.
 */
export function mergeIntoDeleted(draft: Draft, side: Side, row: IncomingRow): void {
  const { record } = draft
  const link = linkOf(record, side.connectionId)
  // A row of the version that was deleted was read before it was.
  if (link.goneAt !== undefined && link.version && !isOlder(link.version, row.version)) return
  if (link.goneAt !== undefined) return revive(draft, side, row)
  if (!hasNews(link, side, row.fields)) return
  const { deleted } = record
  if (!deleted) return
  if (link.held[WHOLE]) return moveHeld(draft, side, { field: WHOLE, external: row.fields })
  const when = { localAt: deleted.at, externalAt: row.version.time }
  const decision = decideWhole(side, when)
  const contested = { field: WHOLE, external: row.fields, reason: 'deleted_and_changed' } as const
  if (decision.winner === 'nobody') return hold(draft, side, contested)
  const winner = decision.winner === 'external' ? 'external' : 'local'
  settle(draft, side, { ...contested, winner })
  if (winner === 'external') return revive(draft, side, row)
  // Known and answered: the deletion that follows is the answer.
  setLink(draft, side.connectionId, (before) => ({
    ...before,
    base: { ...before.base, ...row.fields },
    theirs: {},
    version: row.version,
  }))
}

function hasNews(link: Link, side: Side, fields: JsonObject): boolean {
  return Object.entries(fields).some(([field, external]) => {
    const known = Object.hasOwn(link.theirs, field) ? link.theirs[field] : link.base[field]
    return !isSame(external, known, ruleOf(side, field)?.equality)
  })
}

/** The record lives again: what is there is taken, and where it was deleted it is created anew. */
export function revive(draft: Draft, side: Side, row: IncomingRow): void {
  const waiting = waitingRows(draft.record, side)
  for (const connectionId of Object.keys(draft.record.links)) {
    release(draft, connectionId, { field: WHOLE, winner: 'external', by: 'agreement' })
  }
  const { record } = draft
  const links = Object.entries(record.links).map(([connectionId, link]): [string, Link] => {
    if (connectionId !== side.connectionId) {
      return [connectionId, link.goneAt === undefined ? link : reborn(link)]
    }
    return [connectionId, { ...calm(link, null), externalId: row.externalId }]
  })
  draft.record = { ...record, deleted: null, links: Object.fromEntries(links) }
  mergeFields(draft, side, row)
  for (const { connectionId, incoming } of waiting) {
    mergeFields(draft, { ...side, connectionId, ...undecided }, incoming)
  }
}

/** What others changed while a person was to say whether the record is deleted: where it contradicts, they still are. */
const undecided: Pick<Side, 'mapping' | 'policy'> = {
  mapping: { entityType: '', fields: [] },
  policy: policyOf({ conflictStrategy: 'manual' }),
}

function waitingRows(record: RecordDocument, side: Side) {
  return Object.entries(record.links).flatMap(([connectionId, link]) => {
    const held = link.held[WHOLE]
    const { externalId, version } = link
    if (!held || connectionId === side.connectionId || link.goneAt !== undefined) return []
    if (externalId === null) return []
    const fields = held.external as JsonObject // of a row that is there, the whole of it is held
    const seen = version ?? { time: held.since, count: 0 }
    return [{ connectionId, incoming: { externalId, version: seen, fields } }]
  })
}

/** A deletion through our own API, or a person's decision. */
export function deleteLocally(
  record: RecordDocument,
  { by, now }: { readonly by: string; readonly now: Date },
): Merged {
  const draft = draftOf(record, now)
  if (!record.deleted) draft.record = { ...record, deleted: { by, at: now.toISOString() } }
  return finish(draft)
}
