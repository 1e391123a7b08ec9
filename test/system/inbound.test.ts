import { existsSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import topology from '../../src/topology.json' with { type: 'json' }
import { servicenow } from '../../src/connectors/servicenow/index.ts'
import type { JsonObject } from '../../src/core/canonical-json.ts'
import { decode } from '../../src/sync/mapping.ts'
import type { ShardDocument } from '../../src/sync/record.ts'
import { countStored, demo } from '../../infra/local/demo.ts'
import { cosmosClient } from '../../infra/local/seed.ts'
import { readIncidentLog, type ServiceNowOptions } from '../../infra/local/vendors/servicenow.ts'
import { fireTimer, startRunning, type Running } from './running.ts'

const log = path.join(
  import.meta.dirname,
  '../../../shared/data/servicenow-incident-log/incident_event_log.csv.gz',
)

/** The real incident log where it is at hand, as many made-up incidents where it is not. */
async function incidents(): Promise<ServiceNowOptions> {
  if (!existsSync(log)) return { count: 24_918 }
  return { incidents: { log: await readIncidentLog(log), mode: 'final' } }
}

async function readShards({ stack }: Running): Promise<Map<string, JsonObject>> {
  using client = cosmosClient(stack)
  const container = client.database(topology.database).container(topology.containers.shards.name)
  const { resources } = await container.items
    .query<ShardDocument>('SELECT * FROM c', { partitionKey: [demo.tenantId, demo.entityType] })
    .fetchAll()
  const records = new Map(
    resources.flatMap((one) => (one.kind === 'record' ? [[one.id, one.fields] as const] : [])),
  )
  return new Map(
    resources.flatMap((one) =>
      one.kind === 'link' ? [[one.externalId, records.get(one.recordId) ?? {}] as const] : [],
    ),
  )
}

function expectedRecords({ stack }: Running): Map<string, JsonObject> {
  const mapping = servicenow.streams['incident']?.mapping
  if (!mapping) throw new Error('there is no mapping of incidents')
  const empty = Object.fromEntries(mapping.fields.map(({ external }) => [external, '']))
  return new Map(
    stack.serviceNow.control.rows('incident').map((row) => {
      // The twin keeps no columns that nobody wrote; its API answers them empty.
      const decoded = decode(mapping, { ...empty, ...row })
      if (!decoded.ok) throw decoded.error
      return [row['sys_id'] ?? '', decoded.fields]
    }),
  )
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(50)
}

test('every incident is in the store as the mapping says, though the functions are killed three times', async () => {
  await using running = await startRunning({ serviceNow: await incidents() })
  const { control } = running.stack.serviceNow
  const total = control.rows('incident').length
  for (const share of [0.2, 0.45, 0.7]) {
    await using functions = await running.startFunctions()
    await fireTimer(running, functions, 'SyncScheduler')
    await until(async () => (await countStored(running.stack)).records >= total * share)
    await functions.kill()
    // The dead worker's lock on its message has to expire before anybody gets it.
    running.stack.serviceBus.control.clock.advance(61_000)
  }
  await using functions = await running.startFunctions()
  await until(async () => (await countStored(running.stack)).records >= total)
  expect(await readShards(running)).toEqual(expectedRecords(running))
  expect(await countStored(running.stack)).toEqual({ records: total, links: total, parked: 0 })
  expect(functions.url).toMatch(/^http:/)
}, 180_000)

test('forty rows of one second across page edges all arrive', async () => {
  await using running = await startRunning({ settings: { SYNC_BATCH_SIZE: '7' } })
  const { control } = running.stack.serviceNow
  const stamp = '2026-02-03 04:05:06'
  for (let index = 0; index < 40; index += 1) {
    control.create('incident', {
      number: `INC${String(index).padStart(7, '0')}`,
      short_description: `one of forty, ${index}`,
      sys_created_on: stamp,
      sys_updated_on: stamp,
    })
  }
  await using functions = await running.startFunctions()
  await fireTimer(running, functions, 'SyncScheduler')
  await until(async () => (await countStored(running.stack)).records >= 40)
  expect(new Set(control.rows('incident').map((row) => row['sys_updated_on']))).toEqual(
    new Set([stamp]),
  )
  expect(await readShards(running)).toEqual(expectedRecords(running))
}, 60_000)

test('a vendor that throttles, hibernates, drops calls and forgets its tokens delays the run and loses nothing', async () => {
  await using running = await startRunning({
    serviceNow: { count: 300 },
    settings: { SYNC_BATCH_SIZE: '50', SYNC_MAX_RETRIES: '10' },
  })
  const { control } = running.stack.serviceNow
  await using functions = await running.startFunctions()
  control.throttle('rule')
  control.throttle('semaphore')
  control.hibernate(1, '/api/now')
  control.fail({ operation: '/api/now', connection: 'drop' })
  control.fail({ operation: '/api/now', connection: 'lose-answer' })
  control.fail({ operation: '/api/now', status: 502 })
  control.expireAccessTokens()
  await fireTimer(running, functions, 'SyncScheduler')
  const clock = running.stack.serviceBus.control.clock
  await until(async () => {
    clock.advance(5_000)
    return (await countStored(running.stack)).records >= 300
  })
  expect(await readShards(running)).toEqual(expectedRecords(running))
}, 60_000)
