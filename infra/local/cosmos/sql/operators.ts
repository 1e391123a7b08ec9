import type { BinaryOperator } from './ast.ts'
import { compare, equals, typeRank } from './value.ts'

type Operator = (left: unknown, right: unknown) => unknown

function numeric(calculate: (left: number, right: number) => number): Operator {
  return (left, right) =>
    typeof left === 'number' && typeof right === 'number'
      ? finite(calculate(left, right))
      : undefined
}

/** JSON has no infinity and no NaN: such a result is undefined. */
export function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined
}

/** < and its kin compare two strings, numbers, booleans or nulls; anything else is undefined. */
function relational(holds: (order: number) => boolean): Operator {
  return (left, right) => {
    const rank = typeRank(left)
    const comparable = rank >= 1 && rank <= 4 && rank === typeRank(right)
    return comparable ? holds(compare(left, right)) : undefined
  }
}

/**
 * Equality of values of different types is false, and inequality true, as the service answers (`c.x != null` finds
 * every other value), though its page on comparison operators calls both undefined.
 */
function equality(wanted: boolean): Operator {
  return (left, right) =>
    left === undefined || right === undefined ? undefined : equals(left, right) === wanted
}

/** The two-sided operators, by their symbols. Both sides are evaluated before. */
export const BINARY: Readonly<Record<BinaryOperator, Operator>> = {
  '=': equality(true),
  '!=': equality(false),
  '<': relational((order) => order < 0),
  '<=': relational((order) => order <= 0),
  '>': relational((order) => order > 0),
  '>=': relational((order) => order >= 0),
  '+': numeric((left, right) => left + right),
  '-': numeric((left, right) => left - right),
  '*': numeric((left, right) => left * right),
  '/': numeric((left, right) => left / right),
  '%': numeric((left, right) => left % right),
  '&': numeric((left, right) => left & right),
  '|': numeric((left, right) => left | right),
  '^': numeric((left, right) => left ^ right),
  '<<': numeric((left, right) => left << right),
  '>>': numeric((left, right) => left >> right),
  '>>>': numeric((left, right) => left >>> right),
  '||': (left, right) =>
    typeof left === 'string' && typeof right === 'string' ? left + right : undefined,
  '??': (left, right) => left ?? (left === null ? null : right),
}

/** The one-sided operators. */
export const UNARY: Readonly<Record<'+' | '-' | '~', (operand: number) => number>> = {
  '+': (operand) => operand,
  '-': (operand) => -operand,
  '~': (operand) => ~operand,
}
