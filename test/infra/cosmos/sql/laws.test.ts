import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Expression } from '../../../../infra/local/cosmos/sql/ast.ts'
import { likePattern } from '../../../../infra/local/cosmos/sql/like.ts'
import { parseQuery } from '../../../../infra/local/cosmos/sql/parse-query.ts'
import {
  compileCondition,
  compileQuery,
  SqlError,
} from '../../../../infra/local/cosmos/sql/query.ts'
import { compare, equals, fingerprint } from '../../../../infra/local/cosmos/sql/value.ts'
import { documents, expressions, values } from './arbitraries.ts'
import { print } from './print.ts'
import { run } from './run.ts'

function withoutSpans(expression: Expression): unknown {
  return JSON.parse(
    JSON.stringify(expression, (name, value: unknown) => {
      if (name === 'span') return undefined
      return value === undefined ? '(undefined)' : value
    }),
  )
}

test('an expression that is printed and read again is the same', () => {
  fc.assert(
    fc.property(expressions, (expression) => {
      const { selection } = parseQuery(`SELECT VALUE ${print(expression)}`)
      const read = selection.kind === 'value' ? selection.value : undefined
      expect(read && withoutSpans(read)).toEqual(withoutSpans(expression))
    }),
    { numRuns: 500 },
  )
})

test('the order of values is total, and agrees with equality and fingerprints', () => {
  fc.assert(
    fc.property(values, values, values, (a, b, c) => {
      expect(Math.sign(compare(a, b)) + Math.sign(compare(b, a))).toBe(0)
      const chained = compare(a, b) <= 0 && compare(b, c) <= 0
      expect(!chained || compare(a, c) <= 0).toBe(true)
      expect(compare(a, b) === 0).toBe(equals(a, b))
      expect(fingerprint(a) === fingerprint(b)).toBe(equals(a, b))
      expect(equals(a, structuredClone(a))).toBe(true)
    }),
    { numRuns: 1_000 },
  )
})

test('LIKE agrees with the regular expression of the same meaning', () => {
  const meanings = new Map([
    ['%', '.*'],
    ['_', '.'],
    ['[ab]', '[ab]'],
    ['[^a]', '[^a]'],
    ['[a-b]', '[a-b]'],
  ])
  // Short ones: the expression goes back over the text for every `.*`, which LIKE does not.
  const pieces = fc.constantFrom(...meanings.keys(), 'a', 'b', 'c')
  fc.assert(
    fc.property(
      fc.array(pieces, { maxLength: 6 }),
      fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 }),
      (pattern, text) => {
        const meaning = new RegExp(
          `^${pattern.map((piece) => meanings.get(piece) ?? piece).join('')}$`,
        )
        expect(likePattern(pattern.join(''), '')(text)).toBe(meaning.test(text))
      },
    ),
    { numRuns: 500 },
  )
})

const WORDS =
  'SELECT DISTINCT TOP VALUE * FROM c AS x JOIN IN c.items WHERE AND OR NOT BETWEEN LIKE ESCAPE EXISTS ARRAY ' +
  'GROUP BY ORDER ASC DESC OFFSET LIMIT ( ) [ ] { } . , : ? ?? = != < || + - ~ @p @q 1 0.5 "a" \'%\' null undefined ' +
  'c.a c["b"] COUNT SUM MIN ABS UPPER CONTAINS RegexMatch IIF DateTimeAdd udf.f -- "open'

function failureOf(attempt: () => unknown): unknown {
  try {
    attempt()
    return new SqlError('none', { code: 'SC1001' })
  } catch (error) {
    return error
  }
}

test('no text does anything but run or be refused with SqlError', () => {
  const soup = fc.array(fc.constantFrom(...WORDS.split(' ')), { maxLength: 25 })
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    soup.map((words) => words.join(' ')),
    soup.map((words) => `SELECT ${words.join(' ')} FROM c`),
    soup.map((words) => `SELECT * FROM c WHERE ${words.join(' ')}`),
    expressions.map((expression) => `SELECT VALUE ${print(expression)} FROM c`),
  )
  const parameters = new Map<string, unknown>([['@p', 1]])
  const rows = [{ id: '1', a: 'x', b: 2, items: [1, { a: 1 }] }]
  fc.assert(
    fc.property(texts, (text) => {
      const failures = [
        failureOf(() => compileQuery(text).execute(rows, parameters)),
        failureOf(() => compileCondition(`from c where ${text}`)(rows[0] ?? {}, parameters)),
      ]
      expect(failures.filter((error) => !(error instanceof SqlError))).toEqual([])
    }),
    { numRuns: 2_000 },
  )
})

test('grouping and aggregates agree with plain JavaScript', () => {
  fc.assert(
    fc.property(documents, (rows) => {
      const query =
        'SELECT c.kind, c.flag, COUNT(1) AS k, COUNT(c.n) AS d, SUM(c.m) AS s, AVG(c.m) AS a, ' +
        'MIN(c.m) AS low, MAX(c.m) AS high, SUM(c.n) AS mixed FROM c GROUP BY c.kind, c.flag'
      const groups = Map.groupBy(rows, ({ kind, flag }) => JSON.stringify({ kind, flag }))
      const expected = [...groups].map(([key, members]) => {
        const numbers = members.map(({ m }) => Number(m))
        const sum = numbers.reduce((total, one) => total + one, 0)
        const defined = members.flatMap(({ n }) => (n === undefined ? [] : [n]))
        const summable = defined.filter((n) => typeof n === 'number')
        const total = summable.reduce((sum, n) => sum + n, 0)
        const mixed = summable.length === defined.length ? { mixed: total } : {}
        return {
          ...JSON.parse(key),
          k: members.length,
          d: defined.length,
          s: sum,
          a: sum / numbers.length,
          low: Math.min(...numbers),
          high: Math.max(...numbers),
          ...mixed,
        }
      })
      expect(run(query, { documents: rows })).toEqual(expected)
    }),
  )
})

test('filter, order, offset and limit agree with plain JavaScript', () => {
  const bounds = fc.nat({ max: 8 })
  fc.assert(
    fc.property(documents, bounds, bounds, (rows, offset, limit) => {
      const query =
        'SELECT VALUE c.id FROM c WHERE c.m > 20 AND NOT (c.flag = true) ORDER BY c.n DESC, c.m OFFSET @o LIMIT @l'
      const expected = rows
        .filter(({ m, flag }) => Number(m) > 20 && flag === false)
        .sort((left, right) => -compare(left.n, right.n) || Number(left.m) - Number(right.m))
        .slice(offset, offset + limit)
        .map(({ id }) => id)
      const parameters = { '@o': offset, '@l': limit }
      expect(run(query, { documents: rows, parameters })).toEqual(expected)
    }),
  )
})

test('a store that looks only at the ids asked for finds the same rows', () => {
  const conditions = fc.constantFrom(
    'c.id = "1"',
    'c.id IN ("0", "2", "9")',
    'ARRAY_CONTAINS(@ids, c.id)',
    'c.id != "1"',
    'c.flag',
    'c.id = "1" OR c.flag',
    'NOT c.id IN ("1")',
  )
  fc.assert(
    fc.property(
      documents,
      fc.array(conditions, { minLength: 1, maxLength: 3 }),
      (rows, filters) => {
        const parameters = new Map([['@ids', ['0', '1', '2']]])
        const query = compileQuery(
          `SELECT * FROM c WHERE ${filters.map((one) => `(${one})`).join(' AND ')}`,
        )
        const ids = query.idsAskedFor(parameters)
        const narrowed =
          ids === undefined ? rows : rows.filter(({ id }) => ids.includes(String(id)))
        expect(query.execute(narrowed, parameters)).toEqual(query.execute(rows, parameters))
      },
    ),
  )
})
