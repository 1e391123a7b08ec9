import type { Stored } from '../../../src/core/collection.ts'
import type { SyncPorts } from '../../../src/sync/ports.ts'
import type { ShardDocument } from '../../../src/sync/record.ts'
import type { Actor } from '../simulation.ts'
import { inPush, inTasks, type SyncBug } from './plant.ts'

/** What is wrong about deletions, decisions and what is sent again. */
export const ringLifeBugs: Readonly<Record<string, SyncBug>> = {
  'conflict-is-done': {
    what: 'a vendor that says that the row has changed is taken to have done the write',
    ports: inPush((push) => ({
      write: async (writes, signal) => {
        const outcomes = await push.write(writes, signal)
        return outcomes.map((outcome, index) => {
          const { externalId } = writes[index] ?? {}
          const isKnown = outcome.kind === 'conflict' && externalId !== undefined
          return isKnown ? { kind: 'done', externalId } : outcome
        })
      },
    })),
  },
  'once-gone-always-gone': {
    what: 'a record that was deleted is never taken back, though its row is made again',
    ports: (ports) => {
      const gone = new Set<string>()
      return {
        ...ports,
        shards: {
          ...ports.shards,
          getMany: async (partition, ids) => {
            const found = await ports.shards.getMany(partition, ids)
            for (const { document } of found) {
              if (document.kind === 'record' && document.deleted) gone.add(document.id)
            }
            return found
          },
          write: async (partition, writes) => {
            const kept = writes.filter(
              ({ document }) =>
                document.kind !== 'record' || document.deleted || !gone.has(document.id),
            )
            const outcome = await ports.shards.write(partition, kept)
            if (!outcome.committed) return outcome
            return { committed: true, etags: writes.map(() => outcome.etags[0] ?? '') }
          },
        },
      }
    },
  },
  'identity-forgotten': {
    what: 'a record that was deleted is not known any more: its row, made again, becomes another one',
    ports: (ports, { kind }) => ({
      ...ports,
      shards: {
        ...ports.shards,
        getMany: async (partition, ids) => {
          const found = await ports.shards.getMany(partition, ids)
          if (kind !== 'inbound') return found
          return found.filter(({ document }) => document.kind !== 'record' || !document.deleted)
        },
      },
    }),
  },
  'clock-decides': {
    what: 'of two changes the one with the later stamp wins, however close the stamps are',
    ports: inTasks((task) => ({ ...task, skewMs: 0 })),
  },
  'blind-review': {
    what: 'a decision about a conflict is taken whatever its sides are by then',
    blindReview: true,
  },
  'events-replayed': {
    what: 'what was created is created there, whatever became of it here meanwhile',
    ports: (ports, actor) => (actor.kind === 'outbound' ? asCreated(ports) : ports),
  },
  'redriven-forgotten': {
    what: 'what is sent again leaves the list before it is sent',
    ports: (ports, actor: Actor) => ({
      ...ports,
      shards: {
        ...ports.shards,
        write: async (partition, writes) =>
          actor.kind === 'operator'
            ? { committed: true, etags: writes.map(() => '') }
            : ports.shards.write(partition, writes),
      },
    }),
  },
}

function asCreated(ports: SyncPorts): SyncPorts {
  const living = (stored: Stored<ShardDocument> | undefined) => {
    if (stored?.document.kind !== 'record' || !stored.document.deleted) return stored
    const { document, etag } = stored
    const isOurs = Object.keys(document.links).length === 0
    const pending = ['snow', 'force', 'hub']
    return isOurs ? { etag, document: { ...document, deleted: null, pending } } : stored
  }
  return {
    ...ports,
    shards: {
      ...ports.shards,
      get: async (partition, id) => living(await ports.shards.get(partition, id)),
    },
  }
}
