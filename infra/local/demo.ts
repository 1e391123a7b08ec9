import { CosmosClient } from '@azure/cosmos'
import type { TokenCredential } from '@azure/identity'
import { SecretClient } from '@azure/keyvault-secrets'
import { z } from 'zod'
import topology from '../../src/topology.json' with { type: 'json' }
import { trustAuthority } from './tls.ts'
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
  await storeSecret(stack, `credential-${credentialId}`, {
    kind: 'refresh_token',
    refreshToken: stack.serviceNow.control.issueRefreshToken(),
  })
  await seedRegistration(stack, {
    id: demo.registrationId,
    connectionId: 'conn-salesforce',
    scheme: 'salesforce',
    secret: stack.settings['DEMO_SALESFORCE_SECRET'] ?? '',
  })
  const shared = { tenantId, integrationId }
  await storeDocuments(stack, {
    connections: {
      id: connectionId,
      ...shared,
      label: 'ServiceNow (local)',
      config: { instanceUrl: stack.settings['SERVICENOW_URL'] },
      credentialId,
    },
    credentials: {
      id: credentialId,
      ...shared,
      type: 'oauth2',
      expiryTime: null,
      enabled: true,
      needsReauth: false,
      refreshCount: 0,
    },
    tasks: {
      id: taskId,
      ...shared,
      connectionId,
      entityType,
      syncMode: 'pull',
      priority: 'normal',
      status: 'pending',
      enabled: true,
      type: 'scheduled',
      schedule: EVERY_TEN_SECONDS,
      nextScheduled: null,
      claim: null,
    },
  })
}

/** A registration of the demo's tenant, with its secret in the vault. */
export async function seedRegistration(
  stack: Stack,
  { secret, ...some }: { id: string; connectionId: string; scheme: string; secret: string },
): Promise<void> {
  await storeText(stack, `webhook-${some.id}-s1`, secret)
  const createdAt = new Date().toISOString()
  await storeDocuments(stack, {
    webhookRegistrations: {
      ...some,
      registrationId: some.id,
      tenantId: demo.tenantId,
      integrationId: some.scheme,
      state: 'active',
      forward: 'inbound',
      maxBodyBytes: 1024 * 1024,
      requestsPerMinute: 600_000,
      expected: {},
      secrets: [{ id: 's1', purpose: 'signing', createdAt }],
      createdAt,
    },
  })
}

export async function storeDocuments(
  stack: Stack,
  documents: Partial<Record<keyof typeof topology.containers, object>>,
): Promise<void> {
  using client = cosmosClient(stack)
  const database = client.database(topology.database)
  for (const [key, { name }] of Object.entries(topology.containers)) {
    const document = new Map(Object.entries(documents)).get(key)
    if (document) await database.container(name).items.upsert(document)
  }
}

export async function storeSecret(stack: Stack, name: string, value: object): Promise<void> {
  await storeText(stack, name, JSON.stringify(value))
}

async function storeText({ settings }: Stack, name: string, value: string): Promise<void> {
  const { KEY_VAULT_URL = '', NODE_EXTRA_CA_CERTS = '' } = settings
  using _trust = trustAuthority(NODE_EXTRA_CA_CERTS)
  const client = new SecretClient(KEY_VAULT_URL, identityOf(settings), {
    disableChallengeResourceVerification: true,
  })
  await client.setSecret(name, value)
}

const tokenShape = z.object({ access_token: z.string(), expires_on: z.coerce.number() })

/** The stack's managed identity. The SDK's own credential keeps one token for a process, whatever stack it runs. */
export function identityOf(settings: Stack['settings']): TokenCredential {
  const { IDENTITY_ENDPOINT = '', IDENTITY_HEADER = '' } = settings
  return {
    getToken: async (scopes) => {
      const url = new URL(IDENTITY_ENDPOINT)
      url.searchParams.set('api-version', '2019-08-01')
      url.searchParams.set(
        'resource',
        [scopes]
          .flat()
          .join(' ')
          .replace(/\/\.default$/, ''),
      )
      const response = await fetch(url, { headers: { 'X-IDENTITY-HEADER': IDENTITY_HEADER } })
      const { access_token, expires_on } = tokenShape.parse(await response.json())
      return { token: access_token, expiresOnTimestamp: expires_on * 1_000 }
    },
  }
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

export function cosmosClient({ settings }: Stack): CosmosClient & Disposable {
  const { COSMOS_ENDPOINT: endpoint = '', COSMOS_KEY: key = '' } = settings
  const client = new CosmosClient({ endpoint, key })
  return Object.assign(client, { [Symbol.dispose]: () => client.dispose() })
}
