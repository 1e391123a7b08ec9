import { bindStream } from './connectors/bind.ts'
import { vendorClient, type VendorClient } from './connectors/client.ts'
import type { Connector, Discovered, FieldRule, Stream } from './connectors/connector.ts'
import { connectors } from './connectors/index.ts'
import { instanceOrigin, type Connection } from './core/connection.ts'
import type { Clock } from './core/time.ts'
import type { Credentials } from './credentials/credentials.ts'
import type { Limiter } from './rate-limit/limiter.ts'
import { laneOf, quotaOf } from './rate-limit/quota.ts'
import type { FieldMapping, Mapping } from './sync/mapping.ts'
import type { Refusal, Source } from './sync/ports.ts'
import type { Task } from './sync/task.ts'

export interface SourceParts {
  readonly task: Task
  readonly connection: Connection | undefined
  readonly access: Credentials
  readonly limits: Limiter
  readonly fetch: typeof globalThis.fetch
  readonly clock: Clock
}

/** A task's stream: the vendor's code, the connection's own host and its credential. */
export async function sourceOf({
  task,
  connection,
  ...parts
}: SourceParts): Promise<Source | Refusal> {
  if (!connection)
    return refusal('connection_not_found', `there is no connection ${task.connectionId}`)
  const { integrationId } = connection
  const connector = connectorOf(integrationId)
  if (!connector) return refusal('unknown_vendor', `no connector is called ${integrationId}`)
  const stream = streamOf(connector, task, connection)
  if (!stream)
    return refusal('unknown_vendor', `${integrationId} has no stream of ${task.entityType}`)
  const client = await clientOf({ ...parts, connection, connector, lane: laneOf(task) })
  if (client.kind === 'refused') return client
  const bound = bindStream(stream, client.client)
  const { push } = bound
  return {
    kind: 'source',
    ...bound,
    ...(push ? { fetchOne: (id, signal) => push.fetchOne(id, signal) } : {}),
    mapping: task.mapping ?? stream.mapping,
  }
}

/** The fields that the vendor has, whether they are mapped or not. */
export async function fieldsOf(
  {
    connection,
    ...parts
  }: Omit<SourceParts, 'task' | 'connection'> & { readonly connection: Connection },
  wanted: { readonly entityType: string; readonly object?: string | undefined },
  signal: AbortSignal,
): Promise<Discovered> {
  const { integrationId, config } = connection
  const connector = connectorOf(integrationId)
  if (!connector) return refusal('unknown_vendor', `no connector is called ${integrationId}`)
  const client = await clientOf({ ...parts, connection, connector, lane: 'person' })
  if (client.kind === 'refused') return client
  const object = wanted.object ?? config.streams?.[wanted.entityType]?.object
  const found = connector.discover(client.client, { ...wanted, object }, signal)
  const reason = `${integrationId} has no stream of ${wanted.entityType}`
  return found ?? refusal('unknown_vendor', reason)
}

interface ClientParts extends Omit<SourceParts, 'task' | 'connection'> {
  readonly connection: Connection
  readonly connector: Connector
  readonly lane: ReturnType<typeof laneOf>
}

/** The connection's own host with its credential, within the limits. */
async function clientOf({
  connection,
  connector,
  lane,
  access,
  limits,
  fetch,
  clock,
}: ClientParts): Promise<{ readonly kind: 'client'; readonly client: VendorClient } | Refusal> {
  const { tenantId, credentialId, integrationId } = connection
  const origin = instanceOrigin(connection)
  if (!origin)
    return refusal('connection_not_found', 'the address of its instance is not an https URL')
  const request = {
    tenantId,
    credentialId,
    integrationId,
    connectionId: connection.id,
    origin,
    isAwaited: lane === 'person',
  }
  // Work that waits for a person ends here, before a lease is taken or anybody is called.
  const parked = await access.refusalOf(request)
  if (parked) return refusal(parked.code, parked.reason)
  const client = vendorClient({
    origin,
    instanceDomains: connector.instanceDomains,
    finalRefusal: connector.finalRefusal,
    fetch,
    now: clock,
    quota: quotaOf(limits, {
      integrationId,
      tenantId,
      connectionId: connection.id,
      lane,
      limits: connection.limits,
    }),
    authorize: (refused) =>
      access.getCredential({
        ...request,
        ...(refused?.kind === 'authorized' ? { refused: refused.headers } : {}),
      }),
  })
  return { kind: 'client', client }
}

/** The task's own mapping, or the vendor's; undefined when the vendor has no such stream. */
export function mappingFor(task: Task, connection: Connection | undefined): Mapping | undefined {
  const connector = connection && connectorOf(connection.integrationId)
  const stream = connector && streamOf(connector, task, connection)
  return stream && (task.mapping ?? stream.mapping)
}

function connectorOf(integrationId: string): Connector | undefined {
  return Object.hasOwn(connectors, integrationId) ? connectors[integrationId] : undefined
}

function streamOf(connector: Connector, task: Task, { config }: Connection): Stream | undefined {
  const { entityType, mapping } = task
  return connector.configure({
    entityType,
    ...config.streams?.[entityType],
    ...(mapping ? { fields: [...mapping.fields.map(wireRule), ...derivedRules(mapping)] } : {}),
  })
}

/** What is read besides, for the records that a row tells of. */
function derivedRules({ derived = [] }: Mapping): readonly FieldRule[] {
  return derived.flatMap(({ entityType, externalId, fields }) => {
    const id = { local: 'id', external: externalId, type: 'text' } as const
    return [id, ...fields.map(wireRule)].map((rule) => ({
      ...rule,
      local: `${entityType}.${rule.local}`,
      readOnly: true,
    }))
  })
}

/** What a connector has to know of a field to ask for it and to write it. */
function wireRule({ local, external, type, readOnly }: FieldMapping): FieldRule {
  const wire = type === 'date' || type === 'list' ? 'text' : type
  return { local, external, type: wire, readOnly }
}

function refusal(code: Refusal['code'], reason: string): Refusal {
  return { kind: 'refused', code, reason }
}
