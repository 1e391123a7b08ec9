import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../../infra/local/cosmos/sql/query.ts'
import { evaluate, run } from './run.ts'

describe('operators', () => {
  test.for<[string, unknown]>([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['10 - 2 - 3', 5],
    ['2 - -1', 3],
    ['7 % 4', 3],
    ['1 / 4', 0.25],
    ['1 / 0', undefined],
    ['1 + "1"', undefined],
    ['1 + undefined', undefined],
    ['6 & 3', 2],
    ['6 | 3', 7],
    ['6 ^ 3', 5],
    ['~6', -7],
    ['1 << 4', 16],
    ['-16 >> 2', -4],
    ['-1 >>> 28', 15],
    ['1 | 6 & 3', 3],
    ['"a" || "b" || "c"', 'abc'],
    ['"a" || 1', undefined],
    ['undefined ?? 1', 1],
    ['null ?? 1', null],
    ['undefined ?? undefined ?? 2', 2],
    ['true ? 1 : 2', 1],
    ['undefined ? 1 : 2', 2],
    ['"true" ? 1 : 2', 2],
    ['false ? 1 : true ? 2 : 3', 2],
    ['1 < 2 AND 2 < 3 ? "yes" : "no"', 'yes'],
    ['+5', 5],
    ['-"5"', undefined],
    ['0x1F', 31],
    ['1e3 + .5', 1000.5],
  ])('%s is %o', ([expression, value]) => {
    expect(evaluate(expression)).toEqual(value)
  })
})

describe('comparisons', () => {
  test.for<[string, unknown]>([
    ['1 = 1.0', true],
    ['"a" = "A"', false],
    ['null = null', true],
    ['[1, {a: 2, b: 3}] = [1, {b: 3, a: 2}]', true],
    ['[1, 2] = [2, 1]', false],
    ['{a: 1} = {a: 1, b: 1}', false],
    ['undefined = undefined', undefined],
    ['1 = undefined', undefined],
    ['1 = "1"', false],
    ['"text" != null', true],
    ['null != null', false],
    ['undefined != null', undefined],
    ['1 <> 2', true],
    ['1 < "2"', undefined],
    ['"a" < "b"', true],
    ['false < true', true],
    ['null <= null', true],
    ['[1] < [2]', undefined],
    ['{} <= {}', undefined],
    ['2 IN (1, 2)', true],
    ['2 IN (1, "2")', false],
    ['2 NOT IN (1, "2")', true],
    ['undefined IN (1)', undefined],
    ['{a: 1} IN ({a: 1})', true],
    ['2 BETWEEN 1 AND 2', true],
    ['3 NOT BETWEEN 1 AND 2', true],
    ['"b" BETWEEN "a" AND "c" AND true', true],
    ['"b" BETWEEN 1 AND 2', undefined],
    ['1 + 1 = 2', true],
  ])('%s is %o', ([expression, value]) => {
    expect(evaluate(expression)).toEqual(value)
  })
})

describe('logic knows three values', () => {
  const F = false
  const T = true
  const U = undefined
  test.for<[string, string, unknown, unknown]>([
    ['true', 'true', T, T],
    ['true', 'false', F, T],
    ['true', 'undefined', U, T],
    ['false', 'undefined', F, U],
    ['undefined', 'undefined', U, U],
    ['false', 'false', F, F],
    ['1', 'true', U, T],
    ['null', 'false', F, U],
  ])('%s and %s', ([left, right, and, or]) => {
    expect(evaluate(`${left} AND ${right}`)).toBe(and)
    expect(evaluate(`${right} AND ${left}`)).toBe(and)
    expect(evaluate(`${left} OR ${right}`)).toBe(or)
    expect(evaluate(`${right} OR ${left}`)).toBe(or)
  })

  test.for<[string, unknown]>([
    ['NOT true', false],
    ['NOT undefined', undefined],
    ['NOT 1', undefined],
    ['NOT 1 = 2', true],
    ['NOT NOT true', true],
    ['true OR false AND false', true],
    ['NOT false AND false', false],
  ])('%s is %o', ([expression, value]) => {
    expect(evaluate(expression)).toBe(value)
  })
})

describe('LIKE', () => {
  test.for<[string, string, boolean]>([
    ['fruit juice', 'fruit%', true],
    ['fruit juice', '%juice', true],
    ['fruit juice', '%t j%', true],
    ['fruit juice', 'juice', false],
    ['cat', 'c_t', true],
    ['cart', 'c_t', false],
    ['cat', 'c[a-c]t', true],
    ['cut', 'c[a-c]t', false],
    ['cut', 'c[^a-c]t', true],
    ['c-t', 'c[-a]t', true],
    ['20%', '20[%]', true],
    ['_n', '[_]n', true],
    [']', ']', true],
    ['[', '[', true],
    ['', '', true],
    ['', '%', true],
    ['a', '', false],
    ['Cat', 'cat', false],
    ['a😀b', 'a_b', true],
  ])('%o LIKE %o is %o', ([text, pattern, matches]) => {
    const parameters = { '@text': text, '@pattern': pattern }
    expect(evaluate('@text LIKE @pattern', { parameters })).toBe(matches)
    expect(evaluate('@text NOT LIKE @pattern', { parameters })).toBe(!matches)
  })

  test.for<[string, unknown]>([
    ['"20%" LIKE "20!%" ESCAPE "!"', true],
    ['"200" LIKE "20!%" ESCAPE "!"', false],
    ['"a%b" LIKE "%^%%" ESCAPE "^"', true],
    ['20 LIKE "20"', undefined],
    ['"a" LIKE undefined', undefined],
  ])('%s is %o', ([expression, value]) => {
    expect(evaluate(expression)).toBe(value)
  })

  test('a pattern of many % takes no exponential time', () => {
    const parameters = { '@text': 'a'.repeat(2_000), '@pattern': `${'%a'.repeat(50)}b` }
    expect(evaluate('@text LIKE @pattern', { parameters })).toBe(false)
  })
})

describe('values and properties', () => {
  test.for<[string, unknown]>([
    [String.raw`"a\"b\\c\n\u0041\/"`, 'a"b\\c\nA/'],
    [String.raw`'it\'s'`, "it's"],
    ['"-- no comment"', '-- no comment'],
    ['{"a b": 1, c: [2], "d": {}}', { 'a b': 1, c: [2], d: {} }],
    ['{a: undefined, b: [undefined, 1]}', { b: [1] }],
    ['{a: {b: [1, 2]}}.a.b[1]', 2],
    ['{a: 1}["a"]', 1],
    ['{a: 1}["a" || ""]', 1],
    ['[1, 2][@one]', 2],
    ['[1, 2][-1]', undefined],
    ['[1, 2][0.5]', undefined],
    ['[1, 2].length', undefined],
    ['"text".length', undefined],
    ['{}.constructor', undefined],
    ['{}["__proto__"]', undefined],
    ['{"__proto__": 1}["__proto__"]', 1],
    ['null.a', undefined],
    ['@missing', undefined],
    ['TRUE', true],
    ['Null', null],
  ])('%s is %o', ([expression, value]) => {
    expect(evaluate(expression, { parameters: { '@one': 1 } })).toEqual(value)
  })

  test('a property that JavaScript inherits is only there when the document has it', () => {
    const written: JsonObject = JSON.parse('{"constructor": 1, "toString": {"length": 2}}')
    const query = 'SELECT c.constructor, c.toString.length FROM c'
    const rows: unknown[] = [{}, { constructor: 1, length: 2 }]
    expect(run(query, { documents: [{}, written] })).toEqual(rows)
  })
})
