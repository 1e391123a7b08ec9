import { executeSync } from '../../src/sync/inbound.ts'
import { pushChanges } from '../../src/sync/outbound.ts'
import type { SyncPorts } from '../../src/sync/ports.ts'
import type { ConflictDocument, RecordDocument, ShardDocument } from '../../src/sync/record.ts'
import type { ParkedDocument, PushResult, SyncResult } from '../../src/sync/result.ts'
import { scheduleDueTasks } from '../../src/sync/scheduler.ts'
import { inboundMessageShape, outboundMessageShape, type Task } from '../../src/sync/task.ts'
import { memoryCollection } from '../ports/memory-collection.ts'
import { memoryQueue } from '../ports/memory-queue.ts'
import { memoryVendor } from '../simulation/memory-vendor.ts'
import { chanceOf } from '../simulation/random.ts'
import { kinds, mappingOf } from '../simulation/worlds/ring-vendors.ts'

export const tenantId = 'tenant-1'

const task: Omit<Task, 'id' | 'integrationId' | 'connectionId'> = {
  tenantId,
  entityType: 'incident',
  syncMode: 'bidirectional',
  priority: 'normal',
  status: 'pending',
  enabled: true,
  type: 'scheduled',
  schedule: '0 * * * * *',
  nextScheduled: null,
  claim: null,
}

export type CalmRing = Awaited<ReturnType<typeof calmRing>>

/** Three systems around one store, where nothing goes wrong; for what goes wrong see the simulator's world of them. */
export async function calmRing(policy: Partial<Task>) {
  let nowMs = Date.parse('2026-03-01T10:00:00.000Z')
  const clock = () => new Date(nowMs)
  const chance = chanceOf(3)
  const vendors = kinds.map((kind) =>
    memoryVendor({ ...kind, clock, chance, failures: { share: 0 } }),
  )
  const tasks = memoryCollection<Task>()
  const shards = memoryCollection<ShardDocument>()
  const inbound = memoryQueue()
  const outbound = memoryQueue()
  const ports: SyncPorts = {
    tasks,
    shards,
    results: memoryCollection<SyncResult | PushResult>(),
    parked: memoryCollection<ParkedDocument>(),
    inbound,
    outbound,
    openSource: async ({ connectionId }) =>
      vendors.find(({ name }) => name === connectionId)?.source ?? {
        kind: 'refused',
        code: 'connection_not_found',
        reason: 'no such vendor',
      },
    mappingOf: async ({ connectionId }) => mappingOf(connectionId),
    clock,
    random: () => chance.next(),
  }
  for (const { name } of vendors) {
    const document = {
      ...task,
      id: `task-${name}`,
      integrationId: name,
      connectionId: name,
      ...policy,
    }
    await tasks.write([tenantId], [{ kind: 'create', document }])
  }
  const { signal } = new AbortController()
  const readLimits = { pageSize: 7, sliceMs: 60_000, maxAttempts: 3 }
  const pushLimits = { sliceMs: 60_000, maxAttempts: 12, leaseMs: 45_000 }
  const workOne = async (): Promise<boolean> => {
    const read = inbound.take(clock())
    if (read) {
      const message = inboundMessageShape.parse(read.body)
      await executeSync(ports, readLimits, { message, signal })
      return true
    }
    const push = outbound.take(clock())
    if (!push) return false
    const message = outboundMessageShape.parse(push.body)
    await pushChanges(ports, pushLimits, { message, signal })
    return true
  }
  return {
    vendors,
    ports,
    work: async (minutes: number) => {
      for (let minute = 0; minute < minutes; minute += 1) {
        await scheduleDueTasks(ports)
        while (await workOne());
        nowMs += 60_000
      }
    },
    records: () => shards.all().filter((one): one is RecordDocument => one.kind === 'record'),
    conflicts: () => shards.all().filter((one): one is ConflictDocument => one.kind === 'conflict'),
  }
}
