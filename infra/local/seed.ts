import { CosmosClient } from '@azure/cosmos'
import type { TokenCredential } from '@azure/identity'
import { SecretClient } from '@azure/keyvault-secrets'
import { z } from 'zod'
import topology from '../../src/topology.json' with { type: 'json' }
import type { Stack } from './stack.ts'
import { trustAuthority } from './tls.ts'

export interface SeededConnection {
  readonly tenantId: string
  readonly integrationId: string
  readonly connectionId: string
  readonly credentialId: string
  readonly label: string
  readonly config: object
  /** As it lies in the vault. */
  readonly secret: object
  readonly type?: 'oauth2' | 'api_key'
}

/** Stores a connection and its credential as an operator's consent would, the secret in the vault. */
export async function seedConnection(stack: Stack, seeded: SeededConnection): Promise<void> {
  const { tenantId, integrationId, connectionId, credentialId, label, config } = seeded
  await storeSecret(stack, `credential-${credentialId}`, seeded.secret)
  const shared = { tenantId, integrationId }
  await storeDocument(stack, 'connections', {
    id: connectionId,
    ...shared,
    label,
    config,
    credentialId,
  })
  await storeDocument(stack, 'credentials', {
    id: credentialId,
    ...shared,
    type: seeded.type ?? 'oauth2',
    expiryTime: null,
    enabled: true,
    needsReauth: false,
    refreshCount: 0,
  })
}

/** Stores a task that is due at once. */
export async function seedTask(stack: Stack, task: object): Promise<void> {
  await storeDocument(stack, 'tasks', {
    priority: 'normal',
    status: 'pending',
    enabled: true,
    type: 'scheduled',
    nextScheduled: null,
    claim: null,
    ...task,
  })
}

export async function storeDocument(
  stack: Stack,
  container: keyof typeof topology.containers,
  document: object,
): Promise<void> {
  using client = cosmosClient(stack)
  const { name } = topology.containers[container]
  await client.database(topology.database).container(name).items.upsert(document)
}

async function storeSecret(stack: Stack, name: string, value: object): Promise<void> {
  await storeText(stack, name, JSON.stringify(value))
}

export async function storeText({ settings }: Stack, name: string, value: string): Promise<void> {
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

export function cosmosClient({ settings }: Stack): CosmosClient & Disposable {
  const { COSMOS_ENDPOINT: endpoint = '', COSMOS_KEY: key = '' } = settings
  const client = new CosmosClient({ endpoint, key })
  return Object.assign(client, { [Symbol.dispose]: () => client.dispose() })
}
