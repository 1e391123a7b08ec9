import type { Json } from '../core/canonical-json.ts'
import { isSame } from './change.ts'
import { resolveConflict } from './conflict.ts'
import {
  agree,
  hold,
  linkOf,
  moveHeld,
  originOf,
  release,
  setField,
  setLink,
  settle,
  type Draft,
} from './draft.ts'
import type { IncomingRow, Origin } from './record.ts'
import { resolutionOf, ruleOf, type Side } from './side.ts'

/** Field by field: what was agreed, what we have, what they have. */
export function mergeFields(draft: Draft, side: Side, row: IncomingRow): void {
  const before = draft.record
  for (const [field, external] of Object.entries(row.fields)) {
    mergeField(draft, side, { field, external, at: row.version.time })
  }
  const { externalId } = linkOf(before, side.connectionId)
  // A version alone is not worth a write.
  if (draft.record === before && externalId === row.externalId) return
  setLink(draft, side.connectionId, (link) => ({ ...link, version: row.version }))
}

interface Incoming {
  readonly field: string
  readonly external: Json
  readonly at: string
}

function mergeField(draft: Draft, side: Side, incoming: Incoming): void {
  const { field, external } = incoming
  const { record } = draft
  const link = linkOf(record, side.connectionId)
  const equality = ruleOf(side, field)?.equality
  const local = record.fields[field] ?? null
  const base = link.base[field] ?? null
  const theirs = Object.hasOwn(link.theirs, field) ? (link.theirs[field] ?? null) : base
  const theyMoved = !isSame(external, theirs, equality)
  const weMoved = !isSame(local, base, equality)
  const agreed = isSame(local, external, equality)
  if (link.held[field]) {
    const winner = agreed ? 'merged' : !theyMoved ? 'local' : !weMoved ? 'external' : undefined
    if (winner === undefined) {
      if (!isSame(external, link.held[field].external, equality)) moveHeld(draft, side, incoming)
      return
    }
    release(draft, side.connectionId, { field, winner, by: 'agreement' })
  }
  if (!theyMoved && !(agreed && weMoved)) return
  if (agreed) return agree(draft, side, { field, value: local })
  if (!weMoved) return take(draft, side, incoming)
  contest(draft, side, incoming)
}

function take(draft: Draft, side: Side, { field, external, at }: Incoming): void {
  const origin: Origin = { by: side.connectionId, at }
  if (!setField(draft, { field, value: external, origin })) {
    return hold(draft, side, { field, external, reason: 'oscillation' })
  }
  agree(draft, side, { field, value: external })
}

function contest(draft: Draft, side: Side, incoming: Incoming): void {
  const { field, external, at } = incoming
  const { record } = draft
  const decision = resolveConflict(
    {
      base: linkOf(record, side.connectionId).base[field] ?? null,
      local: record.fields[field] ?? null,
      external,
      localAt: originOf(record, field).at,
      externalAt: at,
    },
    resolutionOf(side, field),
  )
  if (decision.winner === 'nobody') {
    return hold(draft, side, { field, external, reason: 'both_changed' })
  }
  if (decision.winner !== 'merged') {
    settle(draft, side, { field, external, reason: 'both_changed', winner: decision.winner })
  }
  if (decision.winner === 'external') return take(draft, side, incoming)
  // What they have now is known and answered: the push that follows is the answer.
  agree(draft, side, { field, value: external })
  if (decision.winner === 'merged') {
    const origin: Origin = { by: side.connectionId, at: laterOf(at, originOf(record, field).at) }
    setField(draft, { field, value: decision.value, origin })
  }
}

function laterOf(a: string, b: string): string {
  return a < b ? b : a
}
