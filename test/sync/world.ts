import type { JsonObject } from '../../src/core/canonical-json.ts'
import type { InboundMessage, Task } from '../../src/sync/task.ts'
import { inboundMessageShape } from '../../src/sync/task.ts'
import { compareCursors } from '../../src/sync/cursor.ts'
import { executeSync, type SliceOutcome } from '../../src/sync/inbound.ts'
import type { SyncLimits } from '../../src/sync/slice.ts'
import type {
  PageOutcome,
  PageRequest,
  Source,
  SourceRow,
  SyncPorts,
} from '../../src/sync/ports.ts'
import type {
  LinkDocument,
  RecordDocument,
  ShardDocument,
  StreamDocument,
} from '../../src/sync/record.ts'
import type { ParkedDocument, PushResult, SyncResult } from '../../src/sync/result.ts'
import { scheduleDueTasks } from '../../src/sync/scheduler.ts'
import { memoryCollection } from '../ports/memory-collection.ts'
import { memoryQueue } from '../ports/memory-queue.ts'

export const start = new Date('2026-03-01T10:00:00.000Z')

export const task: Task = {
  id: 'task-1',
  tenantId: 'tenant-1',
  integrationId: 'servicenow',
  connectionId: 'conn-1',
  entityType: 'incident',
  syncMode: 'pull',
  priority: 'normal',
  status: 'pending',
  enabled: true,
  type: 'scheduled',
  schedule: '0 0 * * * *',
  nextScheduled: null,
  claim: null,
}

export interface Row {
  readonly id: string
  readonly time: string
  readonly count?: number
  readonly title?: string
}

/** Rows of a vendor, read in (time, id) order, as a well-behaved API would give them. */
export function memorySource(rows: Row[]) {
  const asked: PageRequest[] = []
  const answers: PageOutcome[] = []
  const hidden = new Set<string>()
  const source: { -readonly [K in keyof Source]: Source[K] } = {
    kind: 'source',
    overlapMs: 60_000,
    mapping: {
      entityType: 'incident',
      fields: [{ local: 'title', external: 'title', type: 'text', required: true }],
    },
    fetchPage: async (request) => {
      asked.push(request)
      return answers.shift() ?? pageOf(rows, request, hidden)
    },
  }
  return { source, rows, asked, answers, hidden }
}

function pageOf(
  rows: readonly Row[],
  request: PageRequest,
  hidden: ReadonlySet<string>,
): PageOutcome {
  const { after, skip, limit } = request
  const behind = rows
    .map(toSourceRow)
    .filter(({ cursor }) => after === null || compareCursors(cursor, after) > 0)
    .sort((a, b) => compareCursors(a.cursor, b.cursor))
  // Hidden rows are looked at again from their place, as the Table API's connector does.
  const cut = behind.slice(0, skip + limit)
  return {
    kind: 'page',
    rows: cut.filter(({ externalId }) => !hidden.has(externalId)),
    more: behind.length > skip + limit,
  }
}

function toSourceRow({ id, time, count = 0, title = `row ${id}` }: Row): SourceRow {
  const values: JsonObject = { title }
  return { externalId: id, cursor: { time, id }, version: { time, count }, values }
}

export function world(rows: Row[], limits: Partial<SyncLimits> = {}) {
  const tasks = memoryCollection<Task>()
  const shards = memoryCollection<ShardDocument>()
  const results = memoryCollection<SyncResult | PushResult>()
  const parked = memoryCollection<ParkedDocument>()
  const inbound = memoryQueue()
  const vendor = memorySource(rows)
  let nowMs = start.getTime()
  const ports: SyncPorts = {
    tasks,
    shards,
    results,
    parked,
    inbound,
    outbound: memoryQueue(),
    openSource: async () => vendor.source,
    mappingOf: async () => vendor.source.mapping,
    clock: () => new Date(nowMs),
    random: () => 0.5,
  }
  const all: SyncLimits = { pageSize: 10, sliceMs: 60_000, maxAttempts: 3, ...limits }
  const work = (message: InboundMessage, signal = new AbortController().signal) =>
    executeSync(ports, all, { message, signal })
  return {
    ports,
    tasks,
    shards,
    results,
    parked,
    inbound,
    vendor,
    limits: all,
    work,
    advance: (ms: number) => {
      nowMs += ms
    },
    addTask: (some: Partial<Task> = {}) => {
      const document = { ...task, ...some }
      return tasks.write([document.tenantId], [{ kind: 'create', document }])
    },
    tick: () => scheduleDueTasks(ports),
    /** The next message that is due, as a worker gets it. */
    take: () => {
      const message = inbound.take(new Date(nowMs))
      return message && inboundMessageShape.parse(message.body)
    },
    /** Works until no message is due. */
    drain: async () => {
      const outcomes: SliceOutcome[] = []
      for (let next = inbound.take(new Date(nowMs)); next; next = inbound.take(new Date(nowMs))) {
        outcomes.push(await work(inboundMessageShape.parse(next.body)))
      }
      return outcomes
    },
    records: () => shards.all().filter((one): one is RecordDocument => one.kind === 'record'),
    links: () => shards.all().filter((one): one is LinkDocument => one.kind === 'link'),
    stream: () => shards.all().find((one): one is StreamDocument => one.kind === 'stream'),
  }
}

/** `count` rows, `perSecond` of them sharing each second. */
export function rowsOf(count: number, perSecond: number): Row[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `x${String((index * 7919) % 100_003).padStart(6, '0')}`,
    time: new Date(
      start.getTime() - 3_600_000 + Math.floor(index / perSecond) * 1_000,
    ).toISOString(),
  }))
}
