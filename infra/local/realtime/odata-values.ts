export type Value = string | number | boolean | null | readonly string[]

/** What makes a filter one that the service refuses. */
export class FilterError extends Error {}

export const COMPARISONS: Readonly<Record<string, (a: Value, b: Value) => boolean>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  gt: (a, b) => ordered(a, b, (x, y) => x > y),
  ge: (a, b) => ordered(a, b, (x, y) => x >= y),
  lt: (a, b) => ordered(a, b, (x, y) => x < y),
  le: (a, b) => ordered(a, b, (x, y) => x <= y),
}

export interface Operation {
  readonly takes: readonly number[]
  /** What it is for a null among the arguments. */
  readonly ofNull: Value
  readonly of: (...values: readonly Value[]) => Value
}

const transform = (change: (text: string) => string): Operation => ({
  takes: [1],
  ofNull: null,
  of: (value = null) => change(asText(value)),
})
const test = (holds: (text: string, part: string) => boolean): Operation => ({
  takes: [2],
  ofNull: false,
  of: (text = null, part = null) => holds(asText(text), asText(part)),
})

export const OPERATIONS: Readonly<Record<string, Operation>> = {
  tolower: transform((text) => text.toLowerCase()),
  toupper: transform((text) => text.toUpperCase()),
  trim: transform((text) => text.trim()),
  startswith: test((text, part) => text.startsWith(part)),
  endswith: test((text, part) => text.endsWith(part)),
  contains: test((text, part) => text.includes(part)),
  indexof: { takes: [2], ofNull: -1, of: (a = null, b = null) => asText(a).indexOf(asText(b)) },
  concat: { takes: [2], ofNull: null, of: (a = null, b = null) => asText(a) + asText(b) },
  length: {
    takes: [1],
    ofNull: null,
    of: (value = null) => (isList(value) ? value.length : asText(value).length),
  },
  substring: {
    takes: [2, 3],
    ofNull: null,
    of: (text = null, from = 0, length) => {
      const rest = asText(text).slice(asNumber(from))
      return length === undefined ? rest : rest.slice(0, asNumber(length))
    },
  },
}

function ordered(a: Value, b: Value, holds: (a: number, b: number) => boolean): boolean {
  return a !== null && b !== null && holds(asNumber(a), asNumber(b))
}

export function isIn(value: Value, list: readonly string[]): boolean {
  return typeof value === 'string' && list.includes(value)
}

function isList(value: Value): value is readonly string[] {
  return typeof value === 'object' && value !== null
}

export function asBoolean(value: Value): boolean {
  return typeof value === 'boolean' ? value : mistyped(value, 'bool')
}

function asText(value: Value): string {
  return typeof value === 'string' ? value : mistyped(value, 'string')
}

function asNumber(value: Value): number {
  return typeof value === 'number' ? value : mistyped(value, 'int')
}

export function asList(value: Value): readonly string[] {
  return isList(value) ? value : mistyped(value, 'collection')
}

function mistyped(value: Value, expected: string): never {
  const names: Readonly<Record<string, string>> = {
    boolean: 'bool',
    number: 'int',
    object: 'collection',
  }
  const actual = value === null ? 'null' : (names[typeof value] ?? typeof value)
  throw new FilterError(`Type '${actual}', expect '${expected}'.`)
}
