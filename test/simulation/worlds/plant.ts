import type { Collection, Write } from '../../../src/core/collection.ts'
import type { PushAbilities, Source, SyncPorts } from '../../../src/sync/ports.ts'
import type { ShardDocument } from '../../../src/sync/record.ts'
import type { Task } from '../../../src/sync/task.ts'
import type { Actor } from '../simulation.ts'

/** A behaviour that is wrong, planted between the production code and its ports. */
export interface SyncBug {
  readonly what: string
  readonly ports?: (ports: SyncPorts, actor: Actor) => SyncPorts
  /** Instead of sending a later copy. */
  readonly defer?: () => Promise<boolean>
  /** Outboxes are never swept. */
  readonly noRelay?: true
  /** Whoever decides a conflict does not say what he has seen. */
  readonly blindReview?: true
}

export type Plant = NonNullable<SyncBug['ports']>
type Shards = Collection<ShardDocument>

export const inSource =
  (change: (source: Source, actor: Actor) => Partial<Source>): Plant =>
  (ports, actor) => ({
    ...ports,
    openSource: async (task) => {
      const source = await ports.openSource(task)
      return source.kind === 'source' ? { ...source, ...change(source, actor) } : source
    },
  })

export const inPush = (change: (push: PushAbilities) => Partial<PushAbilities>): Plant =>
  inSource(({ push }) => (push ? { push: { ...push, ...change(push) } } : {}))

export const inWrites =
  (
    change: (writes: readonly Write<ShardDocument>[], actor: Actor) => Write<ShardDocument>[],
  ): Plant =>
  (ports, actor) => ({
    ...ports,
    shards: {
      ...ports.shards,
      write: async (partition, writes) => {
        const changed = change(writes, actor)
        const outcome = await ports.shards.write(partition, changed)
        if (!outcome.committed || changed.length === writes.length) return outcome
        return { committed: true, etags: writes.map(() => outcome.etags[0] ?? '') }
      },
    } satisfies Shards,
  })

/** Whoever reads a task reads something else. */
export const inTasks =
  (change: (task: Task) => Task): Plant =>
  (ports) => ({
    ...ports,
    tasks: {
      ...ports.tasks,
      get: async (partition, id) => {
        const stored = await ports.tasks.get(partition, id)
        return stored && { ...stored, document: change(stored.document) }
      },
      query: async function* (query, partition) {
        for await (const stored of ports.tasks.query(query, partition)) {
          yield { ...stored, document: change(stored.document) }
        }
      },
    },
  })
