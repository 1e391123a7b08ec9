import type { Collection, Document, Query } from '../../../src/core/collection.ts'
import type { DevicePorts } from '../../../src/credentials/device.ts'
import type { LimitStore } from '../../../src/rate-limit/ports.ts'
import type { SyncPorts } from '../../../src/sync/ports.ts'
import type { WebhookPorts } from '../../../src/webhooks/ports.ts'

/** A behaviour that is wrong, planted between the production code and its ports. */
export interface DoorsBug {
  readonly what: string
  readonly webhooks?: (ports: WebhookPorts) => WebhookPorts
  readonly device?: (ports: DevicePorts) => DevicePorts
  readonly worker?: (ports: SyncPorts) => SyncPorts
  readonly limits?: (store: LimitStore) => LimitStore
}

/** Whose documents they are is not asked. */
function ofAll<T extends Document>(collection: Collection<T>): Collection<T> {
  const without = (query: Query): Query => ({
    ...query,
    anyOf: query.anyOf.map((conditions) => {
      const rest = conditions.filter(({ field }) => field !== 'tenantId')
      return rest.length > 0 ? rest : [{ field: 'id', is: '!=', value: '' } as const]
    }),
  })
  return { ...collection, query: (query, partition) => collection.query(without(query), partition) }
}

/** The first answer stands for all that are asked for afterwards. */
function once<R>(ask: () => Promise<R>): () => Promise<R> {
  let first: Promise<R> | undefined
  return () => (first ??= ask())
}

export const doorsBugs: Readonly<Record<string, DoorsBug>> = {
  'registrations-of-all': {
    what: 'the list of registrations is everybody’s',
    webhooks: (ports) => ({ ...ports, registrations: ofAll(ports.registrations) }),
  },
  'deliveries-of-all': {
    what: 'whoever knows the id of a delivery may see it',
    webhooks: (ports) => ({ ...ports, deliveries: ofAll(ports.deliveries) }),
  },
  'one-secret-for-all': {
    what: 'the secret that was read first is every sender’s',
    webhooks: (ports) => ({
      ...ports,
      vault: { ...ports.vault, get: () => ports.vault.get('webhook-reg-t0-s1') },
    }),
  },
  'body-in-log': {
    what: 'what was posted is written into the log',
    webhooks: (ports) => ({
      ...ports,
      deliveries: {
        ...ports.deliveries,
        write: (partition, writes) => {
          ports.log.info(`stores ${JSON.stringify(writes.map(({ document }) => document))}`)
          return ports.deliveries.write(partition, writes)
        },
      },
    }),
  },
  'secret-in-log': {
    what: 'the secret of a sender is written into the log',
    webhooks: (ports) => ({
      ...ports,
      vault: {
        ...ports.vault,
        get: async (name) => {
          const value = await ports.vault.get(name)
          ports.log.info(`verifies with ${value}`)
          return value
        },
      },
    }),
  },
  'blobs-without-tenant': {
    what: 'large bodies of all tenants lie together',
    webhooks: (ports) => ({
      ...ports,
      blobs: {
        ...ports.blobs,
        put: (name, bytes) => ports.blobs.put(name.split('/').slice(-1).join(), bytes),
      },
    }),
  },
  'tasks-by-id': {
    what: 'a task is looked for by its id alone',
    worker: (ports) => {
      const first = once(async () => {
        const everyOne = { anyOf: [[{ field: 'id', is: '!=', value: '' } as const]] }
        for await (const one of ports.tasks.query(everyOne)) return one
        return undefined
      })
      return { ...ports, tasks: { ...ports.tasks, get: first } }
    },
  },
  'records-together': {
    what: 'records of all tenants lie in one partition',
    worker: (ports) => {
      const { shards } = ports
      const here = ([, entityType = '']: readonly string[]) => ['acme', entityType]
      return {
        ...ports,
        shards: {
          ...shards,
          get: (partition, id) => shards.get(here(partition), id),
          getMany: (partition, ids) => shards.getMany(here(partition), ids),
          write: (partition, writes) => shards.write(here(partition), writes),
        },
      }
    },
  },
  'one-grant-for-all': {
    what: 'the grant that was read first is everybody’s: a client that is kept too long',
    device: (ports) => {
      const kept: { value?: Promise<string | undefined> } = {}
      return {
        ...ports,
        vault: {
          ...ports.vault,
          get: (name, version) => (kept.value ??= ports.vault.get(name, version)),
        },
      }
    },
  },
  'hosts-of-all': {
    what: 'a host that any tenant has registered may be named by all',
    device: (ports) => ({
      ...ports,
      connections: {
        ...ports.connections,
        query: (query, partition) =>
          partition === undefined
            ? ports.connections.query({ ...query, limit: 0 })
            : ports.connections.query(query),
      },
    }),
  },
  'keys-joined': {
    what: 'the parts of a limit’s key are only joined',
    limits: (store) => ({
      ...store,
      take: (take) =>
        store.take({
          ...take,
          gates: take.gates.map((gate) => ({ ...gate, key: decodeURIComponent(gate.key) })),
        }),
    }),
  },
}
