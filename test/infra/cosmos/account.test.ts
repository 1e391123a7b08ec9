import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import topology from '../../../src/topology.json' with { type: 'json' }
import { sign } from '../../../infra/local/cosmos/authorization.ts'
import { startCosmos } from '../../../infra/local/cosmos/cosmos.ts'
import { clientOf, connect, refusal, startLocal } from './local-cosmos.ts'

test('the stock client finds the account over plain HTTP and stays on the address it was given', async () => {
  await using local = await startLocal()
  const { resource } = await local.client.getDatabaseAccount()
  const [location] = (resource?.writableLocations ?? []) as { databaseAccountEndpoint: string }[]
  expect(location?.databaseAccountEndpoint).toBe(local.emulator.settings['COSMOS_ENDPOINT'])
  expect(resource?.consistencyPolicy).toBe('Session')
})

test('a connection string is enough', async () => {
  await using local = await startLocal()
  const { COSMOS_ENDPOINT, COSMOS_KEY } = local.emulator.settings
  using client = clientOf(`AccountEndpoint=${COSMOS_ENDPOINT};AccountKey=${COSMOS_KEY};`)
  expect((await client.databases.create({ id: 'one' })).statusCode).toBe(201)
})

test('the containers of the topology exist from the start', async () => {
  await using emulator = await startCosmos()
  using client = connect(emulator.settings)
  const { resources } = await client.database(topology.database).containers.readAll().fetchAll()
  const expected = Object.values(topology.containers).map(({ name, partitionKey }) => [
    name,
    partitionKey,
    partitionKey.length > 1 ? 'MultiHash' : 'Hash',
  ])
  expect(
    resources.map(({ id, partitionKey }) => [id, partitionKey?.paths, partitionKey?.kind]),
  ).toEqual(expected)
  const shards = resources.find(({ id }) => id === 'shards')
  expect(shards?.defaultTtl).toBe(-1)
  expect(shards?.indexingPolicy?.includedPaths).toEqual(
    topology.containers.shards.indexed.map((path) => ({ path })),
  )
  expect(shards?.indexingPolicy?.excludedPaths).toContainEqual({ path: '/*' })
  expect(resources.find(({ id }) => id === 'sync-tasks')).not.toHaveProperty('defaultTtl')
})

test('a wrong key is refused', async () => {
  await using local = await startLocal()
  const endpoint = local.emulator.settings['COSMOS_ENDPOINT'] ?? ''
  using client = clientOf({ endpoint, key: Buffer.from('wrong').toString('base64') })
  expect(await refusal(client.databases.readAll().fetchAll())).toBe(401)
})

test.for([
  ['the present time', 0, 200],
  ['a date of 16 minutes ago', -16, 401],
  ['a date 16 minutes ahead', 16, 401],
] as const)('a request signed with %s is answered %i', async ([, minutes, status]) => {
  await using local = await startLocal()
  const { COSMOS_ENDPOINT = '', COSMOS_KEY = '' } = local.emulator.settings
  const date = new Date(Date.now() + minutes * 60_000).toUTCString()
  const signature = sign(COSMOS_KEY, { method: 'GET', type: 'dbs', link: '', date })
  const answer = await fetch(`${COSMOS_ENDPOINT}dbs`, {
    headers: {
      authorization: encodeURIComponent(`type=master&ver=1.0&sig=${signature}`),
      'x-ms-date': date,
    },
  })
  expect(answer.status).toBe(status)
})

test('a request without a token, or with one of no known type, is refused with a body that says why', async () => {
  await using local = await startLocal()
  const url = local.emulator.settings['COSMOS_ENDPOINT'] ?? ''
  const none = await fetch(url)
  expect([none.status, await none.json()]).toEqual([
    401,
    { code: 'Unauthorized', message: expect.stringContaining('authorization') },
  ])
  const odd = await fetch(url, { headers: { authorization: 'type=resource&ver=1.0&sig=x' } })
  expect(odd.status).toBe(401)
})

test('the signature is HMAC-SHA256 over verb, type, link and date', () => {
  const key = Buffer.from('a key').toString('base64')
  const date = 'Tue, 01 Nov 1994 08:12:31 GMT'
  const expected = createHmac('sha256', 'a key')
    .update('get\ndbs\ndbs/ToDoList\ntue, 01 nov 1994 08:12:31 gmt\n\n')
    .digest('base64')
  expect(sign(key, { method: 'GET', type: 'dbs', link: 'dbs/ToDoList', date })).toBe(expected)
})

test.for([
  [true, 200],
  [false, 401],
] as const)('with acceptEntra %s an Entra token is answered %i', async ([acceptEntra, status]) => {
  await using local = await startLocal({ acceptEntra })
  const authorization = encodeURIComponent('type=aad&ver=1.0&sig=a.b.c')
  const url = local.emulator.settings['COSMOS_ENDPOINT'] ?? ''
  expect((await fetch(url, { headers: { authorization } })).status).toBe(status)
})

test('databases are created once, listed, queried and deleted with what is in them', async () => {
  await using local = await startLocal()
  const { databases } = local.client
  expect((await databases.createIfNotExists({ id: 'one' })).statusCode).toBe(201)
  expect((await databases.createIfNotExists({ id: 'one' })).statusCode).toBe(200)
  expect(await refusal(databases.create({ id: 'one' }))).toBe(409)
  await databases.create({ id: 'two words' })
  const { resources } = await databases.readAll().fetchAll()
  expect(resources.map(({ id }) => id)).toEqual(['one', 'two words'])
  const found = await databases
    .query({
      query: 'SELECT * FROM d WHERE d.id = @id',
      parameters: [{ name: '@id', value: 'one' }],
    })
    .fetchAll()
  expect(found.resources).toHaveLength(1)
  expect((await local.client.database('two words').read()).statusCode).toBe(200)
  expect((await local.client.database('one').delete()).statusCode).toBe(204)
  expect(await refusal(local.client.database('one').read())).toBe(404)
  const orphan = local.client.database('one').container('x')
  expect(await refusal(orphan.items.create({ id: '1' }))).toEqual([404, 1003])
})

test('a container keeps its definition, takes a new one, and never another partition key', async () => {
  await using local = await startLocal()
  const container = await local.container({
    uniqueKeyPolicy: { uniqueKeys: [{ paths: ['/email'] }] },
    defaultTtl: 60,
  })
  const { resource } = await container.read()
  expect(resource).toMatchObject({
    id: 'things',
    partitionKey: { paths: ['/tenant'], kind: 'Hash' },
    defaultTtl: 60,
    uniqueKeyPolicy: { uniqueKeys: [{ paths: ['/email'] }] },
    indexingPolicy: { indexingMode: 'consistent', includedPaths: [{ path: '/*' }] },
  })
  expect(Buffer.from(String(resource?._rid), 'base64')).toHaveLength(8)
  if (!resource) throw new Error('the container was not read')
  await container.replace({ ...resource, defaultTtl: -1 })
  expect((await container.read()).resource?.defaultTtl).toBe(-1)
  const moved = { ...resource, partitionKey: { paths: ['/other'] } }
  expect(await refusal(container.replace(moved))).toBe(400)
  expect((await container.delete()).statusCode).toBe(204)
  expect(await refusal(container.read())).toBe(404)
})

test.for([
  [
    'four levels of partition key',
    { partitionKey: { paths: ['/a', '/b', '/c', '/d'], kind: 'MultiHash' } },
  ],
  ['several paths of the kind Hash', { partitionKey: { paths: ['/a', '/b'], kind: 'Hash' } }],
  ['a default TTL of nothing', { defaultTtl: 0 }],
  ['a negative default TTL', { defaultTtl: -10 }],
  ['an index that leaves the root open', { indexingPolicy: { includedPaths: [{ path: '/a/?' }] } }],
] as const)('a container with %s is refused', async ([, given]) => {
  await using local = await startLocal()
  const { database } = await local.client.databases.create({ id: 'tests' })
  const request = { id: 'x', partitionKey: { paths: ['/a'] }, ...given }
  expect(await refusal(database.containers.create(request as never))).toBe(400)
})

test('there is one range of partition keys', async () => {
  await using local = await startLocal()
  const container = await local.container()
  const { resources } = await container.readPartitionKeyRanges().fetchAll()
  expect(resources).toMatchObject([{ id: '0', minInclusive: '', maxExclusive: 'FF' }])
})

test('the offer of a container says what was asked for, and takes another throughput', async () => {
  await using local = await startLocal()
  const { client } = local
  const { database } = await client.databases.create({ id: 'tests' })
  const definition = { partitionKey: { paths: ['/tenant'] } }
  const throughput = async (id: string) =>
    (await database.container(id).readOffer()).resource?.content
  await database.containers.create({ ...definition, id: 'default' })
  await database.containers.create({ ...definition, id: 'asked', throughput: 1_000 })
  await database.containers.create({ ...definition, id: 'scaled', maxThroughput: 4_000 })
  expect([
    await throughput('default'),
    await throughput('asked'),
    await throughput('scaled'),
  ]).toMatchObject([
    { offerThroughput: 400 },
    { offerThroughput: 1_000 },
    { offerThroughput: 400, offerAutopilotSettings: { maxThroughput: 4_000 } },
  ])
  const { resource, offer } = await database.container('default').readOffer()
  if (!resource?.content || !offer) throw new Error('there is no offer')
  const content = { ...resource.content, offerThroughput: 500 }
  expect((await offer.replace({ ...resource, content })).resource?.content).toMatchObject(content)
  expect((await client.offers.readAll().fetchAll()).resources).toHaveLength(3)
  await database.delete()
  expect(await refusal(offer.read())).toBe(404)
})

test('containers share the throughput of their database', async () => {
  await using local = await startLocal()
  const { database } = await local.client.databases.create({ id: 'tests', throughput: 600 })
  const { container } = await database.containers.create({
    id: 'c',
    partitionKey: { paths: ['/a'] },
  })
  expect((await database.readOffer()).resource?.content).toMatchObject({ offerThroughput: 600 })
  expect((await container.readOffer()).resource).toBeUndefined()
})
