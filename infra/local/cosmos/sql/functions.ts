import type { BuiltIn } from './built-in.ts'
import { ARRAY_FUNCTIONS } from './functions-array.ts'
import { NUMBER_FUNCTIONS } from './functions-number.ts'
import { TEXT_FUNCTIONS } from './functions-text.ts'
import { TIME_FUNCTIONS } from './functions-time.ts'
import { TYPE_FUNCTIONS } from './functions-type.ts'

export type { BuiltIn } from './built-in.ts'

const BUILT_INS: ReadonlyMap<string, BuiltIn> = new Map(
  [TYPE_FUNCTIONS, TEXT_FUNCTIONS, NUMBER_FUNCTIONS, ARRAY_FUNCTIONS, TIME_FUNCTIONS]
    .flatMap((table) => Object.entries(table))
    .map(([name, entry]) => [name.toUpperCase(), entry]),
)

/** A built-in function by its name in upper case. */
export function builtIn(name: string): BuiltIn | undefined {
  return BUILT_INS.get(name)
}
