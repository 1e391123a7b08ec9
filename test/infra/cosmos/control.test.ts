import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Container } from '@azure/cosmos'
import { expect, test } from 'vitest'
import { startCosmos } from '../../../infra/local/cosmos/cosmos.ts'
import { connect, refusal, startLocal } from './local-cosmos.ts'

test('the client retries a throttled call silently, and counts its retries', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await container.items.create({ id: 'a', tenant: 't' })
  local.control.resetCalls()
  local.control.fail({ operation: 'GET docs', status: 429, times: 3 })
  const answer = await container.item('a', 't').read()
  expect(answer.statusCode).toBe(200)
  expect(answer.headers['x-ms-throttle-retry-count']).toBe(3)
  expect(local.control.calls()['GET docs']).toBe(4)
})

test('the client gives up after nine retries, and says how long to wait', async () => {
  await using local = await startLocal()
  const container = await local.container()
  local.control.fail({
    operation: '^POST docs$',
    status: 429,
    times: 10,
    headers: { 'x-ms-retry-after-ms': '1' },
  })
  const create = container.items.create({ id: 'a', tenant: 't' })
  await expect(create).rejects.toMatchObject({ code: 429, substatus: 3200, retryAfterInMs: 1 })
  expect((await container.items.create({ id: 'a', tenant: 't' })).statusCode).toBe(201)
})

test('a lost answer leaves the write behind, a dropped connection leaves nothing', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await container.items.create({ id: 'first', tenant: 't' })
  local.control.fail({ operation: '^POST docs$', connection: 'lose-answer' })
  const lost = await refusal(container.items.create({ id: 'lost', tenant: 't' }))
  expect(lost).not.toBe('accepted')
  expect((await container.item('lost', 't').read()).statusCode).toBe(200)
  local.control.fail({ operation: '^POST docs$', connection: 'drop', times: 100 })
  expect(await refusal(container.items.create({ id: 'never', tenant: 't' }))).not.toBe('accepted')
  local.control.clearFaults()
  expect((await container.item('never', 't').read()).statusCode).toBe(404)
})

test('a planned error comes through as the service would say it', async () => {
  await using local = await startLocal()
  const container = await local.container()
  local.control.fail({ operation: 'POST docs query$', status: 400 })
  expect(await refusal(container.items.query('SELECT * FROM c').fetchAll())).toBe(400)
})

test('calls are counted and charged by what they are', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await container.items.create({ id: 'a', tenant: 't' })
  local.control.resetCalls()
  const charges = [
    (await container.items.upsert({ id: 'a', tenant: 't' })).requestCharge,
    (await container.item('a', 't').read()).requestCharge,
    (await container.items.query('SELECT * FROM c', { partitionKey: 't' }).fetchAll())
      .requestCharge,
    (await container.item('a', 't').delete()).requestCharge,
  ]
  expect(local.control.calls()).toEqual({
    'POST docs upsert': 1,
    'GET docs': 1,
    'POST docs query': 1,
    'POST docs query-plan': 1,
    'DELETE docs': 1,
  })
  const { total, byOperation } = local.control.requestCharge()
  expect(total).toBeCloseTo(charges.reduce((sum, charge) => sum + charge, 0))
  expect(byOperation['GET docs']).toBe(1)
})

test('a write costs less where less is indexed, a filter more where it finds no index', async () => {
  await using local = await startLocal()
  const bare = { includedPaths: [{ path: '/kept/?' }], excludedPaths: [{ path: '/*' }] }
  const full = await local.container({ id: 'full' })
  const lean = await local.container({ id: 'lean', indexingPolicy: bare })
  const body = { tenant: 't', kept: 1, a: 1, b: 2, list: [1, 2, 3, 4, 5, 6, 7, 8] }
  const charges = async (container: Container) => {
    let write = 0
    for (let n = 0; n < 20; n += 1) {
      write += (await container.items.create({ ...body, id: String(n) })).requestCharge
    }
    const query = container.items.query('SELECT * FROM c WHERE c.a = 2', { partitionKey: 't' })
    return { write, query: (await query.fetchAll()).requestCharge }
  }
  const [indexed, unindexed] = [await charges(full), await charges(lean)]
  expect(unindexed.write).toBeLessThan(indexed.write)
  expect(unindexed.query).toBeGreaterThan(indexed.query)
})

test('a search in a list finds the index of its elements, not one of the list itself', async () => {
  await using local = await startLocal()
  const charge = async (id: string, path: string) => {
    const indexingPolicy = { includedPaths: [{ path }], excludedPaths: [{ path: '/*' }] }
    const container = await local.container({ id, indexingPolicy })
    for (let n = 0; n < 20; n += 1) {
      await container.items.create({ id: String(n), tenant: 't', list: [n] })
    }
    const text = 'SELECT * FROM c WHERE ARRAY_CONTAINS(c.list, 7)'
    const found = await container.items.query(text, { partitionKey: 't' }).fetchAll()
    expect(found.resources).toHaveLength(1)
    return found.requestCharge
  }
  expect(await charge('elements', '/list/[]/?')).toBeLessThan(await charge('whole', '/list/?'))
})

test('inspecting says how many documents there are, without the expired', async () => {
  await using local = await startLocal()
  const container = await local.container({ defaultTtl: 10 })
  for (const tenant of ['t', 'u']) await container.items.create({ id: 'a', tenant })
  const things = (documents: number, partitions: number) =>
    expect(local.control.inspect()).toMatchObject({
      databases: { tests: { things: { documents, partitions } } },
    })
  things(2, 2)
  local.control.clock.advance(11_000)
  things(0, 0)
})

test('with a file, a restarted emulator finds everything as it was', async () => {
  await using folder = await temporaryFolder()
  const options = { file: join(folder.path, 'cosmos.db') }
  const before = await session(options, async (container) => {
    const { items } = container
    await items.create({ id: 'a', tenant: 't', n: 1, email: 'x' })
    await items.create({ id: 'b', tenant: 't', email: 'y' })
    await items.create({ id: 'short', tenant: 't', ttl: 5, email: 'z' })
    await container.item('a', 't').patch([{ op: 'incr', path: '/n', value: 1 }])
    await container.item('b', 't').delete()
    await items.batch(
      [
        { operationType: 'Create', resourceBody: { id: 'undone', tenant: 't', email: 'u' } },
        { operationType: 'Delete', id: 'nobody' },
      ],
      't',
    )
    return (await container.item('a', 't').read()).resource
  })
  {
    await using again = await startLocal(options)
    const container = again.client.database('tests').container('things')
    const { resource } = await container.item('a', 't').read()
    expect(resource).toEqual(before)
    const taken = { id: 'c', tenant: 't', email: 'x' }
    expect(await refusal(container.items.create(taken))).toBe(409)
    again.control.clock.advance(10_000)
    const ids = async () =>
      (await container.items.query('SELECT VALUE c.id FROM c').fetchAll()).resources
    expect(await ids()).toEqual(['a'])
    const created = await container.items.create({ id: 'b', tenant: 't', email: 'y' })
    expect(Number(String(created.headers['x-ms-session-token']).split('#')[1])).toBeGreaterThan(4)
    expect(await ids()).toEqual(['a', 'b'])
    await again.client.database('tests').delete()
  }
  await using empty = await startLocal(options)
  expect((await empty.client.databases.readAll().fetchAll()).resources).toEqual([])
})

test('the emulator can be started with containers of its own', async () => {
  const seed = {
    name: 'one',
    partitionKey: ['/a', '/b'],
    defaultTtlSeconds: null,
    indexed: ['/x/?'],
  }
  await using emulator = await startCosmos({ database: 'mine', containers: [seed] })
  using client = connect(emulator.settings)
  const { resource } = await client.database('mine').container('one').read()
  expect(resource?.partitionKey).toMatchObject({
    paths: ['/a', '/b'],
    kind: 'MultiHash',
    version: 2,
  })
})

async function session<T>(
  options: { readonly file: string },
  work: (container: Container) => Promise<T>,
): Promise<T> {
  await using local = await startLocal(options)
  const container = await local.container({
    defaultTtl: -1,
    uniqueKeyPolicy: { uniqueKeys: [{ paths: ['/email'] }] },
  })
  return await work(container)
}

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'cosmos-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}
