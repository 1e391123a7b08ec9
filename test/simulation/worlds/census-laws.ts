import type { ErrorCode } from '../../../src/core/errors.ts'
import { linkOf } from '../../../src/sync/draft.ts'
import type { ShardDocument } from '../../../src/sync/record.ts'
import type { ParkedDocument, PushResult, SyncResult } from '../../../src/sync/result.ts'
import type { Task } from '../../../src/sync/task.ts'
import type { MemoryVendor } from '../memory-vendor.ts'
import type { Commit } from '../simulated-ports.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { examineVendor, isRecord } from './ring-laws.ts'

export const DESK = 'desk'
/** What may be missing without a person being asked (src/sync/deletes.ts). */
const ALWAYS_ALLOWED = 10
const ALLOWED_SHARE = 0.1

interface Census {
  readonly desk: MemoryVendor
  readonly isHidden: (id: string) => boolean
  readonly vendors: readonly MemoryVendor[]
  /** Whether nobody tells of deletions, so that many of them need a person. */
  readonly isCapped: boolean
}

/** No row that is there is taken for deleted, none of many without a person, and all that are gone in the end. */
export function censusLaws(sim: Simulation, { desk, vendors, isCapped, isHidden }: Census) {
  const known = new Map<string, boolean>()
  /** When each run over the desk began. */
  const began = new Map<string, number>()
  const read = new Set<string>()
  const approval = { stands: false }
  const runs = new Map<string, { allowed: number; deleted: number }>()

  const deleted = (actor: Actor, runId: string) => {
    const living = [...known.values()].filter((isThere) => isThere).length
    const allowed = Math.max(ALWAYS_ALLOWED, living * ALLOWED_SHARE)
    const run = runs.get(runId) ?? { allowed, deleted: 0 }
    run.deleted += 1
    runs.set(runId, run)
    if (!isCapped || approval.stands || run.deleted <= run.allowed) return
    sim.violate(
      5,
      `${actor.name} deleted ${run.deleted} records that were missing, and asked nobody`,
    )
  }
  return {
    workBegins: () => {},
    /** A run that says nothing else has read everything that was there when it began. */
    resultCommitted: ({ actor, changes }: Commit<SyncResult | PushResult>) => {
      for (const { after } of changes) {
        const beganMs = began.get(after.id)
        if (!('recordsProcessed' in after) || beganMs === undefined) continue
        if (after.error) sim.note(actor.name, `reports ${after.error.code}`)
        const unread = desk
          .alive()
          .find(({ id, time }) => !isHidden(id) && !read.has(id) && Date.parse(time) < beganMs)
        if (after.error || !unread) continue
        sim.violate(3, `${actor.name} reports that all is read, and ${unread.id} is not`)
      }
    },
    taskCommitted: ({ actor, changes }: Commit<Task>) => {
      for (const { after } of changes) {
        if (after.connectionId !== DESK) continue
        if (!after.deletesApproved) approval.stands = false
        else if (actor.kind === 'operator') approval.stands = true
      }
    },
    abandoned: (code: ErrorCode, actor: Actor) => {
      if (code === 'internal') sim.violate(9, `${actor.name} gave its message back for ${code}`)
    },
    shardCommitted: ({ actor, changes }: Commit<ShardDocument>) => {
      const stream = changes.find(({ after }) => after.kind === 'stream')?.after
      const runId = stream?.kind === 'stream' ? (stream.run?.runId ?? '') : ''
      if (stream?.kind === 'stream' && stream.connectionId === DESK && !began.has(runId)) {
        began.set(runId, sim.now())
      }
      for (const { before, after } of changes) {
        if (after.kind !== 'record') continue
        const { externalId, goneAt } = linkOf(after, DESK)
        const wasAlive = before?.kind === 'record' && !before.deleted
        if (wasAlive && after.deleted?.by === DESK) {
          if (desk.get(externalId ?? '')?.deleted === false) {
            sim.violate(5, `${actor.name} deleted ${after.id}, whose row ${externalId} is there`)
          }
          deleted(actor, runId)
        }
        if (externalId !== null) read.add(externalId)
        known.set(after.id, externalId !== null && goneAt === undefined)
      }
    },
    examine: ({
      shards,
      parked,
      waiting,
    }: {
      readonly shards: readonly ShardDocument[]
      readonly parked: readonly ParkedDocument[]
      readonly waiting: number
    }) => {
      if (waiting > 0) sim.violate(9, `${waiting} messages still go round`)
      const [first] = parked
      if (first) sim.violate(5, `there is something parked: ${JSON.stringify(first).slice(0, 300)}`)
      for (const vendor of vendors) {
        examineVendor(sim, { vendor, twins: new Set() }, shards.filter(isRecord))
      }
    },
  }
}
