import { z } from 'zod'
import type { Collection, Stored } from '../core/collection.ts'
import { instanceOrigin, type Connection } from '../core/connection.ts'
import { AppError } from '../core/errors.ts'
import { newId } from '../core/ids.ts'

const name = z.string().min(1).max(100)
const streamShape = z.object({
  object: z.string().min(1).max(200).optional(),
  markerField: z.string().min(1).max(100).optional(),
  deletions: z.enum(['log', 'ids']).optional(),
})
const configShape = z.object({
  instanceUrl: z.url(),
  streams: z.record(z.string(), streamShape).optional(),
})

/** Of the connection's own account with the vendor; everybody's limits hold all the same. */
const limitsShape = z
  .strictObject({ connection: z.int().min(1).max(1_000_000), day: z.int().min(1) })
  .partial()

/** What an operator says of a connection; the credential goes to the vault and never comes back. */
export const connectionShape = z.object({
  integrationId: name,
  label: name,
  config: configShape,
  limits: limitsShape.optional(),
})
export const connectionChangeShape = z
  .object({ label: name, config: configShape, limits: limitsShape })
  .partial()

export type ConnectionInput = z.infer<typeof connectionShape>

export interface ConnectionPorts {
  readonly connections: Collection<Connection>
  /** Throws `bad_request` when no connector has the name. */
  readonly checkIntegration: (integrationId: string) => void
  readonly keepSecret: (of: Connection) => Promise<void>
  /** Nothing runs for the connection any more. */
  readonly stopTasks: (connection: Connection) => Promise<void>
  /** Ends the credential at the provider and removes the secret. */
  readonly dropSecret: (connection: Connection, origin: string) => Promise<void>
}

/** Throws `bad_request` for an address that is not https or a vendor that we do not know. */
export async function createConnection(
  ports: ConnectionPorts,
  tenantId: string,
  input: ConnectionInput,
): Promise<Stored<Connection>> {
  ports.checkIntegration(input.integrationId)
  const id = newId('conn')
  const document = connectionOf({ id, tenantId, credentialId: newId('cred') }, input)
  // The secret first: a connection that is there can be used.
  await ports.keepSecret(document)
  const written = await ports.connections.write([tenantId], [{ kind: 'create', document }])
  if (!written.committed) throw new AppError('conflict', `${id} is there already`)
  return { document, etag: written.etags[0] ?? '' }
}

function connectionOf(
  ids: Pick<Connection, 'id' | 'tenantId' | 'credentialId'>,
  { integrationId, label, config, limits }: ConnectionInput,
): Connection {
  const own = limits === undefined ? {} : { limits }
  const connection = { ...ids, integrationId, label, config, ...own } as Connection // absent options are left out by zod
  if (!instanceOrigin(connection)) {
    throw new AppError('bad_request', 'config.instanceUrl: expected an https URL')
  }
  return connection
}

/** Throws `connection_not_found`. */
export async function findConnection(
  ports: Pick<ConnectionPorts, 'connections'>,
  tenantId: string,
  id: string,
): Promise<Stored<Connection>> {
  const stored = await ports.connections.get([tenantId], id)
  if (!stored) throw new AppError('connection_not_found', `there is no connection ${id}`)
  return stored
}

/** Throws `connection_not_found`, `conflict`, `bad_request`. */
export async function changeConnection(
  ports: ConnectionPorts,
  of: { readonly tenantId: string; readonly id: string; readonly etag: string | undefined },
  change: z.infer<typeof connectionChangeShape>,
): Promise<Stored<Connection>> {
  const found = await findConnection(ports, of.tenantId, of.id)
  if (of.etag !== undefined && of.etag !== found.etag) throw stale(of.id)
  const { integrationId, label, config, limits } = found.document
  const input = {
    integrationId,
    label: change.label ?? label,
    config: change.config ?? config,
    limits: change.limits ?? limits,
  }
  const document = { ...found.document, ...connectionOf(found.document, input) }
  const written = await ports.connections.write(
    [of.tenantId],
    [{ kind: 'replace', document, etag: found.etag }],
  )
  if (!written.committed) throw stale(of.id)
  return { document, etag: written.etags[0] ?? '' }
}

/**
 * Ends the credential, then removes the connection. Every step can be repeated. Throws `connection_not_found`, `conflict`,
 * `vendor_failed` when the provider could not be told.
 */
export async function removeConnection(
  ports: ConnectionPorts,
  of: { readonly tenantId: string; readonly id: string; readonly etag: string | undefined },
): Promise<void> {
  const found = await findConnection(ports, of.tenantId, of.id)
  if (of.etag !== undefined && of.etag !== found.etag) throw stale(of.id)
  await ports.stopTasks(found.document)
  const origin = instanceOrigin(found.document)
  if (origin !== undefined) await ports.dropSecret(found.document, origin)
  const written = await ports.connections.write(
    [of.tenantId],
    [{ kind: 'remove', document: found.document, etag: found.etag }],
  )
  if (!written.committed) throw stale(of.id)
}

function stale(id: string): AppError {
  return new AppError('conflict', `${id} has changed: read it again`)
}
