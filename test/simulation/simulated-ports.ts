import type { Collection, Document, Partition, Stored, Write } from '../../src/core/collection.ts'
import { AppError } from '../../src/core/errors.ts'
import type { OutgoingMessage, Queue } from '../../src/core/queue.ts'
import { memoryCollection, type MemoryCollection } from '../ports/memory-collection.ts'
import type { FaultKind } from './faults.ts'
import type { Actor, Simulation } from './simulation.ts'

/** A committed write, as the world sees it. */
export interface Commit<T extends Document> {
  readonly actor: Actor
  readonly partition: Partition
  readonly changes: readonly { readonly before: T | undefined; readonly after: T }[]
}

/** A collection that everybody reaches over the network. */
export interface SharedCollection<T extends Document> {
  readonly as: (actor: Actor) => Collection<T>
  readonly backing: MemoryCollection<T>
  readonly all: () => readonly T[]
}

/** How far a replica may lag: in commits, and in time. */
const LONGEST_LAG = 12
const LONGEST_LAG_MS = 45_000

const readFaults: readonly FaultKind[] = [
  'crash-before',
  'crash-after',
  'unavailable',
  'delay',
  'stale',
]
const writeFaults: readonly FaultKind[] = [
  'crash-before',
  'crash-after',
  'answer-lost',
  'unavailable',
  'delay',
]

/** Each actor reads its own writes, and never less than it has read before (session consistency); others may lag. */
export function sharedCollection<T extends Document>(
  sim: Simulation,
  name: string,
  {
    committed = () => {},
    longestMs = Infinity,
  }: {
    readonly committed?: (commit: Commit<T>) => void
    /** A call is never delayed by more. */
    readonly longestMs?: number
  } = {},
): SharedCollection<T> {
  const backing = memoryCollection<T>()
  /** What each commit replaced. */
  const log: { key: string; id: string; previous: Stored<T> | undefined }[][] = []
  const committedMs: number[] = []
  const sessions = new WeakMap<Actor, number>()
  const failure = () => new AppError('store_unavailable', `${name} is throttled`)

  /** What the documents were, as a replica at `revision` has them. */
  const lagging = (revision: number) => {
    const older = new Map<string, Stored<T> | undefined>()
    for (const commit of log.slice(revision).toReversed()) {
      for (const { key, id, previous } of commit) older.set(`${key} ${id}`, previous)
    }
    return (partition: Partition, id: string, now: Stored<T> | undefined) => {
      const place = `${JSON.stringify(partition)} ${id}`
      return older.has(place) ? older.get(place) : now
    }
  }
  const read = <R>(
    actor: Actor,
    operation: string,
    work: (view: ReturnType<typeof lagging>) => Promise<R>,
  ) =>
    sim.call(actor, `${name}.${operation}`, {
      kinds: readFaults,
      failure,
      longestMs,
      effect: (fault) => {
        const lag = fault?.kind === 'stale' ? 1 + Math.floor(fault.size * LONGEST_LAG) : 0
        const known = committedMs.findLastIndex((atMs) => atMs < sim.now() - LONGEST_LAG_MS) + 1
        const revision = Math.max(log.length - lag, known, sessions.get(actor) ?? 0)
        sessions.set(actor, revision)
        return work(lagging(revision))
      },
    })
  const write = (actor: Actor, partition: Partition, writes: readonly Write<T>[]) =>
    sim.call(actor, `${name}.write`, {
      kinds: writeFaults,
      failure,
      longestMs,
      effect: async () => {
        const key = JSON.stringify(partition)
        const known = await backing.getMany(
          partition,
          writes.map(({ document }) => document.id),
        )
        const previous = new Map(known.map((stored) => [stored.document.id, stored]))
        const outcome = await backing.write(partition, writes)
        if (!outcome.committed) {
          // A refusal brings the session up to what refused it, as the SDK of Cosmos DB does (ClientContext).
          sessions.set(actor, log.length)
          sim.note(actor.name, `${name}.write refused at ${outcome.conflict}`)
          return outcome
        }
        log.push(
          writes.map(({ document }) => ({
            key,
            id: document.id,
            previous: previous.get(document.id),
          })),
        )
        committedMs.push(sim.now())
        sessions.set(actor, log.length)
        sim.note(
          actor.name,
          `${name}.write ${writes.map(({ document }) => brief(document)).join()}`,
        )
        const changes = writes.map(({ document }) => ({
          before: previous.get(document.id)?.document,
          after: document,
        }))
        committed({ actor, partition, changes })
        return outcome
      },
    })
  return {
    backing,
    all: () => backing.all(),
    as: (actor) => ({
      get: (partition, id) =>
        read(actor, 'get', async (view) => view(partition, id, await backing.get(partition, id))),
      getMany: (partition, ids) =>
        read(actor, 'getMany', async (view) => {
          const now = new Map(
            (await backing.getMany(partition, ids)).map((one) => [one.document.id, one]),
          )
          return [...new Set(ids)].flatMap((id) => view(partition, id, now.get(id)) ?? [])
        }),
      query: async function* (query, partition) {
        // A lagging index may miss a document or show an old one; the conditional write finds out.
        const found = await read(actor, 'query', async (view) => {
          const rows: Stored<T>[] = []
          for await (const one of backing.query(query, partition)) {
            const home = partition ?? [String(Reflect.get(one.document, 'tenantId'))]
            const seen = view(home, one.document.id, one)
            if (seen) rows.push(seen)
          }
          // In any order, but always in the same.
          if (query.latestBy !== undefined) return rows
          return rows.sort((a, b) => (a.document.id < b.document.id ? -1 : 1))
        })
        yield* found
      },
      write: (partition, writes) => write(actor, partition, writes),
      ping: async () => {},
    }),
  }
}

function brief(document: Document): string {
  const [kind, status] = [Reflect.get(document, 'kind'), Reflect.get(document, 'status')]
  return `${[kind, status].filter((part) => typeof part === 'string').join(' ')} …${document.id.slice(-6)}`
}

/** A queue that everybody reaches over the network; `sent` hears of what was stored. */
export function sharedQueue(
  sim: Simulation,
  backing: Queue,
  sent: (messages: readonly OutgoingMessage[], actor: Actor) => void,
): (actor: Actor) => Queue {
  return (actor) => ({
    send: (messages) =>
      sim.call(actor, 'queue.send', {
        kinds: writeFaults,
        failure: () => new AppError('queue_unavailable', 'the queue is throttled'),
        effect: async () => {
          await backing.send(messages)
          sim.note(actor.name, `queue.send ${messages.map(({ id }) => `…${id.slice(-6)}`).join()}`)
          sent(messages, actor)
        },
      }),
    ping: async () => {},
  })
}
