import { AppError } from '../../../src/core/errors.ts'
import type { Collection, Document, Write } from '../../../src/core/collection.ts'
import type { QueueDeclaration } from '../../../infra/local/service-bus/declaration.ts'
import type { Source, SyncPorts } from '../../../src/sync/ports.ts'
import type { ShardDocument } from '../../../src/sync/record.ts'
import type { InboundMessage } from '../../../src/sync/task.ts'
import type { Actor } from '../simulation.ts'

/** A behaviour that is wrong, planted between the production code and its ports. */
export interface InboundBug {
  readonly what: string
  readonly queue?: Partial<QueueDeclaration>
  readonly ports?: (ports: SyncPorts, actor: Actor) => SyncPorts
  readonly defer?: (message: InboundMessage) => Promise<boolean>
}

/** Every page that was ever read is newer than those before it. */
let readings = 0

type Shards = Collection<ShardDocument>
type WriteShards = Shards['write']

const inSource =
  (change: (source: Source, actor: Actor) => Partial<Source>): NonNullable<InboundBug['ports']> =>
  (ports, actor) => ({
    ...ports,
    openSource: async (task) => {
      const source = await ports.openSource(task)
      return source.kind === 'source' ? { ...source, ...change(source, actor) } : source
    },
  })

const inShardWrites =
  (change: (write: WriteShards) => WriteShards): NonNullable<InboundBug['ports']> =>
  (ports) => ({
    ...ports,
    shards: {
      ...ports.shards,
      write: change((partition, writes) => ports.shards.write(partition, writes)),
    },
  })

/** Writes in two steps what belongs together. */
async function inTwo(
  write: WriteShards,
  partition: readonly string[],
  [first, second]: readonly [readonly Write<ShardDocument>[], readonly Write<ShardDocument>[]],
) {
  const one = first.length === 0 ? undefined : await write(partition, first)
  if (one && !one.committed) return one
  const other = second.length === 0 ? undefined : await write(partition, second)
  if (other && !other.committed) return { ...other, conflict: other.conflict + first.length }
  // The stream's tag comes first, as its write did.
  const etags = [one?.etags ?? [], other?.etags ?? []]
  return {
    committed: true as const,
    etags: (first.some(isStream) ? etags : etags.toReversed()).flat(),
  }
}

const isStream = ({ document }: Write<ShardDocument>) => document.kind === 'stream'

function blindly<T extends Document>(writes: readonly Write<T>[]): readonly Write<T>[] {
  return writes.map(({ document }) => ({ kind: 'upsert', document }))
}

export const inboundBugs: Readonly<Record<string, InboundBug>> = {
  'strict-cursor': {
    what: 'the cursor is a bare timestamp, compared with >',
    ports: inSource((source) => ({
      fetchPage: (request, signal) =>
        source.fetchPage(
          { ...request, after: request.after && { ...request.after, id: '~' } },
          signal,
        ),
    })),
  },
  'offset-paging': {
    what: 'pages are counted by offset while rows move',
    ports: inSource((source) => {
      let begin: Parameters<Source['fetchPage']>[0]['after'] | undefined
      let offset = 0
      return {
        fetchPage: async ({ after, limit }, signal) => {
          begin ??= after
          const most = { after: begin, skip: 0, limit: offset + limit }
          const page = await source.fetchPage(most, signal)
          if (page.kind !== 'page') return page
          const rows = page.rows.slice(offset)
          offset += limit
          return { ...page, rows }
        },
      }
    }),
  },
  'no-overlap': {
    what: 'a run begins exactly where the last one ended',
    ports: inSource(() => ({ overlapMs: 0 })),
  },
  'clock-cursor': {
    what: 'the cursor is made of the worker’s clock',
    ports: inSource((source, actor) => ({
      fetchPage: async (request, signal) => {
        const page = await source.fetchPage(request, signal)
        if (page.kind !== 'page') return page
        const time = actor.clock().toISOString()
        return {
          ...page,
          rows: page.rows.map((row) => ({ ...row, cursor: { ...row.cursor, time } })),
        }
      },
    })),
  },
  'short-page-is-end': {
    what: 'a page with fewer rows than asked for is taken for the last',
    ports: inSource((source) => ({
      fetchPage: async (request, signal) => {
        const page = await source.fetchPage(request, signal)
        return page.kind === 'page'
          ? { ...page, more: page.more && page.rows.length === request.limit }
          : page
      },
    })),
  },
  'hidden-page-repeats': {
    what: 'a page of which nothing may be seen is asked for again and again',
    ports: inSource((source) => {
      let limit = Infinity
      return {
        fetchPage: (request, signal) => {
          limit = Math.min(limit, request.limit)
          return source.fetchPage({ ...request, skip: 0, limit }, signal)
        },
      }
    }),
  },
  'outdated-applied': {
    what: 'a row is taken as it was read last, though a newer version of it is stored',
    ports: inSource((source) => ({
      fetchPage: async (request, signal) => {
        const page = await source.fetchPage(request, signal)
        if (page.kind !== 'page') return page
        readings += 1
        const version = { time: '9999-12-31T00:00:00.000Z', count: readings }
        const rows = page.rows.map((row) => ({ ...row, version }))
        return { ...page, rows }
      },
    })),
  },
  'poison-row': {
    what: 'a row that does not fit stops its whole page',
    ports: inSource((source) => ({
      fetchPage: async (request, signal) => {
        const page = await source.fetchPage(request, signal)
        if (page.kind === 'page' && page.rows.some(({ values }) => values['title'] === '')) {
          throw new AppError('mapping_failed', 'title is empty')
        }
        return page
      },
    })),
  },
  'checkpoint-first': {
    what: 'the checkpoint moves before the rows are written',
    ports: inShardWrites(
      (write) => (partition, writes) =>
        inTwo(write, partition, [writes.filter(isStream), writes.filter((one) => !isStream(one))]),
    ),
  },
  'no-fencing': {
    what: 'the stream document is written whatever became of it',
    ports: inShardWrites(
      (write) => (partition, writes) =>
        write(
          partition,
          writes.map((one) => (isStream(one) ? (blindly([one])[0] ?? one) : one)),
        ),
    ),
  },
  'unfenced-rows': {
    what: 'rows are written apart from the document that fences them',
    ports: inShardWrites(
      (write) => (partition, writes) =>
        inTwo(write, partition, [writes.filter((one) => !isStream(one)), writes.filter(isStream)]),
    ),
  },
  'blind-records': {
    what: 'records are written whatever somebody else has put there',
    ports: inShardWrites(
      (write) => (partition, writes) =>
        write(
          partition,
          writes.map((one) =>
            one.document.kind === 'record' ? { kind: 'upsert', document: one.document } : one,
          ),
        ),
    ),
  },
  'link-later': {
    what: 'the link is written after the record',
    ports: inShardWrites(
      (write) => (partition, writes) =>
        inTwo(write, partition, [
          writes.filter(({ document }) => document.kind !== 'link'),
          writes.filter(({ document }) => document.kind === 'link'),
        ]),
    ),
  },
  'takeover-ignored': {
    what: 'a worker that has lost the stream goes on as if it had not',
    ports: inShardWrites((write) => async (partition, writes) => {
      const outcome = await write(partition, writes)
      const lost = !outcome.committed && writes[0]?.kind === 'replace' && isStream(writes[0])
      return lost && outcome.conflict === 0
        ? { committed: true, etags: writes.map(() => 'lost') }
        : outcome
    }),
  },
  'tenants-mixed': {
    what: 'records of all tenants lie in one partition',
    ports: (ports) => ({
      ...ports,
      shards: {
        ...ports.shards,
        getMany: ([, entityType = ''], ids) => ports.shards.getMany(['tenant-a', entityType], ids),
        get: ([, entityType = ''], id) => ports.shards.get(['tenant-a', entityType], id),
        write: ([, entityType = ''], writes) =>
          ports.shards.write(['tenant-a', entityType], writes),
      },
    }),
  },
  'parked-dropped': {
    what: 'a row that cannot be taken is dropped',
    ports: (ports) => ({
      ...ports,
      parked: { ...ports.parked, write: async () => ({ committed: true, etags: [] }) },
    }),
  },
  'throw-to-retry': {
    what: 'a passing failure gives the message back instead of sending a later copy',
    defer: async () => false,
  },
  'random-message-ids': {
    what: 'every send makes a new message id',
    ports: (ports, actor) => ({
      ...ports,
      inbound: {
        ...ports.inbound,
        send: (messages) =>
          ports.inbound.send(messages.map((one) => ({ ...one, id: `m-${actor.random()}` }))),
      },
    }),
  },
  'blind-claim': {
    what: 'a task is claimed whatever became of it',
    ports: (ports) => ({
      ...ports,
      tasks: {
        ...ports.tasks,
        write: (partition, writes) => ports.tasks.write(partition, blindly(writes)),
      },
    }),
  },
  'no-re-offer': {
    what: 'a claim that expired is never offered again',
    ports: (ports, actor) => ({
      ...ports,
      tasks: {
        ...ports.tasks,
        query: async function* (query, partition) {
          for await (const stored of ports.tasks.query(query, partition)) {
            const expiresAt = stored.document.claim?.expiresAt
            const taken = stored.document.status !== 'completed' && expiresAt !== undefined
            if (!taken || new Date(expiresAt) > actor.clock()) yield stored
          }
        },
      },
    }),
  },
  'retry-is-the-end': {
    what: 'a vendor that asks to wait is taken to have no more rows, and the run to be complete',
    ports: inSource((source) => ({
      fetchPage: async (request, signal) => {
        const page = await source.fetchPage(request, signal)
        const last = { time: '2026-03-02T00:00:00.000Z', id: 'end' }
        return page.kind === 'retry'
          ? {
              kind: 'page',
              more: false,
              rows: [
                {
                  externalId: 'end',
                  cursor: last,
                  version: { time: last.time, count: 0 },
                  values: {},
                },
              ],
            }
          : page
      },
    })),
  },
}
