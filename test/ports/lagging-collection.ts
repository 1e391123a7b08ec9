import type { Collection, Document, Partition, Stored, Write } from '../../src/core/collection.ts'
import { memoryCollection, select, type MemoryCollection } from './memory-collection.ts'

/** A committed write, and what it replaced. */
export interface CollectionCommit<T extends Document> {
  readonly partition: Partition
  readonly changes: readonly { readonly before: T | undefined; readonly after: T }[]
}

/** One client of the collection: it reads its own writes, and never less than it has read before. */
export interface CollectionSession<T extends Document> extends Pick<Collection<T>, 'write'> {
  /** What a replica answers that is so many commits behind, or as many fewer as the session demands. */
  readonly behind: (commits: number) => Pick<Collection<T>, 'get' | 'getMany' | 'query'>
}

export interface LaggingCollection<T extends Document> {
  /** The first replica, where all writes go. */
  readonly backing: MemoryCollection<T>
  readonly session: (committed?: (commit: CollectionCommit<T>) => void) => CollectionSession<T>
}

/** What is older than this is known to every replica. */
export const LONGEST_LAG_MS = 45_000

interface Replaced<T> {
  readonly place: string
  readonly key: string
  readonly previous: Stored<T> | undefined
}

const placeOf = (key: string, id: string) => `${key} ${id}`

/** A collection of several replicas under session consistency, as an account of Cosmos DB is by default. */
export function laggingCollection<T extends Document>(nowMs: () => number): LaggingCollection<T> {
  const backing = memoryCollection<T>()
  const log: { readonly atMs: number; readonly replaced: readonly Replaced<T>[] }[] = []

  /** What a replica that lacks the commits from `revision` on has in the places that they changed. */
  const olderAt = (revision: number) => {
    const older = new Map<string, Replaced<T>>()
    for (const { replaced } of log.slice(revision).toReversed()) {
      for (const one of replaced) older.set(one.place, one)
    }
    return older
  }
  const session: LaggingCollection<T>['session'] = (committed = () => {}) => {
    let seen = 0
    const viewOf = (commits: number) => {
      const everywhere = log.findLastIndex(({ atMs }) => atMs <= nowMs() - LONGEST_LAG_MS) + 1
      seen = Math.max(log.length - commits, everywhere, seen)
      return olderAt(seen)
    }
    return {
      behind: (commits) => ({
        get: async (partition, id) => {
          const older = viewOf(commits).get(placeOf(JSON.stringify(partition), id))
          return older ? structuredClone(older.previous) : backing.get(partition, id)
        },
        getMany: async (partition, ids) => {
          const view = viewOf(commits)
          const key = JSON.stringify(partition)
          const now = await backing.getMany(partition, ids)
          const present = new Map(now.map((stored) => [stored.document.id, stored]))
          return [...new Set(ids)].flatMap((id) => {
            const older = view.get(placeOf(key, id))
            return (older ? structuredClone(older.previous) : present.get(id)) ?? []
          })
        },
        query: async function* (query, partition) {
          const view = viewOf(commits)
          if (view.size === 0) return yield* backing.query(query, partition)
          const kept = backing
            .places()
            .filter(({ key, stored }) => !view.has(placeOf(key, stored.document.id)))
          const older = [...view.values()].flatMap(({ key, previous }) =>
            previous ? [{ key, stored: previous }] : [],
          )
          const home = partition && JSON.stringify(partition)
          const candidates = [...kept, ...older].filter(({ key }) => !home || key === home)
          const found = select(
            candidates.map(({ stored }) => stored),
            query,
          )
          for (const one of found) yield structuredClone(one)
        },
      }),
      write: async (partition, writes: readonly Write<T>[]) => {
        const key = JSON.stringify(partition)
        const ids = writes.map(({ document }) => document.id)
        const known = await backing.getMany(partition, ids)
        const previous = new Map(known.map((stored) => [stored.document.id, stored]))
        const outcome = await backing.write(partition, writes)
        if (outcome.committed) {
          const replaced = ids.map((id) => ({
            place: placeOf(key, id),
            key,
            previous: previous.get(id),
          }))
          log.push({ atMs: nowMs(), replaced })
        }
        // A refusal brings the session up to what refused it as well: its answer carries the token.
        seen = log.length
        if (outcome.committed) {
          const changes = writes.map(({ document }) => ({
            before: previous.get(document.id)?.document,
            after: document,
          }))
          committed({ partition, changes })
        }
        return outcome
      },
    }
  }
  return { backing, session }
}
