import type { JsonObject } from '../../src/core/canonical-json.ts'
import { changeLocally, recordOf } from '../../src/sync/merge.ts'
import { pushChanges, type PushOutcome } from '../../src/sync/outbound.ts'
import { relayPending } from '../../src/sync/outbox.ts'
import type { SyncPorts, VendorWrite, WriteOutcome } from '../../src/sync/ports.ts'
import { addressed } from '../../src/sync/push.ts'
import type { RecordDocument, ShardDocument } from '../../src/sync/record.ts'
import type { ParkedDocument, PushResult, SyncResult } from '../../src/sync/result.ts'
import { sidesOf } from '../../src/sync/sides.ts'
import { outboundMessageShape, type OutboundMessage, type Task } from '../../src/sync/task.ts'
import { memoryCollection } from '../ports/memory-collection.ts'
import { memoryQueue } from '../ports/memory-queue.ts'
import { memoryVendor, type VendorOptions } from '../simulation/memory-vendor.ts'
import { chanceOf } from '../simulation/random.ts'

const tenantId = 't'
const entityType = 'incident'
const key = { tenantId, entityType, connectionId: 'home' }

const task: Task = {
  id: 'task-there',
  tenantId,
  integrationId: 'vendor',
  connectionId: 'there',
  entityType,
  syncMode: 'bidirectional',
  priority: 'normal',
  status: 'completed',
  enabled: true,
  type: 'scheduled',
  nextScheduled: null,
  claim: null,
}

/** Records of ours and one vendor that they are pushed to, with its answers to writes in our hands. */
export function pushWorld(
  options: Partial<VendorOptions> & { readonly task?: Partial<Task> } = {},
) {
  let nowMs = Date.parse('2026-03-01T10:00:00.000Z')
  const clock = () => new Date(nowMs)
  const vendor = memoryVendor({
    name: 'there',
    mapping: {
      entityType,
      fields: [
        { local: 'title', external: 'title', type: 'text', required: true },
        { local: 'note', external: 'note', type: 'text' },
      ],
    },
    marker: 'correlation',
    comparesAndSets: true,
    answersRows: true,
    deletes: 'listed',
    batchSize: 200,
    tellsMarkers: true,
    clock,
    chance: chanceOf(1),
    failures: { share: 0 },
    ...options,
  })
  const tasks = memoryCollection<Task>()
  const shards = memoryCollection<ShardDocument>()
  const results = memoryCollection<SyncResult | PushResult>()
  const parked = memoryCollection<ParkedDocument>()
  const outbound = memoryQueue()
  /** Instead of, or after, what the vendor does. */
  const answer: {
    write?: (write: VendorWrite, does: () => Promise<WriteOutcome>) => Promise<WriteOutcome>
  } = {}
  const calls: (readonly VendorWrite[])[] = []
  const push = vendor.source.push
  if (!push) throw new Error('the vendor cannot be written')
  const source = {
    ...vendor.source,
    push: {
      ...push,
      write: async (writes: readonly VendorWrite[], signal: AbortSignal) => {
        calls.push(writes)
        const outcomes: WriteOutcome[] = []
        for (const write of writes) {
          const does = async (): Promise<WriteOutcome> =>
            (await push.write([write], signal))[0] ?? { kind: 'unknown', reason: 'none' }
          outcomes.push(await (answer.write?.(write, does) ?? does()))
        }
        return outcomes
      },
    },
  }
  const ports: SyncPorts = {
    tasks,
    shards,
    results,
    parked,
    inbound: memoryQueue(),
    outbound,
    openSource: async () => source,
    mappingOf: async () => source.mapping,
    clock,
    random: () => 0.5,
  }
  const records = () => shards.all().filter((one): one is RecordDocument => one.kind === 'record')
  const limits = { sliceMs: 60_000, maxAttempts: 4, leaseMs: 60_000 }
  const message = (entityId: string): OutboundMessage =>
    outboundMessageShape.parse({
      integrationId: 'vendor',
      tenantId,
      connectionId: 'there',
      entityType,
      entityId,
      operation: 'update',
      correlationId: 'run-1',
      enqueuedAt: clock().toISOString(),
    })
  const work = (of: OutboundMessage) =>
    pushChanges(ports, limits, { message: of, signal: new AbortController().signal })
  const store = async (record: RecordDocument) => {
    const document = addressed(record, await sidesOf(ports, tenantId, entityType))
    await shards.write([tenantId, entityType], [{ kind: 'upsert', document }])
    return document
  }
  return {
    vendor,
    ports,
    shards,
    results,
    parked,
    outbound,
    calls,
    answer,
    records,
    record: (id: string) => records().find((one) => one.id === id),
    message,
    work,
    advance: (ms: number) => {
      nowMs += ms
    },
    addTask: () =>
      tasks.write([tenantId], [{ kind: 'create', document: { ...task, ...options.task } }]),
    /** A record that another system has, and this one not yet. */
    add: (name: string, fields: JsonObject) =>
      store(
        recordOf(
          { externalId: name, version: { time: clock().toISOString(), count: 0 }, fields },
          { key, now: clock() },
        ),
      ),
    /** Somebody changes it through our own API. */
    change: async (id: string, changes: JsonObject) => {
      const record = records().find((one) => one.id === id)
      if (!record) throw new Error(`there is no record ${id}`)
      nowMs += 1_000
      return store(changeLocally(record, changes, { by: 'local', now: clock() }).record)
    },
    store,
    sides: () => sidesOf(ports, tenantId, entityType),
    relay: () => relayPending(ports),
    /** Works until no message is due. */
    drain: async (entityId: string) => {
      const outcomes: PushOutcome[] = [await work(message(entityId))]
      for (let next = outbound.take(clock()); next; next = outbound.take(clock())) {
        outcomes.push(await work(outboundMessageShape.parse(next.body)))
      }
      return outcomes
    },
  }
}
