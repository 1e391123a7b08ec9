import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ServiceBusAdministrationClient } from '@azure/service-bus'
import topology from '../../src/topology.json' with { type: 'json' }
import type { ConflictDocument, RecordDocument, ShardDocument } from '../../src/sync/record.ts'
import { startFunctionsProcess } from '../../infra/local/functions-process.ts'
import { cosmosClient, seedConnection, seedTask } from '../../infra/local/seed.ts'
import { startStack, type Stack } from '../../infra/local/stack.ts'
import type { ServiceNowOptions } from '../../infra/local/vendors/servicenow.ts'
import {
  entityType,
  salesforceFields,
  salesforceSystem,
  serviceNowFields,
  serviceNowSystem,
} from './systems.ts'

export const tenantId = 'storm'
const EVERY_TWO_SECONDS = '*/2 * * * * *'

export type World = Awaited<ReturnType<typeof startWorld>>

/** The whole cloud, an instance and an organisation that are kept in step, and the functions as a process to be killed. */
export async function startWorld(serviceNow: ServiceNowOptions) {
  await using starting = new AsyncDisposableStack()
  const folder = await mkdtemp(path.join(tmpdir(), 'syncline-storm-'))
  starting.defer(() => rm(folder, { recursive: true, force: true }))
  const stack = starting.use(await startStack({ serviceNow, salesforce: {} }))
  await shortenLocks(stack)
  const systems = [serviceNowSystem(stack), salesforceSystem(stack)] as const
  await seed(stack)
  const settingsFile = path.join(folder, 'local.settings.json')
  const settings = {
    ...stack.settings,
    SYNC_SCHEDULE: EVERY_TWO_SECONDS,
    SYNC_RELAY_SCHEDULE: EVERY_TWO_SECONDS,
    SYNC_PUSH_LEASE_SECONDS: '5',
    SYNC_MAX_RETRIES: '20',
    SYNC_BATCH_SIZE: '500',
  }
  await writeFile(settingsFile, JSON.stringify({ Values: settings }))
  const resources = starting.move()
  const errors: string[] = []
  return {
    stack,
    systems,
    errors,
    startFunctions: () =>
      startFunctionsProcess({
        settingsFile,
        port: 0,
        onLine: (line) => {
          if (/error|fail|reject/i.test(line)) errors.push(line)
        },
      }),
    shards: () => readShards(stack),
    pending: () =>
      count(stack, topology.containers.shards.name, 'WHERE ARRAY_LENGTH(c.pending) > 0'),
    parked: () => readParked(stack),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

async function seed(stack: Stack): Promise<void> {
  const connections = [
    {
      integrationId: 'servicenow',
      url: stack.settings['SERVICENOW_URL'],
      fields: serviceNowFields,
      refreshToken: stack.serviceNow.control.issueRefreshToken(),
    },
    {
      integrationId: 'salesforce',
      url: stack.settings['SALESFORCE_URL'],
      fields: salesforceFields,
      refreshToken: stack.salesforce?.control.issueRefreshToken() ?? '',
    },
  ]
  for (const { integrationId, url, fields, refreshToken } of connections) {
    const shared = { tenantId, integrationId, connectionId: `conn-${integrationId}` }
    await seedConnection(stack, {
      ...shared,
      credentialId: `cred-${integrationId}`,
      label: integrationId,
      config: { instanceUrl: url },
      secret: { kind: 'refresh_token', refreshToken },
    })
    await seedTask(stack, {
      ...shared,
      id: `task-${integrationId}`,
      entityType,
      syncMode: 'bidirectional',
      conflictStrategy: 'local_wins',
      schedule: EVERY_TWO_SECONDS,
      mapping: { entityType, fields },
    })
  }
}

/** What a killed worker had taken comes back after this time, not after a minute. */
async function shortenLocks({ settings }: Stack): Promise<void> {
  const admin = new ServiceBusAdministrationClient(
    settings['SERVICE_BUS_ADMIN_CONNECTION_STRING'] ?? '',
  )
  admin.pipeline.addPolicy({
    name: 'plainHttp',
    sendRequest: (request, next) => {
      request.url = request.url.replace(/^https:/, 'http:')
      request.allowInsecureConnection = true
      return next(request)
    },
  })
  for (const { name } of Object.values(topology.queues)) {
    const queue = await admin.getQueue(name)
    await admin.updateQueue({ ...queue, lockDuration: 'PT8S', maxDeliveryCount: 100 })
  }
}

async function readShards(stack: Stack): Promise<{
  readonly records: readonly RecordDocument[]
  readonly conflicts: readonly ConflictDocument[]
}> {
  using client = cosmosClient(stack)
  const container = client.database(topology.database).container(topology.containers.shards.name)
  const { resources } = await container.items
    .query<ShardDocument>('SELECT * FROM c', { partitionKey: [tenantId, entityType] })
    .fetchAll()
  return {
    records: resources.filter((one): one is RecordDocument => one.kind === 'record'),
    conflicts: resources.filter((one): one is ConflictDocument => one.kind === 'conflict'),
  }
}

async function readParked(stack: Stack): Promise<readonly { readonly reason: object }[]> {
  using client = cosmosClient(stack)
  const container = client.database(topology.database).container(topology.containers.parked.name)
  const { resources } = await container.items
    .query<{ reason: object }>('SELECT * FROM c', { partitionKey: [tenantId] })
    .fetchAll()
  return resources
}

async function count(stack: Stack, container: string, where: string): Promise<number> {
  using client = cosmosClient(stack)
  const { resources } = await client
    .database(topology.database)
    .container(container)
    .items.query<number>(`SELECT VALUE COUNT(1) FROM c ${where}`, {
      partitionKey: [tenantId, entityType],
    })
    .fetchAll()
  return resources[0] ?? 0
}
