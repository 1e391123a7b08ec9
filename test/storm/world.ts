import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import topology from '../../src/topology.json' with { type: 'json' }
import type { ConflictDocument, RecordDocument, ShardDocument } from '../../src/sync/record.ts'
import {
  startFunctionsProcess,
  type FunctionsProcess,
} from '../../infra/local/functions-process.ts'
import { cosmosClient, seedConnection, seedTask } from '../../infra/local/seed.ts'
import { startStack, type Stack } from '../../infra/local/stack.ts'
import type { ServiceNowOptions } from '../../infra/local/vendors/servicenow.ts'
import { hubSystem } from './hub.ts'
import {
  entityType,
  salesforceFields,
  salesforceSystem,
  serviceNowFields,
  serviceNowSystem,
} from './systems.ts'
import { administrationOf, standingOf } from './waiting.ts'

export const tenantId = 'storm'
const EVERY_TWO_SECONDS = '*/2 * * * * *'
/** The vendors are ours: their own rules say when they have had enough. So are the people, who come in a crowd. */
const generous = {
  integration: 600_000,
  operations: { fetch: 600_000, update: 600_000, create: 600_000 },
  connection: 600_000,
}

export type World = Awaited<ReturnType<typeof startWorld>>

/** The whole cloud, an instance and an organisation that are kept in step, and the functions as a process to be killed. */
export async function startWorld(serviceNow: ServiceNowOptions) {
  await using starting = new AsyncDisposableStack()
  const folder = await mkdtemp(path.join(tmpdir(), 'syncline-storm-'))
  starting.defer(() => rm(folder, { recursive: true, force: true }))
  const limits = {
    integrations: { servicenow: generous, salesforce: generous },
    incoming: { management: { source: 600_000, tenant: 600_000, user: 600_000 } },
  }
  const stack = starting.use(
    await startStack({
      serviceNow,
      salesforce: {},
      settings: { RATE_LIMITS: JSON.stringify(limits) },
    }),
  )
  const admin = administrationOf(stack)
  await shortenLocks(admin)
  const vendors = [serviceNowSystem(stack), salesforceSystem(stack)] as const
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
  const cosmos = starting.use(cosmosClient(stack))
  const errors: string[] = []
  let functions: FunctionsProcess | undefined
  starting.defer(async () => functions?.[Symbol.asyncDispose]())
  const shards = () => readShards(cosmos)
  const hub = hubSystem({
    vendors,
    url: () => functions?.url ?? '',
    records: async () => (await shards()).records,
    token: async () => {
      const person = { subject: 'person', tenantId, roles: ['operator'], expiresInSeconds: 86_400 }
      return (await stack.issuer.control.mint(person)).token
    },
  })
  const startFunctions = async () => {
    functions = await startFunctionsProcess({
      settingsFile,
      port: 0,
      onLine: (line) => {
        if (/"level":"(error|critical|warning)"/.test(line)) errors.push(line)
      },
    })
  }
  await startFunctions()
  const resources = starting.move()
  return {
    stack,
    vendors,
    hub,
    errors,
    /** As a machine that fails: nothing is finished. */
    restartFunctions: async () => {
      await functions?.kill()
      await startFunctions()
    },
    shards,
    standing: () => standingOf({ cosmos, admin, tenantId, entityType }),
    parked: () => readParked(cosmos),
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
      fieldStrategies: { description: 'newest_wins', urgency: 'external_wins' },
      schedule: EVERY_TWO_SECONDS,
      mapping: { entityType, fields },
    })
  }
}

/** What a killed worker had taken comes back after this time, not after a minute. */
async function shortenLocks(admin: ReturnType<typeof administrationOf>): Promise<void> {
  for (const { name } of Object.values(topology.queues)) {
    const queue = await admin.getQueue(name)
    await admin.updateQueue({ ...queue, lockDuration: 'PT8S', maxDeliveryCount: 100 })
  }
}

type Cosmos = ReturnType<typeof cosmosClient>

async function readShards(cosmos: Cosmos): Promise<{
  readonly records: readonly RecordDocument[]
  readonly conflicts: readonly ConflictDocument[]
}> {
  const container = cosmos.database(topology.database).container(topology.containers.shards.name)
  const { resources } = await container.items
    .query<ShardDocument>('SELECT * FROM c', { partitionKey: [tenantId, entityType] })
    .fetchAll()
  return {
    records: resources.filter((one): one is RecordDocument => one.kind === 'record'),
    conflicts: resources.filter((one): one is ConflictDocument => one.kind === 'conflict'),
  }
}

async function readParked(cosmos: Cosmos): Promise<readonly object[]> {
  const container = cosmos.database(topology.database).container(topology.containers.parked.name)
  const { resources } = await container.items.query<object>('SELECT * FROM c').fetchAll()
  return resources
}
