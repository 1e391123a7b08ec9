import { describe, expect, test } from 'vitest'
import { SqlError } from '../../../../infra/local/cosmos/sql/query.ts'
import { evaluate, run } from './run.ts'

type Rows = readonly (readonly [expression: string, value: unknown])[]

/** Most rows are the samples of the service's own reference, Azure-Samples/cosmos-db-nosql-query-samples (2024). */
const TABLES: Readonly<Record<string, Rows>> = {
  strings: [
    ['CONCAT("a", "b", "c")', 'abc'],
    ['CONCAT("a", 1)', undefined],
    ['CONTAINS("abc", "BC")', false],
    ['CONTAINS("abc", "BC", true)', true],
    ['CONTAINS("abc", "")', true],
    ['STARTSWITH("abc", "AB")', false],
    ['StartsWith("abc", "AB", true)', true],
    ['ENDSWITH("abc", "BC", true)', true],
    ['ENDSWITH("abc", "BC", false)', false],
    ['ENDSWITH(1, "BC")', undefined],
    ['StringEquals("abc", "ABC")', false],
    ['STRINGEQUALS("abc", "ABC", true)', true],
    ['INDEX_OF("AdventureWorks", "Works", 5)', 9],
    ['INDEX_OF("AdventureWorks", "Adventure", 5)', -1],
    ['LEFT("abc", 2)', 'ab'],
    ['LEFT("abc", 9)', 'abc'],
    ['LEFT("abc", 0)', ''],
    ['RIGHT("abc", 2)', 'bc'],
    ['RIGHT("abc", 0)', ''],
    ['RIGHT("abc", 9)', 'abc'],
    ['LENGTH("abc")', 3],
    ['LENGTH([1])', undefined],
    ['LOWER("AbC")', 'abc'],
    ['UPPER("AbC")', 'ABC'],
    ['TRIM("  a ")', 'a'],
    ['TRIM("-- a --", "-")', ' a '],
    ['TRIM("-_-a-_-", "-_")', 'a'],
    ['LTRIM("  a ")', 'a '],
    ['LTRIM("AdventureWorks", "Adventure")', 'Works'],
    ['LTRIM("AdventureWorks", "")', 'AdventureWorks'],
    ['RTRIM("  a ")', '  a'],
    ['REPLACE("a.b.a", "a", "$&")', '$&.b.$&'],
    ['REPLACE("abc", "", "x")', undefined],
    ['REPLICATE("ab", 3)', 'ababab'],
    ['REPLICATE("ab", -1)', undefined],
    ['REPLICATE("ab", 5001)', undefined],
    ['REVERSE("abc")', 'cba'],
    ['SUBSTRING("abcdef", 1, 2)', 'bc'],
    ['SUBSTRING("abc", 5, 1)', ''],
    ['SUBSTRING("abc", 0.5, 1)', undefined],
    ['StringSplit("a,b,c", ",")', ['a', 'b', 'c']],
    ['StringJoin(["a", "b"], "-")', 'a-b'],
    ['StringJoin(["a", 1], "-")', undefined],
    ['StringToNumber("12.5")', 12.5],
    ['StringToNumber("twelve")', undefined],
    ['StringToBoolean(" true ")', true],
    ['StringToBoolean("TRUE")', undefined],
    ['StringToNull("null")', null],
    ['StringToArray("[1, [2]]")', [1, [2]]],
    [`StringToArray("[ 'a' ]")`, undefined],
    ['StringToObject("{}")', {}],
    ['StringToObject("[]")', undefined],
    ['ToString(125)', '125'],
    ['ToString(false)', 'false'],
    ['ToString([1, 2, 3])', '[1,2,3]'],
    ['ToString({"a": "b"})', '{"a":"b"}'],
    ['ToString("a")', 'a'],
    ['ToString(NaN)', 'NaN'],
    ['ToString(undefined)', undefined],
    ['CONTAINS_ANY_CI("Blue Shirt", "RED", "blue")', true],
    ['CONTAINS_ALL_CS("Blue Shirt", "Blue", "shirt")', false],
  ],
  RegexMatch: [
    ['RegexMatch("abcd", "ABC")', false],
    ['RegexMatch("abcd", "ABC", "i")', true],
    ['RegexMatch("abcd", "ab.", "")', true],
    ['RegexMatch("abcd", "ab c", "x")', true],
    ['RegexMatch("abcd", "aB c", "ix")', true],
    ['RegexMatch("salt3824908", "salt{1}")', true],
    ['RegexMatch("abcd", "(")', undefined],
    ['RegexMatch("abcd", "a", "q")', undefined],
    ['RegexMatch(1, "a")', undefined],
    ['RegexMatch("abab", "^(ab)+$")', true],
    ['RegexMatch("abab", "^(ab)\\\\1$")', true],
  ],
  numbers: [
    ['ABS(-1)', 1],
    ['CEILING(1.2)', 2],
    ['FLOOR(-1.2)', -2],
    ['ROUND(2.5)', 3],
    ['ROUND(-2.5)', -3],
    ['TRUNC(-2.7)', -2],
    ['SIGN(-3)', -1],
    ['SQRT(9)', 3],
    ['SQRT(-1)', undefined],
    ['SQUARE(3)', 9],
    ['POWER(2, 10)', 1024],
    ['EXP(0)', 1],
    ['LOG(1)', 0],
    ['LOG(8, 2)', 3],
    ['LOG10(1000)', 3],
    ['LOG(0)', undefined],
    ['PI()', Math.PI],
    ['DEGREES(PI())', 180],
    ['RADIANS(180)', Math.PI],
    ['SIN(0) + COS(0) + TAN(0)', 1],
    ['ASIN(0) + ACOS(1) + ATAN(0)', 0],
    ['ATN2(0, 1)', 0],
    ['COT(1) = 1 / TAN(1)', true],
    ['ABS("1")', undefined],
    ['NumberBin(37.752, -100)', 100],
    ['NumberBin(37.752, 10)', 30],
    ['NumberBin(37.752)', 37],
    ['NumberBin(37.752, 0)', undefined],
    ['IntAdd(20, 10)', 30],
    ['IntSub(20, 30)', -10],
    ['IntMul(5, -2)', -10],
    ['IntDiv(10, -3)', -3],
    ['IntDiv(10, 0)', undefined],
    ['IntDiv(10, 0.1)', undefined],
    ['IntMod(12, 5)', 2],
    ['IntBitAnd(15, 25)', 9],
    ['IntBitOr(56, 100)', 124],
    ['IntBitXor(56, 100)', 92],
    ['IntBitNot(65)', -66],
    ['IntBitLeftShift(16, 4)', 256],
    ['IntBitLeftShift(16, 0.4)', undefined],
    ['IntBitLeftShift(1, 1000000000000)', undefined],
    ['IntBitRightShift(16, 4)', 1],
  ],
  'arrays and objects': [
    ['ARRAY_CONCAT([1], [2, [3]], [])', [1, 2, [3]]],
    ['ARRAY_CONCAT([1], 2)', undefined],
    ['ARRAY_CONTAINS(["a", "b"], "b")', true],
    ['ARRAY_CONTAINS([{a: 1, b: 2}], {a: 1})', false],
    ['ARRAY_CONTAINS([{a: 1, b: 2}], {a: 1}, true)', true],
    ['ARRAY_CONTAINS([{a: {b: 1, c: 2}}], {a: {b: 1}}, true)', true],
    ['ARRAY_CONTAINS([{a: 1, b: 2}], {a: 2}, true)', false],
    ['ARRAY_CONTAINS([[{a: 1, b: 2}]], [{a: 1}], true)', true],
    ['ARRAY_CONTAINS([[1, 2]], [1], true)', false],
    ['ARRAY_CONTAINS("ab", "b")', undefined],
    ['ARRAY_CONTAINS_ANY([1, 2], 3, 2)', true],
    ['ARRAY_CONTAINS_ANY([1, 2], 3)', false],
    ['ARRAY_CONTAINS_ALL([1, 2, 3], 1, 3)', true],
    ['ARRAY_CONTAINS_ALL([1, 2, 3], 1, 4)', false],
    ['ARRAY_LENGTH([1, 2])', 2],
    ['ARRAY_LENGTH("ab")', undefined],
    ['ARRAY_SLICE([70, 86, 92], 1)', [86, 92]],
    ['ARRAY_SLICE([70, 86, 92], -2)', [86, 92]],
    ['ARRAY_SLICE([70, 86, 92], -2, 1)', [86]],
    ['ARRAY_SLICE([70, 86, 92], 0, 12)', [70, 86, 92]],
    ['ARRAY_SLICE([70, 86, 92], 5)', []],
    ['ARRAY_SLICE([70], 0, 0)', []],
    ['ARRAY_SUM([1, 2])', 3],
    ['ARRAY_AVG([1, 2])', 1.5],
    ['ARRAY_MIN([2, 1])', 1],
    ['ARRAY_MAX([])', undefined],
    ['CHOOSE(2, "a", "b")', 'b'],
    ['CHOOSE(3, "a", "b")', undefined],
    [
      'ObjectToArray({a: 1, b: "c"})',
      [
        { k: 'a', v: 1 },
        { k: 'b', v: 'c' },
      ],
    ],
    ['ObjectToArray({a: 1}, "key", "value")', [{ key: 'a', value: 1 }]],
    ['SetIntersect([1, 2, 3, 2], [2, 3, 4])', [2, 3]],
    ['SetIntersect([{a: 1, b: 2}], [{b: 2, a: 1}])', [{ a: 1, b: 2 }]],
    ['SetUnion([1, 2, 1], [2, "2"])', [1, 2, '2']],
    ['SetDifference([1, 2], [2])', [1]],
    ['SetEqual([1, 2, 2], [2, 1])', true],
    ['IIF(true, 1, 2)', 1],
    ['IIF("ABC", 1, 2)', 2],
    ['IIF(undefined, 1, 2)', 2],
  ],
  'dates and times': [
    ['DateTimeAdd("yyyy", 1, "2020-07-03T00:00:00.0000000")', '2021-07-03T00:00:00.0000000Z'],
    ['DateTimeAdd("mm", 1, "2020-01-31T10:00:00Z")', '2020-02-29T10:00:00.0000000Z'],
    ['DateTimeAdd("month", -1, "2020-01-15")', '2019-12-15T00:00:00.0000000Z'],
    ['DateTimeAdd("dd", -2, "2020-07-03T00:00:00Z")', '2020-07-01T00:00:00.0000000Z'],
    ['DateTimeAdd("hh", 1, "2020-07-03T23:30:00Z")', '2020-07-04T00:30:00.0000000Z'],
    ['DateTimeAdd("ms", 1, "2020-07-03T00:00:00.1234567Z")', '2020-07-03T00:00:00.1244567Z'],
    ['DateTimeAdd("ns", 250, "2020-07-03T00:00:00Z")', '2020-07-03T00:00:00.0000002Z'],
    ['DateTimeAdd("fortnight", 1, "2020-07-03T00:00:00Z")', undefined],
    ['DateTimeAdd("dd", 0.5, "2020-07-03T00:00:00Z")', undefined],
    ['DateTimeAdd("dd", 1, "3 July")', undefined],
    ['DateTimeAdd("yyyy", 9000, "2020-07-03T00:00:00Z")', undefined],
    ['DateTimeAdd("dd", 9007199254740991, "2020-07-03T00:00:00Z")', undefined],
    ['DateTimeDiff("yyyy", "2019-02-04T16:00:00.0000000", "2018-03-05T05:00:00.0000000")', -1],
    ['DateTimeDiff("mm", "2019-02-04T16:00:00.0000000", "2018-03-05T05:00:00.0000000")', -11],
    ['DateTimeDiff("hh", "2019-02-04T16:00:00.0000000", "2018-03-05T05:00:00.0000000")', -8075],
    ['DateTimeDiff("ss", "2018-03-05T05:00:00.0000000", "2019-02-04T16:00:00.0000000")', 29070000],
    ['DateTimeDiff("hh", "2020-01-01T01:00:00.1234527Z", "2020-01-01T01:59:59.1234567Z")', 0],
    ['DateTimeDiff("dd", "1969-12-31T23:00:00Z", "1970-01-01T01:00:00Z")', 1],
    ['DateTimePart("yyyy", "2016-05-29T08:30:00.1301617")', 2016],
    ['DateTimePart("mm", "2016-05-29T08:30:00.1301617")', 5],
    ['DateTimePart("mi", "2016-05-29T08:30:00.1301617")', 30],
    ['DateTimePart("ms", "2016-05-29T08:30:00.1301617")', 130],
    ['DateTimePart("mcs", "2016-05-29T08:30:00.1301617")', 130161],
    ['DateTimePart("ns", "2016-05-29T08:30:00.1301617")', 130161700],
    ['DateTimePart("dd", "2016-02-30T00:00:00Z")', undefined],
    ['DateTimeBin("2021-01-08T18:35:00.0000000", "hh")', '2021-01-08T18:00:00.0000000Z'],
    ['DateTimeBin("2021-01-08T18:35:00.0000000", "hh", 5)', '2021-01-08T15:00:00.0000000Z'],
    ['DateTimeBin("2021-01-08T18:35:00.0000000", "dd", 7)', '2021-01-07T00:00:00.0000000Z'],
    [
      'DateTimeBin("2021-01-08T18:35:00.0000000", "dd", 7, "1601-01-01T00:00:00.0000000")',
      '2021-01-04T00:00:00.0000000Z',
    ],
    ['DateTimeBin("2021-01-08T18:35:00.0000000", "dd", 0)', undefined],
    ['DateTimeBin("2021-01-08T18:35:00.0000000", "yyyy")', undefined],
    ['DateTimeFromParts(2017, 4, 20)', '2017-04-20T00:00:00.0000000Z'],
    ['DateTimeFromParts(2017, 4, 20, 13, 15, 20, 3456789)', '2017-04-20T13:15:20.3456789Z'],
    ['DateTimeFromParts(-2000, -1, -1)', undefined],
    ['DateTimeFromParts(2017, 2, 29)', undefined],
    ['DateTimeToTimestamp("2021-01-01T00:00:00.1234567Z")', 1609459200123],
    ['DateTimeToTicks("2021-01-01T00:00:00.0000000Z")', 16094592000000000],
    ['TicksToDateTime(16094592000000000)', '2021-01-01T00:00:00.0000000Z'],
    ['TimestampToDateTime(1609459200123)', '2021-01-01T00:00:00.1230000Z'],
    ['TimestampToDateTime("1")', undefined],
  ],
}

const ROWS = Object.entries(TABLES).flatMap(([name, rows]) =>
  rows.map(([expression, value]) => ({ name, expression, value })),
)

test.for(ROWS)('$name: $expression is $value', ({ expression, value }) => {
  expect(evaluate(expression)).toEqual(value)
})

describe('type checks', () => {
  const VALUES = ['undefined', 'null', 'true', '1', '1.5', '"a"', '[]', '{}']
  test.for<[string, string[]]>([
    ['IS_DEFINED', ['null', 'true', '1', '1.5', '"a"', '[]', '{}']],
    ['IS_NULL', ['null']],
    ['IS_BOOL', ['true']],
    ['IS_NUMBER', ['1', '1.5']],
    ['IS_FINITE_NUMBER', ['1', '1.5']],
    ['IS_INTEGER', ['1']],
    ['IS_STRING', ['"a"']],
    ['IS_ARRAY', ['[]']],
    ['IS_OBJECT', ['{}']],
    ['IS_PRIMITIVE', ['null', 'true', '1', '1.5', '"a"']],
  ])('%s holds for %o alone', ([name, holds]) => {
    for (const value of VALUES) expect(evaluate(`${name}(${value})`)).toBe(holds.includes(value))
  })
})

test('the present is what the caller passes, and undefined when nothing is passed', () => {
  const options = { nowMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678) }
  const now = (name: string) => evaluate(`${name}()`, { options })
  expect(now('GetCurrentDateTime')).toBe('2026-01-02T03:04:05.6780000Z')
  expect(now('GetCurrentDateTimeStatic')).toBe('2026-01-02T03:04:05.6780000Z')
  expect(now('GetCurrentTimestamp')).toBe(options.nowMs)
  expect(now('GetCurrentTicks')).toBe(options.nowMs * 10_000)
  expect(evaluate('GetCurrentDateTime()')).toBeUndefined()
})

test('RAND draws from the source it is given', () => {
  expect(evaluate('RAND()', { options: { random: () => 0.25 } })).toBe(0.25)
})

test('functions of the container are called by name, and an unknown one is an error', () => {
  const options = { userFunctions: new Map([['twice', (value: unknown) => Number(value) * 2]]) }
  const query = 'SELECT VALUE udf.twice(c.n) FROM c'
  expect(run(query, { documents: [{ n: 4 }], options })).toEqual([8])
  expect(() => run(query, { documents: [{ n: 4 }] })).toThrow(/no user-defined function 'twice'/)
})

test('a pattern that would try every split of its text is stopped', () => {
  for (const pattern of ['^(a+)+$', '^(?=a)(a+)+$', '^(A|AA)*$']) {
    const parameters = { '@pattern': pattern, '@text': `${'a'.repeat(60)}!` }
    expect(() => evaluate('RegexMatch(@text, @pattern, "i")', { parameters })).toThrow(SqlError)
  }
})
