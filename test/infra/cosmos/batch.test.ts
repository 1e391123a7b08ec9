import type { Container, OperationInput } from '@azure/cosmos'
import { expect, test } from 'vitest'
import { refusal, startLocal } from './local-cosmos.ts'

const create = (id: string, more: object = {}): OperationInput => ({
  operationType: 'Create',
  resourceBody: { id, tenant: 't', ...more },
})

async function contents(container: Container) {
  const { resources } = await container.items.query('SELECT c.id, c.n FROM c').fetchAll()
  return resources as { id: string; n?: number }[]
}

test('a batch does every kind of operation, in order', async () => {
  await using local = await startLocal()
  const container = await local.container()
  for (const id of ['1', '2', '3', '4']) await container.items.create({ id, tenant: 't', n: 0 })
  const answer = await container.items.batch(
    [
      create('5', { n: 5 }),
      { operationType: 'Upsert', resourceBody: { id: '1', tenant: 't', n: 1 } },
      { operationType: 'Replace', id: '2', resourceBody: { id: '2', tenant: 't', n: 2 } },
      {
        operationType: 'Patch',
        id: '3',
        resourceBody: { operations: [{ op: 'incr', path: '/n', value: 3 }] },
      },
      { operationType: 'Delete', id: '4' },
      { operationType: 'Read', id: '3' },
    ],
    't',
  )
  expect(answer.code).toBe(200)
  expect(answer.result?.map(({ statusCode }) => statusCode)).toEqual([201, 200, 200, 200, 204, 200])
  expect(answer.result?.[5]?.resourceBody).toMatchObject({ id: '3', n: 3 })
  expect(answer.result?.[0]?.eTag).toBe((await container.item('5', 't').read()).etag)
  expect(await contents(container)).toEqual([
    { id: '1', n: 1 },
    { id: '2', n: 2 },
    { id: '3', n: 3 },
    { id: '5', n: 5 },
  ])
})

test.for<[string, OperationInput, number]>([
  ['a conflict', create('old'), 409],
  ['a missing item', { operationType: 'Delete', id: 'nobody' }, 404],
  [
    'a stale etag',
    {
      operationType: 'Replace',
      id: 'old',
      ifMatch: '"stale"',
      resourceBody: { id: 'old', tenant: 't' },
    },
    412,
  ],
  [
    'an item of another partition',
    { operationType: 'Create', resourceBody: { id: 'x', tenant: 'u' } },
    400,
  ],
  [
    'a patch of the id',
    {
      operationType: 'Patch',
      id: 'old',
      resourceBody: { operations: [{ op: 'set', path: '/id', value: 1 }] },
    },
    400,
  ],
  ['a unique key', create('x', { email: 'e' }), 409],
])('%s in the middle undoes the whole batch', async ([, operation, status]) => {
  await using local = await startLocal()
  const container = await local.container({
    uniqueKeyPolicy: { uniqueKeys: [{ paths: ['/email'] }] },
  })
  for (const [n, id] of ['old', 'other', 'third'].entries()) {
    await container.items.create({ id, tenant: 't', n, email: id === 'old' ? 'e' : id })
  }
  const before = await container.items.readAll().fetchAll()
  const answer = await container.items.batch(
    [
      { operationType: 'Delete', id: 'other' },
      create('other', { email: 'new' }),
      { operationType: 'Upsert', resourceBody: { id: 'third', tenant: 't', n: 9, email: 'other' } },
      operation,
      create('never'),
    ],
    't',
  )
  expect(answer.code).toBe(207)
  expect(answer.result?.map(({ statusCode }) => statusCode)).toEqual([424, 424, 424, status, 424])
  expect((await container.items.readAll().fetchAll()).resources).toEqual(before.resources)
  const free = await container.items.create({ id: 'free', tenant: 't', email: 'new' })
  expect(free.statusCode).toBe(201)
})

test('conditions count for each operation of a batch', async () => {
  await using local = await startLocal()
  const container = await local.container()
  const { etag } = await container.items.create({ id: 'a', tenant: 't', n: 1 })
  const replace = (n: number): OperationInput => ({
    operationType: 'Replace',
    id: 'a',
    ifMatch: etag,
    resourceBody: { id: 'a', tenant: 't', n },
  })
  expect((await container.items.batch([replace(2), replace(3)], 't')).code).toBe(207)
  expect((await container.item('a', 't').read()).etag).toBe(etag)
  expect((await container.items.batch([replace(2)], 't')).code).toBe(200)
})

test('a hierarchical key names the partition of a batch', async () => {
  await using local = await startLocal()
  const partitionKey = { paths: ['/tenant', '/kind'], kind: 'MultiHash', version: 2 }
  const container = await local.container({ partitionKey: partitionKey as never })
  const operation = create('a', { kind: 'k' })
  expect((await container.items.batch([operation], ['t', 'k'])).code).toBe(200)
  expect((await container.items.batch([operation], ['t', 'other'])).result?.[0]?.statusCode).toBe(
    400,
  )
})

test('a batch takes 100 operations', async () => {
  await using local = await startLocal()
  const container = await local.container()
  const many = Array.from({ length: 100 }, (_, index) => create(String(index)))
  expect((await container.items.batch(many, 't')).code).toBe(200)
})

test('a batch has at most 2 MB', async () => {
  await using local = await startLocal()
  const container = await local.container()
  const large = Array.from({ length: 3 }, (_, n) =>
    create(String(n), { text: 'x'.repeat(800_000) }),
  )
  expect(await refusal(container.items.batch(large, 't'))).toBe(413)
  expect(await contents(container)).toEqual([])
})

test('a batch with an operation that names another partition is refused as a whole', async () => {
  await using local = await startLocal()
  const container = await local.container()
  const batch = [create('a'), { ...create('b'), partitionKey: 'u' }]
  expect(await refusal(container.items.batch(batch, 't'))).toBe(400)
  expect(await contents(container)).toEqual([])
})

test('the charge of a batch is the sum of its operations', async () => {
  await using local = await startLocal()
  const container = await local.container()
  const { headers, result } = await container.items.batch([create('a'), create('b')], 't')
  const sum = result?.reduce((total, { requestCharge }) => total + requestCharge, 0)
  expect(Number(headers?.['x-ms-request-charge'])).toBeCloseTo(sum ?? 0)
})

test('a batch can do without the bodies of what it wrote', async () => {
  await using local = await startLocal()
  const container = await local.container()
  const { result } = await container.items.batch(
    [create('a'), { operationType: 'Read', id: 'a' }],
    't',
    {
      contentResponseOnWriteEnabled: false,
    },
  )
  expect(result?.map(({ resourceBody }) => resourceBody?.['id'])).toEqual([undefined, 'a'])
})

test('bulk operations succeed and fail one by one, over all partitions', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await container.items.create({ id: 'old', tenant: 't', n: 1 })
  const results = await container.items.executeBulkOperations([
    { ...create('old'), partitionKey: 't' },
    { operationType: 'Create', partitionKey: 'u', resourceBody: { id: 'new', tenant: 'u' } },
    { operationType: 'Read', id: 'old', partitionKey: 't' },
    { operationType: 'Upsert', partitionKey: 'u', resourceBody: { id: 'up', tenant: 'u' } },
    {
      operationType: 'Patch',
      id: 'old',
      partitionKey: 't',
      resourceBody: { operations: [{ op: 'incr', path: '/n', value: 1 }] },
    },
    { operationType: 'Delete', id: 'nobody', partitionKey: 't' },
    {
      operationType: 'Replace',
      id: 'old',
      partitionKey: 'u',
      resourceBody: { id: 'old', tenant: 'u' },
    },
  ])
  expect(results.map(({ response, error }) => response?.statusCode ?? error?.code)).toEqual([
    409, 201, 200, 201, 200, 404, 404,
  ])
  expect(results[4]?.response?.resourceBody).toMatchObject({ id: 'old', n: 2 })
})
