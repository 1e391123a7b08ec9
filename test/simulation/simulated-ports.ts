import type { Collection, Document, Stored } from '../../src/core/collection.ts'
import { AppError } from '../../src/core/errors.ts'
import type { OutgoingMessage, Queue } from '../../src/core/queue.ts'
import {
  laggingCollection,
  type CollectionCommit,
  type CollectionSession,
} from '../ports/lagging-collection.ts'
import type { MemoryCollection } from '../ports/memory-collection.ts'
import type { Actor, Simulation } from './simulation.ts'

/** A committed write, as the world sees it. */
export interface Commit<T extends Document> extends CollectionCommit<T> {
  readonly actor: Actor
}

/** A collection that everybody reaches over the network. */
export interface SharedCollection<T extends Document> {
  readonly as: (actor: Actor) => Collection<T>
  readonly backing: MemoryCollection<T>
  readonly all: () => readonly T[]
}

/** How many commits a replica may lag; how long, says the collection. */
const LONGEST_LAG = 12

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
  const replicas = laggingCollection<T>(sim.now)
  const sessions = new WeakMap<Actor, CollectionSession<T>>()
  const failure = () => new AppError('store_unavailable', `${name} is throttled`)
  const sessionOf = (actor: Actor) => {
    const session =
      sessions.get(actor) ??
      replicas.session(({ partition, changes }) => {
        sim.note(actor.name, `${name}.write ${changes.map(({ after }) => brief(after)).join()}`)
        committed({ actor, partition, changes })
      })
    sessions.set(actor, session)
    return session
  }
  const read = <R>(
    actor: Actor,
    operation: string,
    work: (view: ReturnType<CollectionSession<T>['behind']>) => Promise<R>,
  ) =>
    sim.call(actor, `${name}.${operation}`, {
      place: 'collection read',
      failure,
      longestMs,
      effect: (fault) => {
        const lag = fault?.kind === 'stale' ? 1 + Math.floor(fault.size * LONGEST_LAG) : 0
        return work(sessionOf(actor).behind(lag))
      },
    })
  return {
    backing: replicas.backing,
    all: () => replicas.backing.all(),
    as: (actor) => ({
      get: (partition, id) => read(actor, 'get', (view) => view.get(partition, id)),
      getMany: (partition, ids) => read(actor, 'getMany', (view) => view.getMany(partition, ids)),
      query: async function* (query, partition) {
        yield* await read(actor, 'query', async (view) => {
          const rows: Stored<T>[] = []
          for await (const row of view.query(query, partition)) rows.push(row)
          // In any order, but always in the same.
          if (query.latestBy !== undefined) return rows
          return rows.sort((a, b) => (a.document.id < b.document.id ? -1 : 1))
        })
      },
      write: (partition, writes) =>
        sim.call(actor, `${name}.write`, {
          place: 'collection write',
          failure,
          longestMs,
          effect: async () => {
            const outcome = await sessionOf(actor).write(partition, writes)
            if (!outcome.committed) {
              sim.note(actor.name, `${name}.write refused at ${outcome.conflict}`)
            }
            return outcome
          },
        }),
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
        place: 'queue send',
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
