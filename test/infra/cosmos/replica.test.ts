import { ChangeFeedStartFrom, ConsistencyLevel, type Container } from '@azure/cosmos'
import { expect, test } from 'vitest'
import { serveControl } from '../../../infra/local/control-server.ts'
import { clientOf, connect, refusal, startLocal } from './local-cosmos.ts'

/** Two clients that keep sessions; one writes, the other has its own idea of the world. */
async function startLagging(commits = 5) {
  const local = await startLocal()
  const clients = [1, 2].map(() => {
    const { COSMOS_ENDPOINT: endpoint = '', COSMOS_KEY: key = '' } = local.emulator.settings
    return clientOf({ endpoint, key, consistencyLevel: ConsistencyLevel.Session })
  })
  await local.container({ defaultTtl: -1 })
  const [writer, other] = clients.map((client) => client.database('tests').container('things'))
  if (!writer || !other) throw new Error('two clients were opened')
  await writer.items.create({ id: 'old', tenant: 't', n: 1 })
  local.control.lag({ container: 'things', commits })
  return {
    control: local.control,
    settings: local.emulator.settings,
    writer,
    other,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.dispose()
      await local[Symbol.asyncDispose]()
    },
  }
}

const valueOf = async (container: Container, id: string) =>
  (await container.item(id, 't').read()).resource?.n as number | undefined

async function idsIn(container: Container): Promise<unknown[]> {
  return (await container.items.query('SELECT VALUE c.id FROM c').fetchAll()).resources
}

test('who wrote reads what it wrote; another client may see what was before', async () => {
  await using here = await startLagging()
  const { writer, other } = here
  await writer.items.upsert({ id: 'old', tenant: 't', n: 2 })
  await writer.items.create({ id: 'new', tenant: 't', n: 1 })
  expect([await valueOf(writer, 'old'), await valueOf(writer, 'new')]).toEqual([2, 1])
  expect([await valueOf(other, 'old'), await valueOf(other, 'new')]).toEqual([1, undefined])
  expect([await idsIn(writer), await idsIn(other)]).toEqual([['old', 'new'], ['old']])
  here.control.lag({ container: 'things', commits: 0 })
  expect([await valueOf(other, 'old'), await valueOf(other, 'new')]).toEqual([2, 1])
})

test('a client that names no level sends no token, and does not even read what it wrote', async () => {
  await using here = await startLagging()
  using plain = connect(here.settings)
  const things = plain.database('tests').container('things')
  await things.items.upsert({ id: 'old', tenant: 't', n: 2 })
  expect(await valueOf(things, 'old')).toBe(1)
})

test('a token given by hand carries a session to another client, unless it asks for less', async () => {
  await using here = await startLagging()
  const { headers } = await here.writer.items.upsert({ id: 'old', tenant: 't', n: 2 })
  const sessionToken = String(headers['x-ms-session-token'])
  const item = here.other.item('old', 't')
  const weak = { sessionToken, consistencyLevel: ConsistencyLevel.Eventual }
  expect((await item.read(weak)).resource?.n).toBe(1)
  expect((await item.read({ sessionToken })).resource?.n).toBe(2)
})

test('a replica has a batch as a whole or not at all', async () => {
  await using here = await startLagging(1)
  const operations = ['a', 'b', 'c'].map(
    (id) => ({ operationType: 'Create', resourceBody: { id, tenant: 't' } }) as const,
  )
  await here.writer.items.batch(operations, 't')
  expect(await idsIn(here.other)).toEqual(['old'])
  await here.writer.items.create({ id: 'd', tenant: 't' })
  expect(await idsIn(here.other)).toEqual(['old', 'a', 'b', 'c'])
})

test('a batch that was refused is nowhere, and tells the session how far the container is', async () => {
  await using here = await startLagging()
  await here.writer.items.upsert({ id: 'old', tenant: 't', n: 2 })
  const create = (id: string) =>
    ({ operationType: 'Create', resourceBody: { id, tenant: 't' } }) as const
  const refused = await here.other.items.batch([create('new'), create('old')], 't')
  expect(refused.result?.map(({ statusCode }) => statusCode)).toEqual([424, 409])
  expect(await valueOf(here.other, 'old')).toBe(2)
  expect(await idsIn(here.other)).toEqual(['old'])
})

test.for<[string, number, (container: Container) => Promise<unknown>]>([
  ['a create of what is there', 409, ({ items }) => items.create({ id: 'old', tenant: 't' })],
  [
    'a replace with an old tag',
    412,
    (container) =>
      container
        .item('old', 't')
        .replace(
          { id: 'old', tenant: 't' },
          { accessCondition: { type: 'IfMatch', condition: '"other"' } },
        ),
  ],
  ['a delete of what is gone', 404, (container) => container.item('none', 't').delete()],
])('%s brings the session up to date with its %i', async ([, status, act]) => {
  await using here = await startLagging()
  await here.writer.items.upsert({ id: 'old', tenant: 't', n: 2 })
  expect(await valueOf(here.other, 'old')).toBe(1)
  expect(await refusal(act(here.other))).toBe(status)
  expect(await valueOf(here.other, 'old')).toBe(2)
})

test('deletions reach a lagging replica late, with the order in which everything was made', async () => {
  await using here = await startLagging()
  await here.writer.items.create({ id: 'last', tenant: 't' })
  here.control.lag({ container: 'things', commits: 0 })
  here.control.lag({ container: 'things', commits: 5 })
  await here.writer.item('old', 't').delete()
  await here.writer.items.create({ id: 'old', tenant: 't', n: 9 })
  await here.writer.item('last', 't').delete()
  expect([await idsIn(here.other), await valueOf(here.other, 'old')]).toEqual([['old', 'last'], 1])
  expect([await idsIn(here.writer), await valueOf(here.writer, 'old')]).toEqual([['old'], 9])
})

test('what has expired is gone from every replica', async () => {
  await using here = await startLagging()
  await here.writer.items.create({ id: 'short', tenant: 't', ttl: 10 })
  await here.writer.items.upsert({ id: 'short', tenant: 't', ttl: 100 })
  here.control.lag({ container: 'things', commits: 1 })
  expect(await idsIn(here.other)).toEqual(['old', 'short'])
  here.control.clock.advance(11_000)
  expect(await idsIn(here.other)).toEqual(['old'])
  expect(await idsIn(here.writer)).toEqual(['old', 'short'])
})

test('a replica is behind by no more commits, and by no longer, than it was told', async () => {
  await using here = await startLagging()
  here.control.lag({ container: 'things', commits: 2, ms: 45_000 })
  using fresh = connect(here.settings)
  const anyone = fresh.database('tests').container('things')
  for (const n of [2, 3, 4, 5]) await here.writer.items.upsert({ id: 'old', tenant: 't', n })
  expect(await valueOf(anyone, 'old')).toBe(3)
  here.control.clock.advance(46_000)
  expect(await valueOf(anyone, 'old')).toBe(5)
})

test('the change feed of a lagging replica ends where it does', async () => {
  await using here = await startLagging()
  await here.writer.items.create({ id: 'new', tenant: 't' })
  const changes = async (container: Container) => {
    const changeFeedStartFrom = ChangeFeedStartFrom.Beginning()
    const feed = container.items.getChangeFeedIterator({ maxItemCount: 10, changeFeedStartFrom })
    return (await feed.readNext()).result.map(({ id }) => id as unknown)
  }
  expect([await changes(here.other), await changes(here.writer)]).toEqual([['old'], ['old', 'new']])
})

test('a token that no replica has come to is refused, and the client goes on without it', async () => {
  await using here = await startLagging()
  const { COSMOS_ENDPOINT: endpoint = '', COSMOS_KEY: key = '' } = here.settings
  const connectionPolicy = { enableEndpointDiscovery: false }
  using strict = clientOf({ endpoint, key, connectionPolicy })
  const item = strict.database('tests').container('things').item('old', 't')
  const level = ConsistencyLevel.Session
  const ahead = { sessionToken: '0:-1#99', consistencyLevel: level }
  const { statusCode, substatus } = await item.read(ahead)
  expect([statusCode, substatus]).toEqual([404, 1002])
  expect((await here.other.item('old', 't').read(ahead)).resource?.n).toBe(1)
})

test.for<[string, object]>([
  ['a token that is none', { sessionToken: 'yesterday' }],
  ['a level above the account', { consistencyLevel: ConsistencyLevel.Strong }],
])('%s is refused', async ([, options]) => {
  await using here = await startLagging()
  expect(await refusal(here.other.item('old', 't').read(options))).toBe(400)
})

test('the lag is ordered over the control channel', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await container.items.create({ id: 'a', tenant: 't', n: 1 })
  await using channel = await serveControl([local.emulator])
  const order = (body: object) =>
    fetch(`${channel.origin}/cosmos/commands/lag`, { method: 'POST', body: JSON.stringify(body) })
  expect((await order({ container: 'things', commits: 1 })).status).toBe(200)
  await container.items.upsert({ id: 'a', tenant: 't', n: 2 })
  expect(await valueOf(container, 'a')).toBe(1)
  expect((await order({ container: 'things', commits: -1 })).status).toBe(400)
  const unknown = await order({ container: 'nothing', commits: 1 })
  expect([unknown.status, await unknown.text()]).toEqual([500, expect.stringContaining('nothing')])
})
