import { describe, expect, test } from 'vitest'
import {
  compileCondition,
  compileQuery,
  SqlError,
} from '../../../../infra/local/cosmos/sql/query.ts'

const PARAMETERS = new Map<string, unknown>([
  ['@id', '1'],
  ['@ids', ['1', '2']],
  ['@n', 5],
  ['@key', 'id'],
])

describe('ids that a filter asks for', () => {
  test.for<[string, readonly string[] | undefined]>([
    ['c.id = "1"', ['1']],
    ['"1" = c.id', ['1']],
    ['c["id"] = @id AND c.n > 3', ['1']],
    ['c.n > 3 AND (c.id IN ("1", @id, "3") AND c.m)', ['1', '1', '3']],
    ['ARRAY_CONTAINS(@ids, c.id)', ['1', '2']],
    ['ARRAY_CONTAINS(["1", @id], c.id, true)', undefined],
    ['ARRAY_CONTAINS(["1", "2"], c.id)', ['1', '2']],
    ['c.id IN ("1", "2") AND c.id IN ("2", "3")', ['2']],
    ['c.id = @n', []],
    ['c.id = @missing', []],
    ['c.id = "1" OR c.n = 1', undefined],
    ['NOT c.id = "1"', undefined],
    ['c.id != "1"', undefined],
    ['c.id = c.other', undefined],
    ['c.nested.id = "1"', undefined],
    ['c[@key] = "1"', undefined],
    ['ARRAY_CONTAINS(c.ids, c.id)', undefined],
    ['EXISTS(SELECT VALUE c FROM c WHERE c.id = "1")', undefined],
  ])('WHERE %s', ([where, ids]) => {
    const query = compileQuery(`SELECT * FROM c WHERE ${where}`)
    expect(query.idsAskedFor(PARAMETERS)).toEqual(ids)
  })

  test.for([
    'SELECT * FROM c',
    'SELECT * FROM i IN c.items WHERE i.id = "1"',
    'SELECT * FROM c.part p WHERE p.id = "1"',
    'SELECT VALUE i FROM c JOIN i IN c.items WHERE i.id = "1"',
    'SELECT * FROM (SELECT c.id FROM c) AS s WHERE s.id = "1"',
  ])('%s asks for none: its rows are no documents', (text) => {
    expect(compileQuery(text).idsAskedFor(PARAMETERS)).toBeUndefined()
  })

  test('any path can be asked for, as the partition key is', () => {
    const query = compileQuery('SELECT * FROM c WHERE c.key.tenant = @n AND c.id = "1"')
    expect(query.askedFor(['key', 'tenant'], PARAMETERS)).toEqual([5])
    expect(query.askedFor(['key'], PARAMETERS)).toBeUndefined()
  })
})

describe('the condition of a PATCH', () => {
  test.for<[string, boolean]>([
    ['from c where c.status = "queued"', true],
    ['FROM c WHERE c.status = "done"', false],
    ['from root where root.n >= 3', true],
    ['from x where x.missing = 1', false],
    ['from c where c.n', false],
    ['from c where EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = "a")', true],
    ['from c where NOT IS_DEFINED(c.lease) OR c.lease = null', true],
  ])('%s', ([text, holds]) => {
    expect(compileCondition(text)({ status: 'queued', n: 3, tags: ['a'] })).toBe(holds)
  })

  test.for([
    '',
    'where c.a = 1',
    'from c',
    'SELECT * FROM c WHERE true',
    'from c where true ORDER BY c.a',
  ])('%o is refused', (text) => {
    expect(() => compileCondition(text)).toThrow(SqlError)
  })
})
