import { expect, test } from 'vitest'
import { compileQuery, SqlError } from '../../../../infra/local/cosmos/sql/query.ts'
import { run } from './run.ts'

function errorOf(query: string): unknown {
  try {
    compileQuery(query)
    return undefined
  } catch (error) {
    return error
  }
}

test.for<[string, string, number, RegExp]>([
  ['', 'SC1001', 0, /end of the query/],
  ['SELECT', 'SC1001', 6, /end of the query/],
  ['SELEC * FROM c', 'SC1001', 0, /near 'SELEC'/],
  ['SELECT * FROM c WHERE', 'SC1001', 21, /end of the query/],
  ['SELECT * FROM c WHERE c.a = = 1', 'SC1001', 28, /near '='/],
  ['SELECT * FROM c WHERE c.value = 1', 'SC1001', 24, /near 'value'/],
  ['SELECT * FROM c LIMIT 1', 'SC1001', 16, /near 'LIMIT'/],
  ['SELECT * FROM c OFFSET 1', 'SC1001', 24, /end of the query/],
  ['SELECT * FROM c WHERE c.a = "open', 'SC1001', 28, /near '"'/],
  ['SELECT * FROM c; SELECT 1', 'SC1001', 15, /near ';'/],
  ['SELECT (1, 2)', 'SC1001', 9, /near ','/],
  ['SELECT # FROM c', 'SC1001', 7, /near '#'/],
  ['SELECT ?', 'SC1001', 7, /near '\?'/],
  ['SELECT d.id FROM c', 'SC2001', 7, /'d' could not be resolved/],
  ['SELECT families.id FROM families f', 'SC2001', 7, /'families' could not be resolved/],
  ['SELECT * FROM c JOIN x IN d.items', 'SC2001', 21, /'d' could not be resolved/],
  ['SELECT (SELECT VALUE d.id FROM d) FROM c', 'SC2001', 31, /'d' could not be resolved/],
  ['SELECT FOO(1)', 'SC2005', 7, /'FOO' is not a recognized built-in function name/],
  ['SELECT toString.constructor(1)', 'SC1001', 27, /near '\('/],
  ['SELECT ABS(1, 2)', 'SC2050', 7, /ABS function requires 1 argument/],
  ['SELECT * FROM c WHERE COUNT(1) > 1', 'SC2102', 22, /aggregate COUNT/],
  ['SELECT COUNT(SUM(c.a)) FROM c', 'SC2102', 13, /aggregate SUM/],
  ['SELECT * FROM c JOIN l IN c.lines', 'SC2102', 7, /single input set/],
  ['SELECT *', 'SC2102', 7, /FROM clause is omitted/],
  ['SELECT c.a, COUNT(1) FROM c', 'SC2102', 7, /'c' is invalid in the select list/],
  ['SELECT c.a FROM c GROUP BY c.b', 'SC2102', 7, /'c' is invalid in the select list/],
  ['SELECT c.a FROM c GROUP BY c.a ORDER BY c.a', 'SC2102', 0, /ORDER BY/],
  ['SELECT TOP 1 * FROM c OFFSET 0 LIMIT 1', 'SC2102', 0, /TOP/],
  ['SELECT * FROM c ORDER BY c.a + 1', 'SC2102', 25, /document path/],
  ['SELECT * FROM c ORDER BY c[@key]', 'SC2102', 25, /document path/],
  ['SELECT l.n FROM c JOIN l IN c.lines ORDER BY l.n', 'SC2102', 45, /correlated/],
  ['SELECT * FROM l IN c.lines ORDER BY l.n', 'SC2102', 36, /correlated/],
  ['SELECT * FROM c JOIN c IN c.items', 'SC2102', 21, /more than once/],
])('%s is refused with %s at %i', ([query, code, position, message]) => {
  const error = errorOf(query)
  expect(error).toBeInstanceOf(SqlError)
  expect(error).toMatchObject({ code, position, message: expect.stringMatching(message) })
})

test.for<[string, string]>([
  ['parentheses', `SELECT ${'('.repeat(100_000)}`],
  ['balanced parentheses', `SELECT ${'('.repeat(5_000)}1${')'.repeat(5_000)}`],
  ['NOT', `SELECT ${'NOT '.repeat(100_000)}true`],
  ['minus', `SELECT ${'- '.repeat(100_000)}1`],
  ['arrays', `SELECT ${'['.repeat(100_000)}`],
  ['objects', `SELECT ${'{a:'.repeat(100_000)}`],
  ['subqueries', `SELECT ${'(SELECT '.repeat(50_000)}`],
  ['sources', `SELECT * FROM ${'(SELECT * FROM '.repeat(30_000)}`],
  ['conditions', `SELECT ${'true ? '.repeat(50_000)}`],
  ['calls', `SELECT ${'ABS('.repeat(100_000)}`],
  ['a long sum', `SELECT 1${'+1'.repeat(200_000)}`],
  ['a long path', `SELECT c${'.a'.repeat(200_000)} FROM c`],
  ['a long text', `SELECT "${'a'.repeat(600_000)}"`],
  ['text without an end', `SELECT "${'a'.repeat(500_000)}`],
  ['escapes without an end', `SELECT "${'\\\\'.repeat(200_000)}`],
  ['joins', `SELECT 1 FROM c${' JOIN c.a'.repeat(50_000)}`],
])('a query of endless %s is refused, not run into the ground', ([, query]) => {
  expect(errorOf(query)).toBeInstanceOf(SqlError)
})

test('a long list of alternatives is no deep one', () => {
  const many = Array.from({ length: 5_000 }, (_, index) => `c.id = "${index}"`).join(' OR ')
  expect(run(`SELECT VALUE c.id FROM c WHERE ${many}`, { documents: [{ id: '4999' }] })).toEqual([
    '4999',
  ])
})

test.for([-1, 1.5, '1', null, undefined])('TOP and OFFSET refuse %o', (count) => {
  const parameters = { '@n': count }
  expect(() => run('SELECT TOP @n * FROM c', { parameters })).toThrow(SqlError)
  expect(() => run('SELECT * FROM c OFFSET @n LIMIT 1', { parameters })).toThrow(SqlError)
})

test('values too deep to compare are refused as well', () => {
  const parameters = { '@deep': `${'['.repeat(200_000)}${']'.repeat(200_000)}` }
  const query = 'SELECT VALUE StringToArray(@deep) = StringToArray(@deep)'
  expect(() => run(query, { parameters })).toThrow(SqlError)
})
