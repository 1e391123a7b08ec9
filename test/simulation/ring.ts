import { canonicalJson, type Json, type JsonObject } from '../../src/core/canonical-json.ts'
import { AppError } from '../../src/core/errors.ts'
import type { OutgoingMessage } from '../../src/core/queue.ts'
import { executeSync } from '../../src/sync/inbound.ts'
import { decode, type Mapping } from '../../src/sync/mapping.ts'
import { pushChanges } from '../../src/sync/outbound.ts'
import { relayPending } from '../../src/sync/outbox.ts'
import type { SyncPorts } from '../../src/sync/ports.ts'
import type { ConflictDocument, RecordDocument, ShardDocument } from '../../src/sync/record.ts'
import type { ParkedDocument, PushResult, SyncResult } from '../../src/sync/result.ts'
import { scheduleDueTasks } from '../../src/sync/scheduler.ts'
import { inboundMessageShape, outboundMessageShape, type Task } from '../../src/sync/task.ts'
import { memoryCollection } from '../ports/memory-collection.ts'
import { memoryQueue, type MemoryQueue } from '../ports/memory-queue.ts'
import { memoryVendor, type MemoryVendor, type VendorOptions } from './memory-vendor.ts'
import { chanceOf } from './random.ts'

export const tenantId = 'tenant-1'
export const entityType = 'incident'

export interface RingOptions {
  readonly seed: number
  readonly policy?: Partial<Task>
  readonly vendors?: readonly Partial<VendorOptions>[]
}

/** Stands for the death of the process: whatever was under way is gone. */
export class Crash extends Error {}

export interface Faults {
  /** Share of vendors' calls that fail. */
  readonly vendor: { share: number }
  /** Share of calls to our own store and bus before or after which the process dies. */
  crash: number
  /** Share of messages that are delivered again. */
  duplicate: number
}

export type Ring = ReturnType<typeof ringOf>

const text = { type: 'text' } as const

/** One record under three vendors' names, with what each of them does to values. */
const mappings: readonly Mapping[] = [
  {
    entityType,
    fields: [
      { local: 'title', external: 'short_description', ...text },
      { local: 'state', external: 'state', type: 'integer' },
      { local: 'note', external: 'comments', ...text },
      { local: 'place', external: 'location', ...text },
    ],
  },
  {
    entityType,
    fields: [
      { local: 'title', external: 'Subject', ...text, equality: { trim: true } },
      {
        local: 'state',
        external: 'Status',
        type: 'integer',
        values: [
          ['New', 1],
          ['Working', 2],
          ['Closed', 3],
        ],
      },
      { local: 'note', external: 'Description', ...text, equality: { length: 12 } },
    ],
  },
  {
    entityType,
    fields: [
      { local: 'title', external: 'title', ...text },
      { local: 'note', external: 'body', ...text },
      { local: 'place', external: 'place', ...text, transforms: ['trim'] },
    ],
  },
]

const kinds: readonly Pick<
  VendorOptions,
  'name' | 'marker' | 'comparesAndSets' | 'answersRows' | 'deletes' | 'batchSize' | 'tellsMarkers'
>[] = [
  {
    name: 'snow',
    marker: 'correlation',
    comparesAndSets: false,
    answersRows: true,
    deletes: 'listed',
    batchSize: 3,
    tellsMarkers: true,
  },
  {
    name: 'force',
    marker: 'external_id',
    comparesAndSets: true,
    answersRows: false,
    deletes: 'in_stream',
    batchSize: 20,
    tellsMarkers: true,
  },
  {
    name: 'hub',
    marker: 'correlation',
    comparesAndSets: true,
    answersRows: true,
    deletes: 'listed',
    batchSize: 1,
    tellsMarkers: true,
  },
]

/** Three systems around one store, under a virtual clock, with everything that can go wrong. */
export function ringOf({ seed, policy = {}, vendors: more = [] }: RingOptions) {
  const chance = chanceOf(seed)
  let nowMs = Date.parse('2026-03-01T10:00:00.000Z')
  const clock = () => new Date(nowMs)
  const faults: Faults = { vendor: { share: 0 }, crash: 0, duplicate: 0 }
  const vendors = kinds.map((kind, index) =>
    memoryVendor({
      ...kind,
      mapping: mappings[index] ?? { entityType, fields: [] },
      clock,
      chance,
      failures: faults.vendor,
      ...more[index],
    }),
  )
  const tasks = memoryCollection<Task>()
  const shards = memoryCollection<ShardDocument>()
  const results = memoryCollection<SyncResult | PushResult>()
  const parked = memoryCollection<ParkedDocument>()
  const inbound = memoryQueue()
  const outbound = memoryQueue()
  for (const port of [tasks, shards, results, parked, inbound, outbound]) {
    const die = () => {
      if (chance.is(faults.crash)) throw new Crash('the process died')
    }
    port.before = die
    port.after = die
  }
  const vendorOf = (connectionId: string) => vendors.find(({ name }) => name === connectionId)
  /** Every value that a record ever had or a conflict keeps. */
  const kept = new Set<string>()
  const keep = (value: Json) => kept.add(canonicalJson(value))
  const die = shards.after
  shards.after = (operation) => {
    for (const document of operation === 'write' ? shards.all() : []) {
      if (document.kind === 'record') Object.values(document.fields).forEach(keep)
      if (document.kind === 'conflict') valuesOf(document).forEach(keep)
    }
    return die?.(operation)
  }
  const ports: SyncPorts = {
    tasks,
    shards,
    results,
    parked,
    inbound,
    outbound,
    openSource: async (task) =>
      vendorOf(task.connectionId)?.source ?? {
        kind: 'refused',
        code: 'connection_not_found',
        reason: 'no such vendor',
      },
    mappingOf: async (task) => vendorOf(task.connectionId)?.source.mapping,
    clock,
    random: () => chance.next(),
  }
  return {
    chance,
    faults,
    vendors,
    tasks,
    shards,
    results,
    parked,
    ports,
    inbound,
    outbound,
    clock,
    advance: (ms: number) => {
      nowMs += ms
    },
    addTasks: async () => {
      for (const { name } of vendors) {
        const document = taskOf(name, policy)
        await tasks.write([tenantId], [{ kind: 'create', document }])
      }
    },
    kept,
    records: () => shards.all().filter((one): one is RecordDocument => one.kind === 'record'),
    conflicts: () => shards.all().filter((one): one is ConflictDocument => one.kind === 'conflict'),
  }
}

/** The values that a conflict is about: of one field, or of a whole row. */
function valuesOf({ local, external }: ConflictDocument): Json[] {
  return [local, external].flatMap((side) =>
    typeof side === 'object' && side !== null ? Object.values(side) : [side],
  )
}

function taskOf(connectionId: string, policy: Partial<Task>): Task {
  return {
    id: `task-${connectionId}`,
    tenantId,
    integrationId: connectionId,
    connectionId,
    entityType,
    syncMode: 'bidirectional',
    priority: 'normal',
    status: 'pending',
    enabled: true,
    type: 'scheduled',
    schedule: '0 * * * * *',
    nextScheduled: null,
    claim: null,
    ...policy,
  }
}

const inboundLimits = { pageSize: 7, sliceMs: 60_000, maxAttempts: 3 }
const outboundLimits = { sliceMs: 60_000, maxAttempts: 12, leaseMs: 45_000 }

/** A minute of work: the timers fire, and messages are taken in any order until none is due. */
export async function workAMinute(ring: Ring): Promise<void> {
  const { ports, chance, faults, inbound, outbound, clock } = ring
  await survive(() => scheduleDueTasks(ports))
  await survive(() => relayPending(ports))
  for (let taken = 0; taken < 500; taken += 1) {
    const queues = [inbound, outbound].filter((queue) => hasDue(queue, clock()))
    const queue = chance.pick(queues)
    if (!queue) break
    const message = takeAny(queue, ring)
    if (!message) break
    const work = () => deliver(ring, queue, message)
    const deliveries = chance.is(faults.duplicate) ? [work, work] : [work]
    const outcomes = await Promise.all(deliveries.map(survive))
    if (outcomes.includes('crashed')) queue.waiting.push(message)
  }
  ring.advance(60_000)
}

function hasDue(queue: MemoryQueue, now: Date): boolean {
  return queue.waiting.some(({ notBefore }) => notBefore === undefined || notBefore <= now)
}

/** Not the oldest, but any: the bus promises no order. */
function takeAny(queue: MemoryQueue, { chance, clock }: Ring): OutgoingMessage | undefined {
  const due = queue.waiting.filter(({ notBefore }) => !notBefore || notBefore <= clock())
  const message = chance.pick(due)
  if (message) queue.waiting.splice(queue.waiting.indexOf(message), 1)
  return message
}

async function deliver(ring: Ring, queue: MemoryQueue, { body }: OutgoingMessage): Promise<void> {
  const { signal } = new AbortController()
  if (queue === ring.inbound) {
    await executeSync(ring.ports, inboundLimits, {
      message: inboundMessageShape.parse(body),
      signal,
    })
  } else {
    await pushChanges(ring.ports, outboundLimits, {
      message: outboundMessageShape.parse(body),
      signal,
    })
  }
}

/** A crash, or a race that was lost, puts the work off as the bus does. */
async function survive(work: () => Promise<unknown>): Promise<'done' | 'crashed'> {
  try {
    await work()
    return 'done'
  } catch (error) {
    const passing = error instanceof AppError && error.code === 'conflict'
    if (!(error instanceof Crash) && !passing) throw error
    return 'crashed'
  }
}

/** What a vendor has, in our names: only fields that every one of the given mappings knows. */
export function viewOf({ source, alive }: MemoryVendor): JsonObject[] {
  return alive().map(({ values }) => {
    const decoded = decode(source.mapping, values)
    if (!decoded.ok) throw decoded.error
    return decoded.fields
  })
}
