import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import topology from '../../src/topology.json' with { type: 'json' }
import type { ShardDocument } from '../../src/sync/record.ts'
import { cosmosClient, seedConnection, seedTask } from '../../infra/local/seed.ts'
import { connectSystems, showSystems } from '../../infra/local/demo-systems.ts'
import { fireTimer, startRunning, type Running } from './running.ts'

/** A tenant's connection, credential, secret and task for the incidents of one vendor. */
async function connect(
  { stack }: Running,
  vendor: 'salesforce' | 'github',
  secret: object,
): Promise<void> {
  const shared = { tenantId: vendor, integrationId: vendor, connectionId: `conn-${vendor}` }
  await seedConnection(stack, {
    ...shared,
    credentialId: `cred-${vendor}`,
    label: vendor,
    config: {
      instanceUrl: stack.settings[`${vendor.toUpperCase()}_URL`],
      ...(vendor === 'github' ? { streams: { incident: { object: 'octo/hello' } } } : {}),
    },
    secret,
    type: vendor === 'github' ? 'api_key' : 'oauth2',
  })
  await seedTask(stack, {
    ...shared,
    id: `task-${vendor}`,
    entityType: 'incident',
    syncMode: 'pull',
    schedule: '0 0 * * * *',
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

test('an incident is a case and an issue, and an edit of any of them arrives in the others', async () => {
  await using running = await startRunning({
    serviceNow: { count: 4 },
    salesforce: { count: 4 },
    github: { count: 4 },
  })
  await connectSystems(running.stack, '* * * * * *')
  await using functions = await running.startFunctions()
  const said: string[] = []
  const stopping = new AbortController()
  const shown = showSystems(running.stack, {
    say: (line) => said.push(line),
    signal: stopping.signal,
  })
  const done = shown.then(() => true)
  // The clock's next slot is far; an operator fires it.
  while (!(await Promise.race([done, delay(200, false)]))) {
    await fireTimer(running, functions, 'SyncScheduler')
  }
  expect(said).toContain(
    'systems      12 records: ServiceNow 12 incidents, Salesforce 12 cases, GitHub 12 issues',
  )
  expect(said.slice(-3).map((line) => line.replace(/ after .*/, ''))).toEqual([
    'systems      "Edited in ServiceNow" is in Salesforce and GitHub',
    'systems      "Edited in Salesforce" is in ServiceNow and GitHub',
    'systems      "Edited in GitHub" is in ServiceNow and Salesforce',
  ])
  const { serviceNow, salesforce, github } = running.stack
  const titles = [
    serviceNow.control.rows('incident').map((row) => row['short_description'] ?? ''),
    salesforce?.control.rows('Case').map((row) => String(row['Subject'])) ?? [],
    github?.control.issues().map(({ title }) => title) ?? [],
  ].map((some) => some.toSorted())
  expect(titles[1]).toEqual(titles[0])
  expect(titles[2]).toEqual(titles[0])
}, 60_000)
