import { describe, expect, test } from 'vitest'
import { compileQuery } from '../../../../infra/local/cosmos/sql/query.ts'
import { run } from './run.ts'

const ORDERS = [
  {
    id: '1',
    tenant: 'a',
    total: 10,
    paid: true,
    lines: [
      { sku: 'x', n: 2 },
      { sku: 'y', n: 1 },
    ],
  },
  { id: '2', tenant: 'b', total: 30, paid: false, lines: [{ sku: 'x', n: 5 }] },
  { id: '3', tenant: 'a', total: 20, lines: [] },
  { id: '4', tenant: 'b', total: 'many', note: null },
]

describe('SELECT', () => {
  test.for<[string, unknown]>([
    ['SELECT * FROM c WHERE c.id = "3"', [ORDERS[2]]],
    ['select c from c where c.id = "3"', [{ c: ORDERS[2] }]],
    ['SELECT c.id, c.total AS sum FROM c WHERE c.paid', [{ id: '1', sum: 10 }]],
    ['SELECT c["id"], c.lines[0].sku FROM c WHERE c.id = "1"', [{ id: '1', sku: 'x' }]],
    ['SELECT c.id, c.total + 1, c.total * 2 FROM c WHERE c.id="1"', [{ id: '1', $1: 11, $2: 20 }]],
    ['SELECT c.id, c.paid FROM c WHERE c.id = "3"', [{ id: '3' }]],
    ['SELECT c.nothing FROM c', [{}, {}, {}, {}]],
    ['SELECT VALUE c.paid FROM c', [true, false]],
    [
      'SELECT VALUE {id: c.id, paid: c.paid} FROM c WHERE c.id IN ("1", "3")',
      [{ id: '1', paid: true }, { id: '3' }],
    ],
    ['SELECT VALUE [c.id, c.paid, 1] FROM c WHERE c.id = "3"', [['3', 1]]],
    ['SELECT 1 AS one, "two" AS two', [{ one: 1, two: 'two' }]],
    ['SELECT DISTINCT c.tenant FROM c', [{ tenant: 'a' }, { tenant: 'b' }]],
    ['SELECT DISTINCT VALUE c.tenant FROM c', ['a', 'b']],
    ['SELECT TOP 2 VALUE c.id FROM c', ['1', '2']],
    ['SELECT TOP @n VALUE c.id FROM c', ['1', '2', '3']],
    ['SELECT TOP 0 * FROM c', []],
    ['SELECT VALUE c.id FROM c OFFSET 1 LIMIT 2', ['2', '3']],
    ['SELECT VALUE c.id FROM c OFFSET @n LIMIT @n', ['4']],
    ['SELECT VALUE c.id FROM c -- the ids\nWHERE true', ['1', '2', '3', '4']],
  ])('%s', ([query, rows]) => {
    expect(run(query, { documents: ORDERS, parameters: { '@n': 3 } })).toEqual(rows)
  })
})

describe('FROM', () => {
  test.for<[string, unknown]>([
    ['SELECT VALUE root.id FROM root', ['1', '2', '3', '4']],
    ['SELECT VALUE o.id FROM orders o', ['1', '2', '3', '4']],
    ['SELECT VALUE o.id FROM orders AS o', ['1', '2', '3', '4']],
    ['SELECT VALUE l.sku FROM l IN c.lines', ['x', 'y', 'x']],
    [
      'SELECT * FROM c.lines[0]',
      [
        { sku: 'x', n: 2 },
        { sku: 'x', n: 5 },
      ],
    ],
    ['SELECT VALUE lines FROM c.lines', [ORDERS[0]?.lines, ORDERS[1]?.lines, []]],
    [
      'SELECT c.id, l.sku FROM c JOIN l IN c.lines',
      [
        { id: '1', sku: 'x' },
        { id: '1', sku: 'y' },
        { id: '2', sku: 'x' },
      ],
    ],
    [
      'SELECT VALUE a.n * b.n FROM c JOIN a IN c.lines JOIN b IN c.lines WHERE c.id = "1"',
      [4, 2, 2, 1],
    ],
    ['SELECT VALUE COUNT(1) FROM c JOIN (SELECT VALUE l FROM l IN c.lines WHERE l.n > 1)', [2]],
    ['SELECT VALUE m FROM c JOIN (SELECT VALUE MAX(l.n) FROM l IN c.lines) AS m', [2, 5]],
    [
      'SELECT VALUE u.name FROM c JOIN u IN (SELECT VALUE [{k: "a", name: "A"}, {k: "b", name: "B"}]) WHERE u.k = c.tenant',
      ['A', 'B', 'A', 'B'],
    ],
    ['SELECT VALUE c.id FROM c JOIN c.lines', ['1', '2', '3']],
    ['SELECT VALUE i.id FROM i IN c', ['1', '2', '3', '4']],
    ['SELECT * FROM (SELECT c.id FROM c WHERE c.paid) AS s', [{ id: '1' }]],
  ])('%s', ([query, rows]) => {
    expect(run(query, { documents: ORDERS })).toEqual(rows)
  })
})

describe('subqueries', () => {
  test.for<[string, unknown]>([
    [
      'SELECT VALUE c.id FROM c WHERE EXISTS(SELECT VALUE l FROM l IN c.lines WHERE l.n > 2)',
      ['2'],
    ],
    ['SELECT VALUE c.id FROM c WHERE NOT EXISTS(SELECT VALUE l FROM l IN c.lines)', ['3', '4']],
    ['SELECT VALUE EXISTS(SELECT VALUE undefined)', [false]],
    ['SELECT VALUE EXISTS(SELECT undefined)', [true]],
    [
      'SELECT VALUE ARRAY(SELECT VALUE l.sku FROM l IN c.lines ORDER BY l.n) FROM c',
      [['y', 'x'], ['x'], [], []],
    ],
    [
      'SELECT c.id, (SELECT VALUE COUNT(1) FROM l IN c.lines) AS k FROM c',
      [
        { id: '1', k: 2 },
        { id: '2', k: 1 },
        { id: '3', k: 0 },
        { id: '4', k: 0 },
      ],
    ],
    ['SELECT VALUE (SELECT c.id WHERE c.paid).id FROM c', ['1']],
    [
      'SELECT VALUE (SELECT SUM(l.n) AS s, AVG(l.n) AS a FROM l IN c.lines) FROM c WHERE c.id < "4"',
      [{ s: 3, a: 1.5 }, { s: 5, a: 5 }, { s: 0 }],
    ],
    ['SELECT VALUE c.id FROM c WHERE (SELECT VALUE COUNT(1) FROM l IN c.lines) > 1', ['1']],
    [
      'SELECT VALUE ARRAY(SELECT VALUE ARRAY(SELECT VALUE l.n * m.n FROM m IN c.lines) FROM l IN c.lines) FROM c WHERE c.id="1"',
      [
        [
          [4, 2],
          [2, 1],
        ],
      ],
    ],
  ])('%s', ([query, rows]) => {
    expect(run(query, { documents: ORDERS })).toEqual(rows)
  })

  test('a scalar subquery of several rows is an error', () => {
    const query = 'SELECT VALUE (SELECT VALUE l FROM l IN c.lines) FROM c'
    expect(() => run(query, { documents: ORDERS })).toThrow(/cardinality/)
  })
})

describe('aggregates', () => {
  const MIXED = [{ v: 2 }, { v: 'text' }, {}, { v: null }, { v: true }]
  test.for<[string, readonly object[], unknown]>([
    ['SELECT COUNT(1) AS n FROM c', ORDERS, [{ n: 4 }]],
    ['SELECT COUNT(c.paid) FROM c', ORDERS, [{ $1: 2 }]],
    ['SELECT VALUE COUNT(1) FROM c', [], [0]],
    ['SELECT VALUE SUM(c.total) FROM c WHERE IS_NUMBER(c.total)', ORDERS, [60]],
    ['SELECT VALUE SUM(c.total) FROM c', ORDERS, []],
    ['SELECT VALUE AVG(c.total) FROM c WHERE c.tenant = "a"', ORDERS, [15]],
    ['SELECT VALUE AVG(c.total) FROM c', [], []],
    [
      'SELECT MIN(c.total) AS low, MAX(c.total) AS high FROM c',
      ORDERS,
      [{ low: 10, high: 'many' }],
    ],
    ['SELECT VALUE MIN(c.v) FROM c', MIXED, [null]],
    ['SELECT VALUE MAX(c.v) FROM c', MIXED, ['text']],
    ['SELECT VALUE MAX(c.v) FROM c', [...MIXED, { v: [] }], []],
    ['SELECT VALUE COUNT(1) + 1 FROM c', ORDERS, [5]],
    ['SELECT VALUE {n: COUNT(1), s: SUM(c.v)} FROM c WHERE c.v = 2', MIXED, [{ n: 1, s: 2 }]],
  ])('%s over %o', ([query, documents, rows]) => {
    expect(run(query, { documents: documents.map((document) => ({ ...document })) })).toEqual(rows)
  })
})

describe('GROUP BY', () => {
  test.for<[string, unknown]>([
    [
      'SELECT c.tenant, COUNT(1) AS n FROM c GROUP BY c.tenant',
      [
        { tenant: 'a', n: 2 },
        { tenant: 'b', n: 2 },
      ],
    ],
    ['SELECT VALUE c.tenant FROM c GROUP BY c.tenant', ['a', 'b']],
    ['SELECT c.paid FROM c GROUP BY c.paid', [{ paid: true }, { paid: false }, {}]],
    [
      'SELECT UPPER(c.tenant) AS t, SUM(c.total) AS s FROM c WHERE c.id < "4" GROUP BY UPPER(c.tenant)',
      [
        { t: 'A', s: 30 },
        { t: 'B', s: 30 },
      ],
    ],
    [
      'SELECT c.tenant, c.paid, COUNT(1) AS n FROM c WHERE c.total > 5 GROUP BY c.tenant, c.paid',
      [
        { tenant: 'a', paid: true, n: 1 },
        { tenant: 'b', paid: false, n: 1 },
        { tenant: 'a', n: 1 },
      ],
    ],
    [
      'SELECT l.sku, SUM(l.n) AS n FROM c JOIN l IN c.lines GROUP BY l.sku',
      [
        { sku: 'x', n: 7 },
        { sku: 'y', n: 1 },
      ],
    ],
    ['SELECT c.tenant FROM c GROUP BY c.tenant OFFSET 1 LIMIT 1', [{ tenant: 'b' }]],
    ['SELECT c.tenant, COUNT(1) AS n FROM c WHERE false GROUP BY c.tenant', []],
    [
      'SELECT "all" AS label, c.tenant FROM c GROUP BY c.tenant',
      [
        { label: 'all', tenant: 'a' },
        { label: 'all', tenant: 'b' },
      ],
    ],
  ])('%s', ([query, rows]) => {
    expect(run(query, { documents: ORDERS })).toEqual(rows)
  })
})

describe('ORDER BY', () => {
  test.for<[string, unknown]>([
    ['SELECT VALUE c.id FROM c ORDER BY c.id DESC', ['4', '3', '2', '1']],
    ['SELECT VALUE c.id FROM c ORDER BY c.tenant, c.id DESC', ['3', '1', '4', '2']],
    ['SELECT VALUE c.id FROM c ORDER BY c.tenant DESC, c.id ASC', ['2', '4', '1', '3']],
    ['SELECT VALUE c.id FROM c ORDER BY c.total', ['1', '3', '2', '4']],
    ['SELECT VALUE c.id FROM c ORDER BY c.paid', ['3', '4', '2', '1']],
    ['SELECT TOP 1 VALUE c.id FROM c WHERE c.tenant = "a" ORDER BY c.total DESC', ['3']],
    ['SELECT VALUE c.id FROM c ORDER BY c.id DESC OFFSET 1 LIMIT 2', ['3', '2']],
    ['SELECT DISTINCT VALUE c.tenant FROM c ORDER BY c.tenant DESC', ['b', 'a']],
    ['SELECT VALUE l.sku FROM c JOIN l IN c.lines ORDER BY c.id DESC', ['x', 'x', 'y']],
  ])('%s', ([query, rows]) => {
    expect(run(query, { documents: ORDERS })).toEqual(rows)
  })

  test('values of all types stand in the order of their types', () => {
    const values = [undefined, null, false, true, -1, 2, 'a', 'b', [1], [2], { a: 1 }, { a: 2 }]
    const documents = values.map((v) => (v === undefined ? {} : { v })).toReversed()
    const rows = run('SELECT * FROM c ORDER BY c.v', { documents })
    expect(rows).toEqual(documents.toReversed())
    expect(run('SELECT * FROM c ORDER BY c.v DESC', { documents: rows.map(Object) })).toEqual(
      documents,
    )
  })

  test('says its paths from the root of the document', () => {
    expect(compileQuery('SELECT * FROM c.part.p q ORDER BY q.n').orderBy).toEqual([
      { path: ['part', 'p', 'n'], descending: false },
    ])
    expect(compileQuery('SELECT * FROM c ORDER BY c.a.b DESC, c["x y"]').orderBy).toEqual([
      { path: ['a', 'b'], descending: true },
      { path: ['x y'], descending: false },
    ])
  })
})
