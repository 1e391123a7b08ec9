import { setTimeout as delay } from 'node:timers/promises'
import topology from '../../src/topology.json' with { type: 'json' }
import { openCosmos } from '../../src/adapters/cosmos.ts'
import type { Collection } from '../../src/core/collection.ts'
import type { Delivery } from '../../src/webhooks/delivery.ts'
import type { ParkedDocument } from '../../src/sync/result.ts'
import type { RecordDocument, ShardDocument } from '../../src/sync/record.ts'
import type { Emulator } from '../../infra/local/emulator.ts'
import { seedConnection, seedTask, storeDocument, storeText } from '../../infra/local/seed.ts'
import { startServiceNow, type ServiceNowControl } from '../../infra/local/vendors/servicenow.ts'
import { fireTimer, startRunning, withoutLimits, type Running } from '../system/running.ts'

/** What a tenant is there for. Calls of its vendor fail only where it says so. */
export type Role = 'light' | 'faulty' | 'flooding'

export interface Tenant {
  readonly name: string
  readonly role: Role
  readonly vendor: Emulator<ServiceNowControl>
  /** Signs its webhooks. */
  readonly secret: string
  /** Of an operator of the tenant. */
  readonly token: string
  /** Records by the ids of their rows at the vendor. */
  readonly recordIds: ReadonlyMap<string, string>
}

export interface SoakWorld extends AsyncDisposable {
  readonly running: Running
  readonly url: string
  /** Of the functions. */
  readonly pid: number
  readonly tenants: readonly Tenant[]
  readonly shards: Collection<ShardDocument>
  readonly parked: Collection<ParkedDocument>
  readonly deliveries: Collection<Delivery>
}

export const entityType = 'incident'
const EVERY_TEN_SECONDS = '*/10 * * * * *'
const PLENTY_PER_MINUTE = 1_000_000
const POLL_MS = 100

export interface Population {
  readonly roles: readonly Role[]
  /** Rows of each tenant. */
  readonly rows: number
}

/** Tenants with an instance each, all of whose rows are in the store already. */
export async function startSoakWorld({ roles, rows }: Population): Promise<SoakWorld> {
  await using starting = new AsyncDisposableStack()
  const running = starting.use(
    await startRunning({
      settings: { ...withoutLimits, SYNC_SCHEDULE: EVERY_TEN_SECONDS, SYNC_MAX_RETRIES: '10' },
    }),
  )
  const { stack } = running
  const { COSMOS_ENDPOINT: endpoint = '', COSMOS_KEY: key = '' } = stack.settings
  const cosmos = starting.use(openCosmos({ endpoint, database: topology.database, auth: { key } }))
  const { containers } = topology
  const shards = cosmos.collection<ShardDocument>(containers.shards.name)
  const functions = starting.use(await running.startFunctions())
  const tenants: Tenant[] = []
  for (const [index, role] of roles.entries()) {
    const vendor = starting.use(await startServiceNow({ count: rows, seed: index + 1 }))
    const name = `${role}-${index}`
    tenants.push(await seedTenant(running, { name, role, vendor }))
  }
  await fireTimer(running, functions, 'SyncScheduler')
  const ready = await Promise.all(
    tenants.map(async (tenant) => ({ ...tenant, recordIds: await untilRead(shards, tenant) })),
  )
  const started = starting.move()
  return {
    running,
    url: functions.url,
    pid: functions.pid,
    tenants: ready,
    shards,
    parked: cosmos.collection(containers.parked.name),
    deliveries: cosmos.collection(containers.deliveries.name),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

async function seedTenant(
  { stack }: Running,
  { name, role, vendor }: Pick<Tenant, 'name' | 'role' | 'vendor'>,
): Promise<Tenant> {
  const shared = { tenantId: name, integrationId: 'servicenow', connectionId: name }
  await seedConnection(stack, {
    ...shared,
    credentialId: name,
    label: name,
    config: { instanceUrl: vendor.settings['SERVICENOW_URL'] },
    secret: { kind: 'refresh_token', refreshToken: vendor.control.issueRefreshToken() },
  })
  await seedTask(stack, {
    ...shared,
    id: name,
    entityType,
    syncMode: 'bidirectional',
    schedule: EVERY_TEN_SECONDS,
  })
  const secret = `secret of ${name}`
  await storeText(stack, `webhook-${name}-s1`, secret)
  const createdAt = new Date().toISOString()
  await storeDocument(stack, 'webhookRegistrations', {
    ...shared,
    id: name,
    registrationId: name,
    scheme: 'servicenow',
    state: 'active',
    forward: 'inbound',
    maxBodyBytes: 1024 * 1024,
    requestsPerMinute: PLENTY_PER_MINUTE,
    expected: {},
    secrets: [{ id: 's1', purpose: 'signing', createdAt }],
    createdAt,
  })
  const operator = { subject: 'soak', tenantId: name, roles: ['operator'] }
  const { token } = await stack.issuer.control.mint(operator)
  return { name, role, vendor, secret, token, recordIds: new Map() }
}

async function untilRead(
  shards: Collection<ShardDocument>,
  { name, vendor }: Tenant,
): Promise<ReadonlyMap<string, string>> {
  const rows = vendor.control.rows(entityType).length
  for (;;) {
    const found = await recordsOf(shards, name)
    if (found.size === rows) return new Map([...found].map(([row, { id }]) => [row, id]))
    await delay(POLL_MS)
  }
}

/** A tenant's records by the ids of their rows at its vendor. */
export async function recordsOf(
  shards: Collection<ShardDocument>,
  tenant: string,
): Promise<ReadonlyMap<string, RecordDocument>> {
  const found = new Map<string, RecordDocument>()
  const isRecord = { field: 'kind', is: '=', value: 'record' } as const
  for await (const { document } of shards.query({ anyOf: [[isRecord]] }, [tenant, entityType])) {
    if (document.kind !== 'record') continue
    const externalId = document.links[tenant]?.externalId
    if (externalId !== undefined && externalId !== null) found.set(externalId, document)
  }
  return found
}
