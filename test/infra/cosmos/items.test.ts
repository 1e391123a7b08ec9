import { PartitionKeyBuilder, type PatchOperation } from '@azure/cosmos'
import { describe, expect, test } from 'vitest'
import { bare, refusal, startLocal } from './local-cosmos.ts'

test('an item is created once, read, upserted, replaced and deleted', async () => {
  await using local = await startLocal()
  const container = await local.container()
  const { items } = container
  const item = (id: string, key: string) => container.item(id, key)
  const created = await items.create({ id: 'a', tenant: 't', n: 1 })
  expect([created.statusCode, created.resource?.n]).toEqual([201, 1])
  expect(await refusal(items.create({ id: 'a', tenant: 't' }))).toBe(409)
  const read = await item('a', 't').read()
  expect([read.statusCode, read.resource]).toEqual([200, created.resource])
  expect((await items.upsert({ id: 'a', tenant: 't', n: 2 })).statusCode).toBe(200)
  expect((await items.upsert({ id: 'b', tenant: 't', n: 2 })).statusCode).toBe(201)
  expect((await item('a', 't').replace({ id: 'a', tenant: 't', n: 3 })).resource?.n).toBe(3)
  expect((await item('a', 't').delete()).statusCode).toBe(204)
  const missing = await item('a', 't').read()
  expect([missing.statusCode, missing.resource]).toEqual([404, undefined])
  expect(await refusal(item('a', 't').delete())).toBe(404)
  expect(await refusal(item('a', 't').replace({ id: 'a', tenant: 't' }))).toBe(404)
})

test('the service adds its own fields, and the etag of the header is that of the body', async () => {
  await using local = await startLocal()
  const { items } = await local.container()
  const { resource, etag, requestCharge, headers } = await items.create({ id: 'a', tenant: 't' })
  expect(resource).toMatchObject({
    _rid: expect.any(String),
    _self: expect.stringMatching(/^dbs\/.+\/colls\/.+\/docs\/.+\/$/),
    _etag: expect.stringMatching(/^"[0-9a-f-]{36}"$/),
    _attachments: 'attachments/',
    _ts: Math.floor(local.control.clock.now() / 1000),
  })
  expect(etag).toBe(resource?._etag)
  expect(Buffer.from(String(resource?._rid), 'base64')).toHaveLength(16)
  expect(requestCharge).toBeGreaterThan(4)
  expect(headers['x-ms-session-token']).toBe('0:-1#1')
})

test('the same id lives once in every partition', async () => {
  await using local = await startLocal()
  const container = await local.container()
  for (const tenant of ['t', 'u', 1, '1', true, null, undefined]) {
    expect((await container.items.create({ id: 'a', tenant, of: String(tenant) })).statusCode).toBe(
      201,
    )
  }
  const read = async (key: string | number | boolean | null | undefined) =>
    (await container.item('a', key as string).read()).resource?.of
  expect(
    await Promise.all([read('t'), read(1), read('1'), read(true), read(null), read(undefined)]),
  ).toEqual(['t', '1', '1', 'true', 'null', 'undefined'])
  expect(await read('v')).toBeUndefined()
})

test('a nested path can be the partition key', async () => {
  await using local = await startLocal()
  const container = await local.container({ partitionKey: { paths: ['/owner/tenant'] } })
  await container.items.create({ id: 'a', owner: { tenant: 't' } })
  expect((await container.item('a', 't').read()).statusCode).toBe(200)
})

test('all levels of a hierarchical key tell items apart, and a point read needs all of them', async () => {
  await using local = await startLocal()
  const partitionKey = { paths: ['/tenant', '/kind', '/day'], kind: 'MultiHash', version: 2 }
  const container = await local.container({ partitionKey: partitionKey as never })
  for (const day of [1, 2]) {
    await container.items.create({ id: 'a', tenant: 't', kind: 'k', day })
  }
  const key = new PartitionKeyBuilder().addValue('t').addValue('k').addValue(2).build()
  expect((await container.item('a', key).read()).resource?.day).toBe(2)
  expect(await refusal(container.item('a', ['t', 'k']).delete())).toEqual([400, 1001])
})

test.for<[string, string]>([
  ['a slash', 'a/b'],
  ['a backslash', 'a\\b'],
  ['a number sign', 'a#b'],
  ['1,024 characters', 'x'.repeat(1024)],
])('an id with %s is refused', async ([, id]) => {
  await using local = await startLocal()
  const container = await local.container()
  // The bulk door leaves the id to the service; others are checked by the client already.
  const [result] =
    (
      await container.items.batch(
        [{ operationType: 'Create', resourceBody: { id, tenant: 't' } }],
        't',
      )
    ).result ?? []
  expect(result?.statusCode).toBe(400)
})

test.for(['with spaces', 'käse', '100%', 'a%20b', 'a+b', 'a?b', "it's", '[x]', '=;,@:', '日本'])(
  'the id %s can be written and read',
  async (id) => {
    await using local = await startLocal()
    const container = await local.container()
    await container.items.create({ id, tenant: 't' })
    expect((await container.item(id, 't').read()).resource?.id).toBe(id)
    expect((await container.item(id, 't').delete()).statusCode).toBe(204)
  },
)

test('an item of more than 2 MB is refused', async () => {
  await using local = await startLocal()
  const { items } = await local.container()
  expect(
    await refusal(items.create({ id: 'a', tenant: 't', text: 'x'.repeat(2 * 1024 * 1024) })),
  ).toBe(413)
  const almost = { id: 'b', tenant: 't', text: 'x'.repeat(2 * 1024 * 1024 - 1024) }
  expect((await items.create(almost)).statusCode).toBe(201)
})

describe('conditions', () => {
  const ifMatch = (condition: string) => ({ accessCondition: { type: 'IfMatch', condition } })
  const ifNoneMatch = (condition: string) => ({
    accessCondition: { type: 'IfNoneMatch', condition },
  })

  test('a stale etag stops every write, the present one lets it through', async () => {
    await using local = await startLocal()
    const container = await local.container()
    const first = await container.items.create({ id: 'a', tenant: 't' })
    const item = container.item('a', 't')
    const second = await item.replace({ id: 'a', tenant: 't', n: 2 }, ifMatch(first.etag))
    const stale = ifMatch(first.etag)
    expect([
      await refusal(item.replace({ id: 'a', tenant: 't', n: 3 }, stale)),
      await refusal(container.items.upsert({ id: 'a', tenant: 't', n: 3 }, stale)),
      await refusal(item.patch([{ op: 'set', path: '/n', value: 3 }], stale)),
      await refusal(item.delete(stale)),
    ]).toEqual([412, 412, 412, 412])
    expect((await item.read()).resource?.n).toBe(2)
    expect((await item.delete(ifMatch(second.etag))).statusCode).toBe(204)
  })

  test('a read of what is known already answers 304', async () => {
    await using local = await startLocal()
    const container = await local.container()
    const { etag } = await container.items.create({ id: 'a', tenant: 't' })
    const item = container.item('a', 't')
    const same = await item.read(ifNoneMatch(etag))
    expect([same.statusCode, same.resource]).toEqual([304, null])
    expect((await item.read(ifNoneMatch('"other"'))).statusCode).toBe(200)
  })

  test('an upsert that must not replace does not', async () => {
    await using local = await startLocal()
    const { items } = await local.container()
    const body = { id: 'a', tenant: 't' }
    expect((await items.upsert(body, ifNoneMatch('*'))).statusCode).toBe(201)
    expect(await refusal(items.upsert(body, ifNoneMatch('*')))).toBe(412)
    expect(await refusal(items.create(body, ifNoneMatch('*')))).toBe(409)
  })

  test('an upsert with an etag creates what does not exist', async () => {
    await using local = await startLocal()
    const { items } = await local.container()
    expect((await items.upsert({ id: 'a', tenant: 't' }, ifMatch('"gone"'))).statusCode).toBe(201)
  })

  test('of 100 replaces with the same etag one wins, in every round', async () => {
    await using local = await startLocal()
    const container = await local.container()
    let { etag } = await container.items.create({ id: 'a', tenant: 't', round: 0 })
    const item = container.item('a', 't')
    for (const round of [1, 2, 3]) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 100 }, (_, by) =>
          item.replace({ id: 'a', tenant: 't', round, by }, ifMatch(etag)),
        ),
      )
      const [winner, ...others] = outcomes.filter(({ status }) => status === 'fulfilled')
      expect(others).toEqual([])
      const { resource } = await item.read()
      expect(resource?.round).toBe(round)
      etag = String(resource?._etag)
      expect(winner).toMatchObject({ value: { etag } })
    }
  })
})

describe('patch', () => {
  const start = { id: 'a', tenant: 't', n: 1, list: [1, 2, 3], deep: { x: { y: 1 } }, 'a/b': 1 }
  const rows: [string, PatchOperation[], object][] = [
    ['add a field', [{ op: 'add', path: '/m', value: null }], { m: null }],
    [
      'add to the end of an array',
      [{ op: 'add', path: '/list/-', value: 4 }],
      { list: [1, 2, 3, 4] },
    ],
    ['add into an array', [{ op: 'add', path: '/list/1', value: 9 }], { list: [1, 9, 2, 3] }],
    ['set a place in an array', [{ op: 'set', path: '/list/1', value: 9 }], { list: [1, 9, 3] }],
    [
      'set a deep field',
      [{ op: 'set', path: '/deep/x/z', value: 2 }],
      { deep: { x: { y: 1, z: 2 } } },
    ],
    ['replace', [{ op: 'replace', path: '/deep/x', value: 0 }], { deep: { x: 0 } }],
    ['remove', [{ op: 'remove', path: '/list/0' }], { list: [2, 3] }],
    ['increment', [{ op: 'incr', path: '/n', value: -2.5 }], { n: -1.5 }],
    ['increment what was not there', [{ op: 'incr', path: '/m', value: 2 }], { m: 2 }],
    ['an escaped path', [{ op: 'replace', path: '/a~1b', value: 2 }], { 'a/b': 2 }],
    [
      'several in order',
      [
        { op: 'set', path: '/m', value: 1 },
        { op: 'incr', path: '/m', value: 1 },
      ],
      { m: 2 },
    ],
    [
      'move',
      [{ op: 'move', from: '/n', path: '/deep/n' } as never], // the service knows it, the client's types do not
      { n: undefined, deep: { x: { y: 1 }, n: 1 } },
    ],
  ]
  test.for(rows)('%s', async ([, operations, expected]) => {
    await using local = await startLocal()
    const container = await local.container()
    await container.items.create(start)
    const patched = await container.item('a', 't').patch(operations)
    const { resource } = await container.item('a', 't').read()
    expect(patched.resource).toEqual(resource)
    expect(bare([resource ?? {}])).toEqual([JSON.parse(JSON.stringify({ ...start, ...expected }))])
  })

  const refused: [string, PatchOperation[]][] = [
    ['the id', [{ op: 'set', path: '/id', value: 'b' }]],
    ['the partition key', [{ op: 'set', path: '/tenant', value: 'b' }]],
    ['a system field', [{ op: 'set', path: '/_ts', value: 1 }]],
    ['what is not there by replace', [{ op: 'replace', path: '/nowhere', value: 1 }]],
    ['what is not there by remove', [{ op: 'remove', path: '/nowhere' }]],
    ['below what is not there', [{ op: 'add', path: '/nowhere/x', value: 1 }]],
    ['beyond the end of an array', [{ op: 'add', path: '/list/7', value: 1 }]],
    [
      'a text by incr',
      [
        { op: 'set', path: '/n', value: 'x' },
        { op: 'incr', path: '/n', value: 1 },
      ],
    ],
    [
      'more than ten things',
      Array.from({ length: 11 }, () => ({ op: 'incr' as const, path: '/n', value: 1 })),
    ],
  ]
  test.for(refused)('it refuses to change %s, and changes nothing', async ([, operations]) => {
    await using local = await startLocal()
    const container = await local.container()
    const { etag } = await container.items.create(start)
    const item = container.item('a', 't')
    expect(await refusal(item.patch([{ op: 'incr', path: '/n', value: 1 }, ...operations]))).toBe(
      400,
    )
    expect((await item.read()).etag).toBe(etag)
  })

  test('a condition decides', async () => {
    await using local = await startLocal()
    const container = await local.container()
    await container.items.create(start)
    const patch = (condition: string) =>
      container
        .item('a', 't')
        .patch({ condition, operations: [{ op: 'incr', path: '/n', value: 1 }] })
    expect((await patch('from c where c.n = 1')).resource?.n).toBe(2)
    expect(await refusal(patch('from c where c.n = 1'))).toBe(412)
    expect(await refusal(patch('from c where where'))).toBe(400)
    expect(
      await refusal(container.item('b', 't').patch([{ op: 'incr', path: '/n', value: 1 }])),
    ).toBe(404)
  })
})

describe('unique keys', () => {
  const uniqueKeyPolicy = { uniqueKeys: [{ paths: ['/email'] }, { paths: ['/a', '/b/c'] }] }

  test('hold within a partition, for every kind of write', async () => {
    await using local = await startLocal()
    const container = await local.container({ uniqueKeyPolicy })
    const { items } = container
    await items.create({ id: '1', tenant: 't', email: 'x', a: 1, b: { c: 1 } })
    await items.create({ id: '1', tenant: 'u', email: 'x', a: 1, b: { c: 1 } })
    await items.create({ id: '2', tenant: 't', email: 'y', a: 1, b: { c: 2 } })
    const item = container.item('2', 't')
    expect([
      await refusal(items.create({ id: '3', tenant: 't', email: 'x', a: 2 })),
      await refusal(items.create({ id: '3', tenant: 't', email: 'z', a: 1, b: { c: 2 } })),
      await refusal(items.upsert({ id: '2', tenant: 't', email: 'x' })),
      await refusal(item.replace({ id: '2', tenant: 't', email: 'x' })),
      await refusal(item.patch([{ op: 'set', path: '/email', value: 'x' }])),
    ]).toEqual([409, 409, 409, 409, 409])
    await item.replace({ id: '2', tenant: 't', email: 'y', a: 5 })
    await container.item('1', 't').delete()
    expect((await items.create({ id: '3', tenant: 't', email: 'x', a: 1 })).statusCode).toBe(201)
  })

  test('take what is missing for null, so it is missing once', async () => {
    await using local = await startLocal()
    const { items } = await local.container({
      uniqueKeyPolicy: { uniqueKeys: [{ paths: ['/email'] }] },
    })
    await items.create({ id: '1', tenant: 't' })
    expect(await refusal(items.create({ id: '2', tenant: 't', email: null as never }))).toBe(409)
  })
})

describe('expiry', () => {
  test('follows the container, unless the item says otherwise', async () => {
    await using local = await startLocal()
    const container = await local.container({ defaultTtl: 60 })
    await container.items.create({ id: 'default', tenant: 't' })
    await container.items.create({ id: 'short', tenant: 't', ttl: 10 })
    await container.items.create({ id: 'never', tenant: 't', ttl: -1 })
    const ids = async () =>
      (await container.items.query('SELECT VALUE c.id FROM c').fetchAll()).resources as string[]
    local.control.clock.advance(9_000)
    expect(await ids()).toEqual(['default', 'short', 'never'])
    local.control.clock.advance(2_000)
    expect(await ids()).toEqual(['default', 'never'])
    local.control.clock.advance(3_600_000)
    expect(await ids()).toEqual(['never'])
  })

  test('a write begins the time anew', async () => {
    await using local = await startLocal()
    const container = await local.container({ defaultTtl: 60 })
    await container.items.create({ id: 'a', tenant: 't' })
    local.control.clock.advance(50_000)
    await container.item('a', 't').patch([{ op: 'set', path: '/n', value: 1 }])
    local.control.clock.advance(50_000)
    expect((await container.item('a', 't').read()).statusCode).toBe(200)
  })

  test('what expired is gone from everything at once: reads, writes, unique keys, feeds', async () => {
    await using local = await startLocal()
    const uniqueKeyPolicy = { uniqueKeys: [{ paths: ['/email'] }] }
    const container = await local.container({ defaultTtl: -1, uniqueKeyPolicy })
    const { items } = container
    const body = { id: 'a', tenant: 't', email: 'x', ttl: 10 }
    await items.create(body)
    expect(await refusal(items.create({ ...body, id: 'b' }))).toBe(409)
    local.control.clock.advance(11_000)
    const item = container.item('a', 't')
    expect([
      (await item.read()).statusCode,
      await refusal(item.patch([{ op: 'set', path: '/n', value: 1 }])),
      await refusal(item.delete()),
      (await items.query('SELECT VALUE COUNT(1) FROM c', { partitionKey: 't' }).fetchAll())
        .resources,
      (await items.readAll().fetchAll()).resources,
      (await items.create({ ...body, id: 'b' })).statusCode,
    ]).toEqual([404, 404, 404, [0], [], 201])
    expect(await items.create(body).catch(({ code }) => code)).toBe(409)
  })

  test('an item has no say where the container has expiry off', async () => {
    await using local = await startLocal()
    const container = await local.container()
    await container.items.create({ id: 'a', tenant: 't', ttl: 1 })
    local.control.clock.advance(10_000)
    expect((await container.item('a', 't').read()).statusCode).toBe(200)
    const { resource } = await container.read()
    if (!resource) throw new Error('the container was not read')
    await container.replace({ ...resource, defaultTtl: -1 })
    expect((await container.item('a', 't').read()).statusCode).toBe(404)
  })

  test.for([0, -2, 1.5, 'soon', null, 2_147_483_648])('a ttl of %s is refused', async (ttl) => {
    await using local = await startLocal()
    const container = await local.container({ defaultTtl: -1 })
    expect(await refusal(container.items.create({ id: 'a', tenant: 't', ttl: ttl as never }))).toBe(
      400,
    )
  })
})

test('deleting by partition key empties one logical partition', async () => {
  await using local = await startLocal()
  const container = await local.container()
  for (const tenant of ['t', 'u']) await container.items.create({ id: 'a', tenant })
  expect((await container.deleteAllItemsForPartitionKey('t')).statusCode).toBe(200)
  const { resources } = await container.items.query('SELECT VALUE c.tenant FROM c').fetchAll()
  expect(resources).toEqual(['u'])
})
