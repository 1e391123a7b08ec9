import type { Discovered } from '../connectors/connector.ts'
import { connectors } from '../connectors/index.ts'
import type { Collection } from '../core/collection.ts'
import { instanceOrigin, type Connection } from '../core/connection.ts'
import { AppError, rateLimited } from '../core/errors.ts'
import { MINUTE_MS } from '../core/time.ts'
import type { Credentials } from '../credentials/credentials.ts'
import type { Secret } from '../credentials/secret.ts'
import type { ConnectionPorts } from '../management/connections.ts'
import { problemsOf } from './field-problems.ts'
import type { Mapping } from '../sync/mapping.ts'
import type { SyncPorts } from '../sync/ports.ts'
import type { Task } from '../sync/task.ts'
import { changeTask } from '../sync/tasks.ts'

/** What the management API calls. */
export interface ManagementApp {
  readonly ports: () => Promise<SyncPorts & { readonly connections: Collection<Connection> }>
  /** `secret` is what a new connection's credential is to be. */
  readonly connectionPorts: (secret?: Secret) => Promise<ConnectionPorts>
  /** Asks the vendor for one row and for its fields. */
  readonly testConnection: (connection: Connection, wanted: Wanted) => Promise<ConnectionTest>
  /** The fields that the vendor has. Throws what the vendor's refusal is called. */
  readonly discoverFields: (connection: Connection, wanted: WantedFields) => Promise<FieldList>
}

interface Wanted {
  readonly entityType: string
  /** The mapping of a task that is to be; the vendor's presets where absent. */
  readonly mapping?: Mapping | undefined
}
interface WantedFields {
  readonly entityType: string
  readonly object?: string | undefined
}
type FieldList = Omit<Extract<Discovered, { kind: 'fields' }>, 'kind'>

export type ConnectionTest =
  /** `problems`: what does not fit between the mapping and the fields that are there. */
  | { readonly works: true; readonly rows: number; readonly problems: readonly string[] }
  | { readonly works: false; readonly code: string; readonly reason: string }

export interface ManagementParts {
  readonly syncPorts: () => Promise<SyncPorts>
  readonly connections: () => Promise<Collection<Connection>>
  readonly credentials: () => Promise<Credentials>
  readonly fieldsOf: (connection: Connection, wanted: WantedFields) => Promise<Discovered>
  readonly signal: AbortSignal
}

export function managementApp(parts: ManagementParts): ManagementApp {
  const { syncPorts, connections, credentials, fieldsOf, signal } = parts
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
        stopTasks: async (connection) => stopTasks(await syncPorts(), connection),
        dropSecret: ({ tenantId, integrationId, credentialId, id: connectionId }, origin) =>
          access.disconnect({ tenantId, integrationId, credentialId, connectionId, origin }),
      }
    },
    testConnection: async (connection, wanted) => {
      const source = await (await syncPorts()).openSource(probeOf(connection, wanted))
      if (source.kind === 'refused') return { works: false, ...told(source) }
      const page = await source.fetchPage({ after: null, skip: 0, limit: 1 }, signal)
      if (page.kind === 'page') {
        const found = await fieldsOf(connection, wanted)
        const problems = found.kind === 'fields' ? problemsOf(source.mapping, found) : []
        return { works: true, rows: page.rows.length, problems }
      }
      if (page.kind === 'retry' && page.limited) throw rateLimited(page.afterMs ?? MINUTE_MS)
      return {
        works: false,
        ...(page.kind === 'refused' ? told(page) : { code: 'vendor_failed', reason: page.reason }),
      }
    },
    discoverFields: async (connection, wanted) => {
      const found = await fieldsOf(connection, wanted)
      if (found.kind === 'refused') throw new AppError(found.code, found.reason)
      if (found.kind === 'retry') throw unavailable(found)
      const { object, from, fields } = found
      return { object, from, fields }
    },
  }
}

function unavailable(problem: Extract<Discovered, { kind: 'retry' }>): AppError {
  return problem.limited
    ? rateLimited(problem.afterMs ?? MINUTE_MS)
    : new AppError('vendor_failed', problem.reason)
}

async function stopTasks(ports: SyncPorts, { tenantId, id }: Connection): Promise<void> {
  const anyOf = [
    [
      { field: 'tenantId', is: '=', value: tenantId },
      { field: 'connectionId', is: '=', value: id },
    ] as const,
  ]
  for await (const { document } of ports.tasks.query({ anyOf }, [tenantId])) {
    if (document.enabled) {
      await changeTask(ports, { tenantId, id: document.id }, { enabled: false })
    }
  }
}

function told({ code, reason }: { readonly code: string; readonly reason: string }) {
  return { code, reason }
}

/** A task that is stored nowhere, to open the connection's stream with. */
function probeOf(connection: Connection, { entityType, mapping }: Wanted): Task {
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
    ...(mapping ? { mapping } : {}),
  }
}
