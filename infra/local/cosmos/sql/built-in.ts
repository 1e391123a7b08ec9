import { finite } from './operators.ts'
import type { Environment } from './scope.ts'

/** A system function: how many arguments it takes, and what it makes of them. */
export interface BuiltIn {
  readonly least: number
  readonly most: number
  /** Without this an undefined argument makes the result undefined, and `apply` is not called. */
  readonly takesUndefined?: true
  readonly apply: (values: readonly unknown[], environment: Environment) => unknown
}

export type BuiltIns = Readonly<Record<string, BuiltIn>>

/** A function of exactly `count` values of any type. */
export function plain(count: number, apply: (...values: readonly unknown[]) => unknown): BuiltIn {
  return { least: count, most: count, apply: (values) => apply(...values) }
}

/** A function of one number; undefined for anything else, and for a result that JSON cannot say. */
export function ofNumber(calculate: (value: number) => number): BuiltIn {
  return plain(1, (value) => (typeof value === 'number' ? finite(calculate(value)) : undefined))
}

/** A function of two numbers. */
export function ofNumbers(calculate: (left: number, right: number) => number): BuiltIn {
  return plain(2, (left, right) =>
    typeof left === 'number' && typeof right === 'number'
      ? finite(calculate(left, right))
      : undefined,
  )
}

/** A function of one string. */
export function ofText(calculate: (value: string) => unknown): BuiltIn {
  return plain(1, (value) => (typeof value === 'string' ? calculate(value) : undefined))
}
