import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import topology from '../../src/topology.json' with { type: 'json' }
import type { ShardDocument } from '../../src/sync/record.ts'
import { cosmosClient, storeDocuments, storeSecret } from '../../infra/local/demo.ts'
import { fireTimer, startRunning, type Running } from './running.ts'

/** A tenant's connection, credential, secret and task for the incidents of one vendor. */
async function connect(
  { stack }: Running,
  vendor: 'salesforce' | 'github',
  secret: object,
): Promise<void> {
  const shared = { tenantId: vendor, integrationId: vendor }
  await storeSecret(stack, `credential-cred-${vendor}`, secret)
  await storeDocuments(stack, {
    connections: {
      id: `conn-${vendor}`,
      ...shared,
      label: vendor,
      config: {
        instanceUrl: stack.settings[`${vendor.toUpperCase()}_URL`],
        ...(vendor === 'github' ? { streams: { incident: { object: 'octo/hello' } } } : {}),
      },
      credentialId: `cred-${vendor}`,
    },
    credentials: {
      id: `cred-${vendor}`,
      ...shared,
      type: vendor === 'github' ? 'api_key' : 'oauth2',
      expiryTime: null,
      enabled: true,
      needsReauth: false,
      refreshCount: 0,
    },
    tasks: {
      id: `task-${vendor}`,
      ...shared,
      connectionId: `conn-${vendor}`,
      entityType: 'incident',
      syncMode: 'pull',
      priority: 'normal',
      status: 'pending',
      enabled: true,
      type: 'scheduled',
      schedule: '0 0 * * * *',
      nextScheduled: null,
      claim: null,
    },
  })
}

async function titles({ stack }: Running, tenantId: string): Promise<Set<unknown>> {
  using client = cosmosClient(stack)
  const container = client.database(topology.database).container(topology.containers.shards.name)
  const { resources } = await container.items
    .query<ShardDocument>('SELECT * FROM c', { partitionKey: [tenantId, 'incident'] })
    .fetchAll()
  return new Set(
    resources.flatMap((one) => (one.kind === 'record' ? [one.fields['shortDescription']] : [])),
  )
}

test('the functions read Salesforce where its organisation has moved, and GitHub without its pull requests', async () => {
  await using running = await startRunning({ salesforce: { count: 30 }, github: { count: 30 } })
  const { salesforce, github } = running.stack
  if (!salesforce || !github) throw new Error('the twins were not started')
  github.control.open({ title: 'a pull request', isPullRequest: true })
  await salesforce.control.moveInstance()
  const refreshToken = salesforce.control.issueRefreshToken()
  await connect(running, 'salesforce', { kind: 'refresh_token', refreshToken })
  const key = `Bearer ${github.control.issueAccessToken()}`
  await connect(running, 'github', { kind: 'api_key', header: 'authorization', key })
  await using functions = await running.startFunctions()
  await fireTimer(running, functions, 'SyncScheduler')
  const issues = github.control.issues().filter(({ isPullRequest }) => !isPullRequest)
  const expected = {
    salesforce: new Set(salesforce.control.rows('Case').map((row) => row['Subject'])),
    github: new Set(issues.map(({ title }) => title)),
  }
  for (const vendor of ['salesforce', 'github'] as const) {
    while ((await titles(running, vendor)).size < 30) await delay(50)
    expect(await titles(running, vendor)).toEqual(expected[vendor])
  }
}, 60_000)
