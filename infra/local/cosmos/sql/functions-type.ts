import type { BuiltIn, BuiltIns } from './built-in.ts'
import { isObject, typeRank } from './value.ts'

function check(holds: (value: unknown) => boolean): BuiltIn {
  return { least: 1, most: 1, takesUndefined: true, apply: ([value]) => holds(value) }
}

/** The type checks: always true or false, also for undefined. */
export const TYPE_FUNCTIONS: BuiltIns = {
  IS_DEFINED: check((value) => value !== undefined),
  IS_NULL: check((value) => value === null),
  IS_BOOL: check((value) => typeof value === 'boolean'),
  IS_NUMBER: check((value) => typeof value === 'number'),
  IS_FINITE_NUMBER: check(Number.isFinite),
  IS_INTEGER: check(Number.isInteger),
  IS_STRING: check((value) => typeof value === 'string'),
  IS_ARRAY: check(Array.isArray),
  IS_OBJECT: check(isObject),
  IS_PRIMITIVE: check((value) => typeRank(value) >= 1 && typeRank(value) <= 4),
}
