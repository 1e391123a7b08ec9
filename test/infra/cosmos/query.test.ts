import type { Container, FeedOptions, SqlQuerySpec } from '@azure/cosmos'
import { describe, expect, test } from 'vitest'
import { refusal, startLocal } from './local-cosmos.ts'

const TENANTS = ['t', 'u', 'v']
const EACH = 20

/** 20 items for each of three tenants, written in turns. */
async function seed(container: Container): Promise<void> {
  for (let n = 0; n < EACH; n += 1) {
    for (const tenant of TENANTS) {
      await container.items.create({
        id: `${tenant}${n}`,
        tenant,
        n,
        even: n % 2 === 0,
        third: n % 3,
      })
    }
  }
}

async function all<T = unknown>(
  container: Container,
  query: string | SqlQuerySpec,
  options?: FeedOptions,
) {
  return (await container.items.query<T>(query, options).fetchAll()).resources
}

/** Pages as the continuation tokens hand them over, each from a new iterator, as another process would. */
async function pages<T>(
  container: Container,
  query: string,
  options: FeedOptions & { readonly between?: (page: number) => Promise<void> },
): Promise<T[][]> {
  const { between, ...feed } = options
  const found: T[][] = []
  let continuationToken: string | undefined
  do {
    const iterator = container.items.query<T>(query, {
      ...feed,
      ...(continuationToken === undefined ? {} : { continuationToken }),
    })
    const page = await iterator.fetchNext()
    found.push(page.resources)
    continuationToken = page.continuationToken
    await between?.(found.length)
  } while (continuationToken)
  return found
}

describe('a query with a partition key never sees another partition', () => {
  const rows: [string, string, unknown][] = [
    ['everything', 'SELECT VALUE c.tenant FROM c', Array(EACH).fill('t')],
    ['a filter', 'SELECT VALUE c.id FROM c WHERE c.n = 3', ['t3']],
    ['a filter that names another partition', "SELECT VALUE c.id FROM c WHERE c.tenant = 'u'", []],
    ['an id of another partition', "SELECT VALUE c.id FROM c WHERE c.id = 'u3'", []],
    ['a filter that is always true', 'SELECT VALUE COUNT(1) FROM c WHERE true OR c.n = 1', [EACH]],
    ['an order', 'SELECT VALUE c.id FROM c ORDER BY c.n DESC OFFSET 0 LIMIT 2', ['t19', 't18']],
    ['TOP', 'SELECT TOP 2 VALUE c.id FROM c ORDER BY c.n', ['t0', 't1']],
    ['COUNT', 'SELECT VALUE COUNT(1) FROM c', [EACH]],
    ['SUM', 'SELECT VALUE SUM(c.n) FROM c', [190]],
    ['MIN and MAX', 'SELECT MIN(c.n) AS low, MAX(c.n) AS high FROM c', [{ low: 0, high: 19 }]],
    ['DISTINCT', 'SELECT DISTINCT VALUE c.tenant FROM c', ['t']],
    [
      'GROUP BY',
      'SELECT c.tenant, COUNT(1) AS n FROM c GROUP BY c.tenant',
      [{ tenant: 't', n: EACH }],
    ],
  ]
  test.for(rows)('%s', async ([, query, expected]) => {
    await using local = await startLocal()
    const container = await local.container()
    await seed(container)
    expect(await all(container, query, { partitionKey: 't' })).toEqual(expected)
    expect(await all(container, query, { partitionKey: 't', maxItemCount: 3 })).toEqual(expected)
  })

  test('an unknown key has no rows, and a count of nothing', async () => {
    await using local = await startLocal()
    const container = await local.container()
    await seed(container)
    const partitionKey = 'nobody'
    expect(await all(container, 'SELECT * FROM c', { partitionKey })).toEqual([])
    expect(await all(container, 'SELECT VALUE COUNT(1) FROM c', { partitionKey })).toEqual([0])
  })

  test('keys of other types are other keys', async () => {
    await using local = await startLocal()
    const container = await local.container()
    for (const tenant of [1, '1', true, null, undefined]) {
      await container.items.create({ id: 'a', tenant: tenant as never, is: String(tenant) })
    }
    const query = 'SELECT VALUE c.is FROM c'
    expect(await all(container, query, { partitionKey: 1 })).toEqual(['1'])
    expect(await all(container, query, { partitionKey: true })).toEqual(['true'])
    expect(await all(container, query, { partitionKey: null as never })).toEqual(['null'])
  })

  test('every level of a hierarchical key narrows', async () => {
    await using local = await startLocal()
    const partitionKey = { paths: ['/a', '/b', '/c'], kind: 'MultiHash', version: 2 }
    const container = await local.container({ partitionKey: partitionKey as never })
    for (const a of ['x', 'xy']) {
      for (const b of ['x', 'y']) {
        for (const c of [1, 2]) await container.items.create({ id: `${a}${b}${c}`, a, b, c })
      }
    }
    const ids = (key: (string | number)[]) =>
      all(container, 'SELECT VALUE c.id FROM c ORDER BY c.id', { partitionKey: key })
    expect(await ids(['x'])).toEqual(['xx1', 'xx2', 'xy1', 'xy2'])
    expect(await ids(['x', 'y'])).toEqual(['xy1', 'xy2'])
    expect(await ids(['x', 'y', 2])).toEqual(['xy2'])
    expect(await ids(['y'])).toEqual([])
    const paged = await pages<string>(container, 'SELECT VALUE c.id FROM c', {
      partitionKey: ['xy'],
      maxItemCount: 3,
    })
    expect(paged).toEqual([['xyx1', 'xyx2', 'xyy1'], ['xyy2']])
  })
})

describe('without a partition key', () => {
  test('rows, order, counts and groups span all partitions', async () => {
    await using local = await startLocal()
    const container = await local.container()
    await seed(container)
    expect(await all(container, 'SELECT VALUE COUNT(1) FROM c')).toEqual([60])
    expect(await all(container, 'SELECT TOP 4 VALUE c.id FROM c ORDER BY c.n DESC')).toEqual([
      't19',
      'u19',
      'v19',
      't18',
    ])
    expect(
      await all(container, "SELECT VALUE c.id FROM c WHERE c.tenant IN ('u', 'v') AND c.n = 1"),
    ).toEqual(['u1', 'v1'])
    expect(
      await all(container, 'SELECT c.tenant, COUNT(1) AS n FROM c GROUP BY c.tenant'),
    ).toHaveLength(3)
    expect(
      await all(container, 'SELECT VALUE c.id FROM c WHERE ARRAY_CONTAINS(["u5", "v7"], c.id)'),
    ).toEqual(['u5', 'v7'])
  })

  test('the pages of the query pipeline are complete', async () => {
    await using local = await startLocal()
    const container = await local.container()
    await seed(container)
    const ids = await all(container, 'SELECT VALUE c.id FROM c ORDER BY c.n', {
      enableQueryControl: true,
      maxItemCount: 7,
    })
    expect(new Set(ids).size).toBe(60)
  })
})

describe('pages', () => {
  const rows: [string, string, number[]][] = [
    ['in the order of creation', 'SELECT VALUE c.id FROM c', [7, 7, 6]],
    ['ordered', 'SELECT VALUE c.id FROM c ORDER BY c.third', [7, 7, 6]],
    ['ordered downwards', 'SELECT VALUE c.id FROM c ORDER BY c.third DESC', [7, 7, 6]],
    ['filtered', 'SELECT VALUE c.id FROM c WHERE c.even', [7, 3]],
    ['of a TOP', 'SELECT TOP 9 VALUE c.id FROM c ORDER BY c.n', [7, 2]],
    ['of a TOP without an order', 'SELECT TOP 14 VALUE c.id FROM c', [7, 7]],
    ['of OFFSET and LIMIT', 'SELECT VALUE c.id FROM c ORDER BY c.n OFFSET 2 LIMIT 9', [7, 2]],
    ['of DISTINCT', 'SELECT DISTINCT VALUE c.n FROM c', [7, 7, 6]],
    ['of GROUP BY', 'SELECT VALUE COUNT(1) FROM c GROUP BY c.n', [7, 7, 6]],
  ]
  test.for(rows)('%s are together the whole result', async ([, query, sizes]) => {
    await using local = await startLocal()
    const container = await local.container()
    await seed(container)
    const found = await pages(container, query, { partitionKey: 'u', maxItemCount: 7 })
    expect(found.map(({ length }) => length)).toEqual(sizes)
    const whole = await all(container, query, { partitionKey: 'u', maxItemCount: 1000 })
    expect(found.flat()).toEqual(whole)
  })

  test('a document that stands still is neither repeated nor lost, whatever is written between the pages', async () => {
    await using local = await startLocal()
    const container = await local.container()
    await seed(container)
    for (const query of [
      'SELECT VALUE c.id FROM c',
      'SELECT VALUE c.id FROM c ORDER BY c.n DESC',
    ]) {
      const found = await pages<string>(container, query, {
        partitionKey: 't',
        maxItemCount: 3,
        between: async (page) => {
          // Deletes behind and ahead, inserts on both sides, rewrites of what stands still.
          if (page < 10) await container.item(`t${page}`, 't').delete()
          await container.items.create({
            id: `new ${query.length} ${page}`,
            tenant: 't',
            n: page % 2 ? -page : 100 + page,
          })
          await container.item('t10', 't').patch([{ op: 'incr', path: '/writes', value: 1 }])
        },
      })
      const seen = found.flat()
      expect(new Set(seen).size).toBe(seen.length)
      for (let n = 10; n < EACH; n += 1) expect(seen).toContain(`t${n}`)
      for (let n = 0; n < EACH; n += 1)
        await container.items.upsert({ id: `t${n}`, tenant: 't', n })
    }
  })

  test('a page ends before it exceeds what the service sends at once', async () => {
    await using local = await startLocal()
    const container = await local.container()
    for (let n = 0; n < 6; n += 1) {
      await container.items.create({ id: String(n), tenant: 't', text: 'x'.repeat(1_000_000) })
    }
    const found = await pages(container, 'SELECT c.id, c.text FROM c', { maxItemCount: 100 })
    expect(found.length).toBeGreaterThan(1)
    expect(found.flat()).toHaveLength(6)
  })

  test('the rows of one document may be split over pages', async () => {
    await using local = await startLocal()
    const container = await local.container()
    for (const id of ['a', 'b']) {
      await container.items.create({ id, tenant: 't', list: [1, 2, 3, 4, 5] })
    }
    for (const order of ['', ' ORDER BY c.id DESC']) {
      const query = `SELECT VALUE CONCAT(c.id, ToString(x)) FROM c JOIN x IN c.list${order}`
      const found = await pages<string>(container, query, { maxItemCount: 3 })
      expect(found.map(({ length }) => length)).toEqual([3, 3, 3, 1])
      expect(new Set(found.flat()).size).toBe(10)
    }
  })

  test('a token is refused by a query it does not belong to', async () => {
    await using local = await startLocal()
    const container = await local.container()
    await seed(container)
    const first = await container.items
      .query('SELECT * FROM c', { maxItemCount: 2, partitionKey: 't' })
      .fetchNext()
    const { continuationToken } = first
    const options = { partitionKey: 'u', continuationToken }
    expect(await refusal(container.items.query('SELECT * FROM c', options).fetchNext())).toBe(400)
    const nonsense = { partitionKey: 't', continuationToken: 'nonsense' }
    expect(await refusal(container.items.query('SELECT * FROM c', nonsense).fetchNext())).toBe(400)
  })
})

test('parameters take part', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await seed(container)
  const query = {
    query: 'SELECT TOP @top VALUE c.id FROM c WHERE c.n >= @low AND c.even = @even',
    parameters: [
      { name: '@top', value: 2 },
      { name: '@low', value: 7 },
      { name: '@even', value: true },
    ],
  }
  expect(await all(container, query, { partitionKey: 'v' })).toEqual(['v8', 'v10'])
  expect(await all(container, query, { partitionKey: 'v', maxItemCount: 1 })).toEqual(['v8', 'v10'])
})

test.for(['SELEC * FROM c', 'SELECT * FROM', 'SELECT NOPE(c.a) FROM c', 'SELECT x.a FROM c'])(
  '%s is refused, by the plan too',
  async (query) => {
    await using local = await startLocal()
    const container = await local.container()
    expect(await refusal(all(container, query))).toBe(400)
    expect(await refusal(all(container, query, { forceQueryPlan: true }))).toBe(400)
  },
)

test('an order by several paths needs a composite index, an order by one an indexed path', async () => {
  await using local = await startLocal()
  const container = await local.container({
    indexingPolicy: {
      includedPaths: [{ path: '/a/?' }, { path: '/b/?' }],
      excludedPaths: [{ path: '/*' }],
      compositeIndexes: [
        [
          { path: '/a', order: 'ascending' },
          { path: '/b', order: 'descending' },
        ],
      ],
    },
  })
  for (const [n, a] of [1, 2, 1].entries()) {
    await container.items.create({ id: String(n), tenant: 't', a, b: n, hidden: n })
  }
  const ids = (order: string) => all(container, `SELECT VALUE c.id FROM c ORDER BY ${order}`)
  expect(await ids('c.a, c.b DESC')).toEqual(['2', '0', '1'])
  expect(await ids('c.a DESC, c.b')).toEqual(['1', '0', '2'])
  expect(await ids('c._ts')).toHaveLength(3)
  expect([
    await refusal(ids('c.a, c.b')),
    await refusal(ids('c.b DESC, c.a')),
    await refusal(ids('c.hidden')),
  ]).toEqual([400, 400, 400])
  expect(await all(container, 'SELECT VALUE c.id FROM c WHERE c.hidden = 1')).toEqual(['1'])
})

test('query metrics and the item count are there when asked for', async () => {
  await using local = await startLocal()
  const container = await local.container()
  await seed(container)
  const page = await container.items
    .query('SELECT * FROM c WHERE c.even', { partitionKey: 't', populateQueryMetrics: true })
    .fetchNext()
  expect(page.queryMetrics).toMatchObject({ 0: { outputDocumentCount: 10 } })
  expect(page.requestCharge).toBeGreaterThan(2)
})
