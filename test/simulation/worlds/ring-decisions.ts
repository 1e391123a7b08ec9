import { canonicalJson } from '../../../src/core/canonical-json.ts'
import { linkOf, originOf } from '../../../src/sync/draft.ts'
import type { ConflictDocument, RecordDocument, ShardDocument } from '../../../src/sync/record.ts'
import { policyOf } from '../../../src/sync/side.ts'
import type { Task } from '../../../src/sync/task.ts'
import type { Commit } from '../simulated-ports.ts'
import type { Actor, Simulation } from '../simulation.ts'

type Changes = Commit<ShardDocument>['changes']

/** How contests may be decided: by the clock only where it can tell, and by a person only of what he has seen. */
export function decisionLaws(
  sim: Simulation,
  said: Pick<Task, 'conflictStrategy' | 'tieBreak' | 'skewMs'>,
) {
  const policy = policyOf(said)
  const looked = new WeakMap<Actor, ConflictDocument>()

  /** Stamps within the tolerance tell nothing: then the tie-break decides, or a person. */
  const decidedByTime = (actor: Actor, changes: Changes, conflict: ConflictDocument) => {
    const { recordId, connectionId, field, status, winner = 'nobody' } = conflict
    const record = changes.find(({ after }) => after.id === recordId)
    if (record?.before?.kind !== 'record' || record.after.kind !== 'record') return
    const here = originOf(record.before, field).at
    const there = linkOf(record.after, connectionId).version?.time ?? ''
    const aheadMs = Date.parse(here) - Date.parse(there)
    const tie = { local_wins: 'local', external_wins: 'external', manual: 'nobody' } as const
    const isTie = Math.abs(aheadMs) <= policy.skewMs
    const right = isTie ? tie[policy.tieBreak] : aheadMs > 0 ? 'local' : 'external'
    const is = status === 'open' ? 'nobody' : winner
    if (isTie) sim.note(actor.name, `both changed ${field} within the tolerance: ${is}`)
    if (is === right) return
    sim.violate(
      5,
      `${actor.name} let ${is} win ${field} of ${recordId}, changed here ${here}, there ${there}: it is for ${right}`,
    )
  }
  const decidedByPerson = (actor: Actor, changes: Changes, conflict: ConflictDocument) => {
    const seen = looked.get(actor)
    const before = changes.find(({ after }) => after.id === conflict.recordId)?.before
    // That a record lives again ends what others asked about its deletion.
    if (seen?.id !== conflict.id || before?.kind !== 'record') return
    const { connectionId, field } = conflict
    const now = linkOf(before, connectionId).held[field]?.external ?? null
    const here = field === '' ? seen.local : (before.fields[field] ?? null)
    const stale = canonicalJson([seen.local, seen.external]) !== canonicalJson([here, now])
    if (!stale) return
    sim.violate(
      5,
      `${actor.name} decided about ${canonicalJson([seen.local, seen.external])} when it was ${canonicalJson([here, now])}`,
    )
  }
  return {
    reviewing: (actor: Actor, conflict: ConflictDocument) => void looked.set(actor, conflict),
    decided: ({ actor, changes }: Commit<ShardDocument>) => {
      for (const { before, after } of changes) {
        if (after.kind !== 'conflict') continue
        const isOver = after.status === 'resolved' && before?.kind === 'conflict'
        if (isOver && actor.kind === 'reviewer') decidedByPerson(actor, changes, after)
        const isNew =
          before === undefined &&
          after.reason === 'both_changed' &&
          after.strategy === 'newest_wins'
        if (isNew && actor.kind === 'inbound') {
          decidedByTime(actor, changes, after)
        }
      }
    },
  }
}

/** Which row is which record, and that nothing is made that was gone before. */
export function lifeLaws(sim: Simulation) {
  const records = new Map<string, RecordDocument>()
  /** When a record that nobody outside had seen was deleted here. */
  const dead = new Map<string, number>()
  const begun = new WeakMap<Actor, number>()
  return {
    begins: (actor: Actor) => void begun.set(actor, sim.now()),
    lived: ({ actor, changes }: Commit<ShardDocument>) => {
      for (const { after } of changes) {
        if (after.kind !== 'record') continue
        records.set(after.id, after)
        if (!after.deleted) dead.delete(after.id)
        else if (!dead.has(after.id)) dead.set(after.id, sim.now())
      }
      for (const { before, after } of changes) {
        if (after.kind !== 'link' || before?.kind !== 'link') continue
        const { recordId } = before
        const owner = records.get(recordId)
        const own = owner && linkOf(owner, after.connectionId).externalId
        if (after.recordId !== recordId && own === after.externalId) {
          sim.violate(2, `${actor.name} gave ${own} of ${recordId} to ${after.recordId} as well`)
        }
      }
    },
    created: (actor: Actor, recordId: string) => {
      const atMs = dead.get(recordId) ?? Infinity
      if (atMs + LONGEST_LAG_MS > (begun.get(actor) ?? 0)) return
      sim.violate(2, `${actor.name} created ${recordId}, which had been deleted before it began`)
    },
  }
}

/** So far behind a replica of the store may be. */
const LONGEST_LAG_MS = 45_000
