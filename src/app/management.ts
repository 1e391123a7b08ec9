import { connectors } from '../connectors/index.ts'
import type { Collection } from '../core/collection.ts'
import { instanceOrigin, type Connection } from '../core/connection.ts'
import { AppError, rateLimited } from '../core/errors.ts'
import { MINUTE_MS } from '../core/time.ts'
import type { Credentials } from '../credentials/credentials.ts'
import type { Secret } from '../credentials/secret.ts'
import type { ConnectionPorts } from '../management/connections.ts'
import type { SyncPorts } from '../sync/ports.ts'
import type { Task } from '../sync/task.ts'

/** What the management API calls. */
export interface ManagementApp {
  readonly ports: () => Promise<SyncPorts & { readonly connections: Collection<Connection> }>
  /** `secret` is what a new connection's credential is to be. */
  readonly connectionPorts: (secret?: Secret) => Promise<ConnectionPorts>
  /** Asks the vendor for one row. */
  readonly testConnection: (connection: Connection, entityType: string) => Promise<ConnectionTest>
}

export type ConnectionTest =
  | { readonly works: true; readonly rows: number }
  | { readonly works: false; readonly code: string; readonly reason: string }

export interface ManagementParts {
  readonly syncPorts: () => Promise<SyncPorts>
  readonly connections: () => Promise<Collection<Connection>>
  readonly credentials: () => Promise<Credentials>
  readonly signal: AbortSignal
}

export function managementApp(parts: ManagementParts): ManagementApp {
  const { syncPorts, connections, credentials, signal } = parts
  return {
    ports: async () => ({ ...(await syncPorts()), connections: await connections() }),
    connectionPorts: async (secret) => {
      const access = await credentials()
      return {
        connections: await connections(),
        checkIntegration: (integrationId) => {
          if (Object.hasOwn(connectors, integrationId)) return
          const known = Object.keys(connectors).join(', ')
          throw new AppError('bad_request', `integrationId: expected one of ${known}`)
        },
        keepSecret: async (connection) => {
          const { tenantId, integrationId, credentialId: id } = connection
          const origin = instanceOrigin(connection)
          if (!secret) throw new AppError('bad_request', 'credential: is missing')
          await access.register(
            { id, tenantId, integrationId, ...(origin === undefined ? {} : { origin }) },
            secret,
          )
        },
        dropSecret: ({ tenantId, integrationId, credentialId, id: connectionId }, origin) =>
          access.disconnect({ tenantId, integrationId, credentialId, connectionId, origin }),
      }
    },
    testConnection: async (connection, entityType) => {
      const source = await (await syncPorts()).openSource(probeOf(connection, entityType))
      if (source.kind === 'refused') return { works: false, ...told(source) }
      const page = await source.fetchPage({ after: null, skip: 0, limit: 1 }, signal)
      if (page.kind === 'page') return { works: true, rows: page.rows.length }
      if (page.kind === 'retry' && page.limited) throw rateLimited(page.afterMs ?? MINUTE_MS)
      return {
        works: false,
        ...(page.kind === 'refused' ? told(page) : { code: 'vendor_failed', reason: page.reason }),
      }
    },
  }
}

function told({ code, reason }: { readonly code: string; readonly reason: string }) {
  return { code, reason }
}

/** A task that is stored nowhere, to open the connection's stream with. */
function probeOf(connection: Connection, entityType: string): Task {
  const { tenantId, integrationId, id: connectionId } = connection
  return {
    id: `test-${connectionId}`,
    tenantId,
    integrationId,
    connectionId,
    entityType,
    syncMode: 'pull',
    priority: 'high',
    status: 'completed',
    enabled: true,
    type: 'manual',
    nextScheduled: null,
    claim: null,
  }
}
