import type { BuiltIn } from './built-in.ts'
import { TYPE_FUNCTIONS } from './functions-type.ts'

export type { BuiltIn } from './built-in.ts'

const BUILT_INS: ReadonlyMap<string, BuiltIn> = new Map(
  Object.entries({ ...TYPE_FUNCTIONS }).map(([name, entry]) => [name.toUpperCase(), entry]),
)

/** A built-in function by its name in upper case. */
export function builtIn(name: string): BuiltIn | undefined {
  return BUILT_INS.get(name)
}
