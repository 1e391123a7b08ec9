import type { ErrorCode } from '../../../src/core/errors.ts'
import type { OutgoingMessage } from '../../../src/core/queue.ts'
import { compareCursors } from '../../../src/sync/cursor.ts'
import {
  linkId,
  type LinkDocument,
  type RecordDocument,
  type ShardDocument,
  type StreamDocument,
} from '../../../src/sync/record.ts'
import type { SyncResult } from '../../../src/sync/result.ts'
import { inboundMessageShape, type InboundMessage, type Task } from '../../../src/sync/task.ts'
import type { LockingQueue } from '../../ports/locking-queue.ts'
import type { Commit } from '../simulated-ports.ts'
import type { Actor, Simulation } from '../simulation.ts'
import type { RowVersion, VendorTable } from '../vendor-table.ts'
import { CONNECTION, ENTITY, type InboundStores } from './inbound-stores.ts'

const HOUR_MS = 3_600_000
/** Deferrals after which a message may be given up (src/sync/defer.ts). */
const MOST_DEFERRALS = 10
const passing: ReadonlySet<ErrorCode> = new Set(['conflict', 'store_unavailable'])

/** What has to hold at every commit, and in the end. The numbers are those of architecture.md. */
export function inboundLaws(sim: Simulation, tables: ReadonlyMap<string, VendorTable>) {
  const epochs = new Map<string, number>()
  const held = new WeakMap<Actor, number>()
  const runs = new Map<string, StreamDocument['run']>()
  /** Runs that came to their end once: a message that comes again may read anew what is long stored. */
  const finished = new Set<string>()
  const idOfContent = new Map<string, string>()
  const working = new WeakMap<Actor, InboundMessage>()

  const streamCommitted = (
    actor: Actor,
    before: StreamDocument | undefined,
    after: StreamDocument,
  ) => {
    const { tenantId, cursor, epoch } = after
    if (before && epoch < before.epoch) {
      sim.violate(4, `${actor.name} of epoch ${epoch} wrote the stream of epoch ${before.epoch}`)
    }
    if (before?.cursor && (!cursor || compareCursors(cursor, before.cursor) < 0)) {
      sim.violate(3, `the cursor went back from ${before.cursor.time} to ${cursor?.time}`)
    }
    if (cursor && !tables.get(tenantId)?.places.has(`${cursor.time} ${cursor.id}`)) {
      sim.violate(3, `the cursor ${cursor.time} ${cursor.id} is none of the vendor's own values`)
    }
    epochs.set(tenantId, Math.max(epoch, epochs.get(tenantId) ?? 0))
    held.set(actor, epoch)
    runs.set(tenantId, after.run)
    if (after.run?.finished) finished.add(after.run.runId)
  }
  const recordCommitted = (
    actor: Actor,
    before: RecordDocument | undefined,
    after: RecordDocument,
  ) => {
    const { fields } = after
    if (Number(before?.fields['revision'] ?? 0) > Number(fields['revision'])) {
      sim.violate(2, `${actor.name} put an older revision over a newer one of ${after.id}`)
    }
    if (actor.kind !== 'person' && before?.fields['note'] !== fields['note']) {
      sim.violate(5, `${actor.name} wrote over what a person had just stored in ${after.id}`)
    }
    if (!JSON.stringify(fields['title']).startsWith(`"${after.tenantId} `)) {
      sim.violate(8, `a record of ${after.tenantId} holds ${JSON.stringify(fields['title'])}`)
    }
  }
  return {
    workBegins: (actor: Actor, message: InboundMessage) => void working.set(actor, message),
    shardCommitted: ({ actor, partition, changes }: Commit<ShardDocument>) => {
      const [tenant = ''] = partition
      const linked = new Set(
        changes.flatMap(({ after }) => (after.kind === 'link' ? [after.recordId] : [])),
      )
      for (const { before, after } of changes) {
        if (after.tenantId !== tenant)
          sim.violate(8, `${after.kind} of ${after.tenantId} lies with ${tenant}`)
        if (after.kind === 'stream')
          streamCommitted(actor, before?.kind === 'stream' ? before : undefined, after)
        if (after.kind === 'record')
          recordCommitted(actor, before?.kind === 'record' ? before : undefined, after)
        if (after.kind === 'record' && !before && !linked.has(after.id)) {
          sim.violate(2, `${actor.name} stored a record without the link that finds it again`)
        }
        const epoch = held.get(actor)
        if (actor.kind === 'worker' && (epoch === undefined || epoch < (epochs.get(tenant) ?? 0))) {
          sim.violate(4, `${actor.name} wrote a ${after.kind} without holding the stream`)
        }
      }
    },
    taskCommitted: ({ actor, changes }: Commit<Task>) => {
      for (const { before, after } of changes) {
        if (actor.kind !== 'person' && before && before.priority !== after.priority) {
          sim.violate(5, `${actor.name} wrote over the priority that a person had just set`)
        }
      }
    },
    resultCommitted: ({ actor, changes }: Commit<SyncResult>) => {
      for (const { before, after } of changes) {
        const run = runs.get(after.tenantId)
        if (run?.runId === after.id && !finished.has(after.id) && !after.error) {
          sim.violate(3, `${actor.name} reports the end of a run that is still going on`)
        }
        if (before && before.recordsCreated !== after.recordsCreated) {
          sim.violate(
            2,
            `the result of ${after.id} changed from ${before.recordsCreated} created to ${after.recordsCreated}`,
          )
        }
      }
    },
    messagesAccepted: (messages: readonly OutgoingMessage[]) => {
      for (const { id, body } of messages) {
        const { correlationId, slice, deferrals } = inboundMessageShape.parse(body)
        const content = `${correlationId} ${slice} ${deferrals}`
        const known = idOfContent.get(content)
        if (known !== undefined && known !== id) {
          sim.violate(2, `one message went out under two ids, and the bus cannot tell: ${content}`)
        }
        idOfContent.set(content, id)
      }
    },
    abandoned: (code: ErrorCode, actor: Actor) => {
      const deferrals = working.get(actor)?.deferrals ?? 0
      if (passing.has(code) && deferrals < MOST_DEFERRALS) {
        sim.violate(9, `${actor.name} gave its message back for ${code}, at the cost of a delivery`)
      }
    },
    examine: ({
      stores,
      queue,
    }: {
      readonly stores: InboundStores
      readonly queue: LockingQueue
    }) => {
      for (const [tenantId, table] of tables) examineTenant(sim, { tenantId, table, stores })
      for (const task of stores.tasks.all()) examineTask(sim, task)
      if (queue.size() > 0) sim.violate(9, `${queue.size()} messages still go round`)
    },
  }
}

interface Tenant {
  readonly tenantId: string
  readonly table: VendorTable
  readonly stores: InboundStores
}

function examineTenant(sim: Simulation, { tenantId, table, stores }: Tenant): void {
  const documents = stores.shards.all().filter((one) => one.tenantId === tenantId)
  const records = new Map(
    documents.flatMap((one) => (one.kind === 'record' ? [[one.id, one] as const] : [])),
  )
  const links = documents.filter((one): one is LinkDocument => one.kind === 'link')
  const byId = new Map(links.map((link) => [link.id, link]))
  const parked = new Set(
    stores.parked
      .all()
      .flatMap((one) => (one.kind === 'row' && one.tenantId === tenantId ? [one.externalId] : [])),
  )
  if (
    new Set(links.map(({ recordId }) => recordId)).size !== records.size ||
    links.length !== records.size
  ) {
    sim.violate(2, `${tenantId} has ${records.size} records and ${links.length} links`)
  }
  const key = { tenantId, connectionId: CONNECTION, entityType: ENTITY }
  for (const [id, version] of table.visible(sim.now())) {
    const record = records.get(byId.get(linkId(key, id))?.recordId ?? '')
    const problem = problemOf(version, record, parked.has(id))
    if (problem) sim.violate(problem.invariant, `${tenantId}, row ${id}: ${problem.message}`)
  }
}

function problemOf(version: RowVersion, record: RecordDocument | undefined, isParked: boolean) {
  if (version.title === '') {
    return isParked ? undefined : { invariant: 5, message: 'it cannot be taken, and is not parked' }
  }
  if (!record) return { invariant: 3, message: 'it is not in the store' }
  const { title, revision } = record.fields
  if (title === version.title && revision === version.revision) return undefined
  return {
    invariant: 3,
    message: `the store has revision ${JSON.stringify(revision)}, the vendor ${version.revision}`,
  }
}

function examineTask(sim: Simulation, { id, tenantId, status, nextScheduled }: Task): void {
  const next = nextScheduled === null ? 0 : Date.parse(nextScheduled)
  if (status !== 'completed' || next < sim.now() - 2 * HOUR_MS) {
    sim.violate(5, `${id} of ${tenantId} is ${status}, its next slot ${nextScheduled}`)
  }
}
