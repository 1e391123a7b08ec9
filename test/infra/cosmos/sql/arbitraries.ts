import fc from 'fast-check'
import type { BinaryOperator, Expression } from '../../../../infra/local/cosmos/sql/ast.ts'
import type { JsonObject } from '../../../../infra/local/cosmos/sql/query.ts'

const SPAN = { start: 0, end: 0 }
const NAMES = ['c', 'item', 'Offset', '_x', 'ünï', 'a1']
const BINARY: readonly BinaryOperator[] = [
  ...(['=', '!=', '<', '<=', '>', '>=', '+', '-', '*', '/', '%'] as const),
  ...(['&', '|', '^', '<<', '>>', '>>>', '||', '??'] as const),
]

/** Syntax trees without subqueries, with every other kind of node. */
export const expressions: fc.Arbitrary<Expression> = fc.letrec<{
  node: Expression
  leaf: Expression
}>((tie) => ({
  leaf: fc.oneof(
    fc.record({
      kind: fc.constant('literal' as const),
      value: fc.oneof(
        fc.string({ unit: 'grapheme' }),
        fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map(Math.abs),
        fc.boolean(),
        fc.constantFrom(null, undefined),
      ),
    }),
    fc.record({
      kind: fc.constant('parameter' as const),
      name: fc.constantFrom('@p', '@1', '@päge_2'),
    }),
    fc.record({
      kind: fc.constant('name' as const),
      name: fc.constantFrom(...NAMES),
      span: fc.constant(SPAN),
    }),
  ),
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.record({ kind: fc.constant('member' as const), of: tie('node'), key: tie('node') }),
    fc.record({
      kind: fc.constant('unary' as const),
      operator: fc.constantFrom('+' as const, '-' as const, '~' as const),
      operand: tie('node'),
    }),
    fc.record({ kind: fc.constant('not' as const), operand: tie('node') }),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      operands: fc.array(tie('node'), { minLength: 2, maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant('binary' as const),
      operator: fc.constantFrom(...BINARY),
      left: tie('node'),
      right: tie('node'),
    }),
    fc.record({
      kind: fc.constant('conditional' as const),
      test: tie('node'),
      yes: tie('node'),
      no: tie('node'),
    }),
    fc.record({
      kind: fc.constant('in' as const),
      value: tie('node'),
      options: fc.array(tie('node'), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant('between' as const),
      value: tie('node'),
      low: tie('node'),
      high: tie('node'),
    }),
    fc.record({
      kind: fc.constant('like' as const),
      value: tie('node'),
      pattern: tie('node'),
      escape: fc.option(tie('leaf'), { nil: undefined }),
    }),
    fc.record({
      kind: fc.constant('call' as const),
      name: fc.constantFrom('ABS', 'LEFT', 'COUNT', 'NOSUCH'),
      userDefined: fc.boolean(),
      values: fc.array(tie('node'), { maxLength: 3 }),
      span: fc.constant(SPAN),
    }),
    fc.record({
      kind: fc.constant('object' as const),
      properties: fc.array(fc.record({ name: fc.string(), value: tie('node') }), { maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant('array' as const),
      items: fc.array(tie('node'), { maxLength: 3 }),
    }),
  ),
})).node

/** Values that a document can hold, small and alike enough to meet again; undefined is a missing property. */
export const values: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(undefined, null, true, false, 0, -0, 1, 2, -1.5, '', 'a', 'A', 'b', 'ab'),
  fc.jsonValue({ maxDepth: 2 }),
)

/** Documents with an id and a few properties of mixed types. */
export const documents = fc
  .array(
    fc.record({
      kind: fc.constantFrom('a', 'b', 1, null, undefined),
      flag: fc.constantFrom(true, false, undefined),
      n: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom('x', null, undefined)),
      m: fc.integer({ min: 0, max: 100 }),
    }),
    { maxLength: 20 },
  )
  .map((rows) => rows.map((row, index) => withoutUndefined({ id: `${index}`, ...row })))

function withoutUndefined(row: JsonObject & { readonly id: string }): JsonObject {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined))
}
