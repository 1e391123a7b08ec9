import topology from '../../src/topology.json' with { type: 'json' }
import { cosmosClient, seedConnection, seedTask, storeDocument, storeText } from './seed.ts'
import type { Stack } from './stack.ts'

/** Who the demo is about: one tenant with one ServiceNow instance, whose incidents are pulled. */
export const demo = {
  tenantId: 'demo',
  connectionId: 'conn-servicenow',
  credentialId: 'cred-servicenow',
  taskId: 'task-incidents',
  entityType: 'incident',
  integrationId: 'servicenow',
  registrationId: 'reg-123',
} as const

const EVERY_TEN_SECONDS = '*/10 * * * * *'

/** Stores the demo's connection, credential and task, as the management API would, and its secret in the vault. */
export async function seedDemo(stack: Stack): Promise<void> {
  const { tenantId, connectionId, credentialId, taskId, entityType, integrationId } = demo
  await seedRegistration(stack, {
    id: demo.registrationId,
    connectionId: 'conn-salesforce',
    scheme: 'salesforce',
    secret: stack.settings['DEMO_SALESFORCE_SECRET'] ?? '',
  })
  await seedConnection(stack, {
    tenantId,
    integrationId,
    connectionId,
    credentialId,
    label: 'ServiceNow (local)',
    config: { instanceUrl: stack.settings['SERVICENOW_URL'] },
    secret: {
      kind: 'refresh_token',
      refreshToken: stack.serviceNow.control.issueRefreshToken(),
    },
  })
  await seedTask(stack, {
    id: taskId,
    tenantId,
    integrationId,
    connectionId,
    entityType,
    syncMode: 'pull',
    schedule: EVERY_TEN_SECONDS,
  })
}

/** A registration of the demo's tenant, with its secret in the vault. */
export async function seedRegistration(
  stack: Stack,
  {
    secret,
    forward = 'inbound',
    ...some
  }: {
    id: string
    connectionId: string
    scheme: string
    secret: string
    forward?: 'inbound' | 'outbound'
  },
): Promise<void> {
  await storeText(stack, `webhook-${some.id}-s1`, secret)
  const createdAt = new Date().toISOString()
  await storeDocument(stack, 'webhookRegistrations', {
    ...some,
    registrationId: some.id,
    tenantId: demo.tenantId,
    integrationId: some.scheme,
    state: 'active',
    forward,
    maxBodyBytes: 1024 * 1024,
    requestsPerMinute: 600_000,
    expected: {},
    secrets: [{ id: 's1', purpose: 'signing', createdAt }],
    createdAt,
  })
}

export interface Counts {
  readonly records: number
  readonly links: number
  readonly parked: number
}

/** Asks the store how much of the demo is in it. */
export async function countStored(stack: Stack): Promise<Counts> {
  using client = cosmosClient(stack)
  const database = client.database(topology.database)
  const count = async (container: string, where: string, partitionKey: string[]) => {
    const query = `SELECT VALUE COUNT(1) FROM c ${where}`
    const found = await database
      .container(container)
      .items.query<number>(query, { partitionKey })
      .fetchAll()
    return found.resources[0] ?? 0
  }
  const shards = topology.containers.shards.name
  const partition = [demo.tenantId, demo.entityType]
  return {
    records: await count(shards, "WHERE c.kind = 'record'", partition),
    links: await count(shards, "WHERE c.kind = 'link'", partition),
    parked: await count(topology.containers.parked.name, '', [demo.tenantId]),
  }
}
