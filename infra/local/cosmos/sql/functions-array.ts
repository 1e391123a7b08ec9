import { accumulator } from './aggregates.ts'
import { type BuiltIn, type BuiltIns, plain } from './built-in.ts'
import { assign, equals, fingerprint, isObject } from './value.ts'

function ofArray(calculate: (list: readonly unknown[]) => unknown): BuiltIn {
  return plain(1, (list) => (Array.isArray(list) ? calculate(list) : undefined))
}

function ofArrays(
  calculate: (left: readonly unknown[], right: readonly unknown[]) => unknown,
): BuiltIn {
  return plain(2, (left, right) =>
    Array.isArray(left) && Array.isArray(right) ? calculate(left, right) : undefined,
  )
}

/** A wanted object is found in part when each of its properties is there, those of deeper objects in part as well. */
function holds(item: unknown, wanted: unknown): boolean {
  if (Array.isArray(item) && Array.isArray(wanted)) {
    return item.length === wanted.length && item.every((one, at) => holds(one, wanted[at]))
  }
  if (!isObject(item) || !isObject(wanted)) return equals(item, wanted)
  return Object.keys(wanted).every(
    (name) => Object.hasOwn(item, name) && holds(item[name], wanted[name]),
  )
}

function contains(join: 'some' | 'every'): BuiltIn {
  return {
    least: 2,
    most: Infinity,
    apply: ([list, ...wanted]) =>
      Array.isArray(list)
        ? wanted[join]((value) => list.some((item) => equals(item, value)))
        : undefined,
  }
}

function slice(list: readonly unknown[], start: number, length: number): readonly unknown[] {
  const from = start < 0 ? Math.max(0, list.length + start) : start
  return list.slice(from, from + Math.max(0, length))
}

function unique(list: readonly unknown[]): unknown[] {
  return [...new Map(list.map((item) => [fingerprint(item), item])).values()]
}

function fingerprints(list: readonly unknown[]): Set<string> {
  return new Set(list.map(fingerprint))
}

function aggregate(name: string): BuiltIn {
  return ofArray((list) => {
    const { add, result } = accumulator(name)
    for (const item of list) add(item)
    return result()
  })
}

/** The functions of arrays, and those that make arrays of objects. */
export const ARRAY_FUNCTIONS: BuiltIns = {
  ARRAY_CONCAT: {
    least: 2,
    most: Infinity,
    apply: (lists) => (lists.every((list) => Array.isArray(list)) ? lists.flat() : undefined),
  },
  ARRAY_CONTAINS: {
    least: 2,
    most: 3,
    apply: ([list, wanted, partial = false]) => {
      if (!Array.isArray(list) || typeof partial !== 'boolean') return undefined
      const matches = partial ? holds : equals
      return list.some((item) => matches(item, wanted))
    },
  },
  ARRAY_CONTAINS_ANY: contains('some'),
  ARRAY_CONTAINS_ALL: contains('every'),
  ARRAY_LENGTH: ofArray((list) => list.length),
  ARRAY_SLICE: {
    least: 2,
    most: 3,
    apply: ([list, start, length = Infinity]) => {
      if (!Array.isArray(list) || !Number.isInteger(start)) return undefined
      if (length !== Infinity && !Number.isInteger(length)) return undefined
      return slice(list, Number(start), Number(length))
    },
  },
  ARRAY_SUM: aggregate('SUM'),
  ARRAY_AVG: aggregate('AVG'),
  ARRAY_MIN: aggregate('MIN'),
  ARRAY_MAX: aggregate('MAX'),
  /** The value at the place that the first argument says, counted from one. */
  CHOOSE: {
    least: 2,
    most: Infinity,
    takesUndefined: true,
    apply: ([place, ...values]) =>
      Number.isInteger(place) ? values[Number(place) - 1] : undefined,
  },
  ObjectToArray: {
    least: 1,
    most: 3,
    apply: ([object, key = 'k', value = 'v']) => {
      if (!isObject(object) || typeof key !== 'string' || typeof value !== 'string')
        return undefined
      return Object.keys(object).map((name) => {
        const entry: Record<string, unknown> = {}
        assign(entry, key, name)
        assign(entry, value, object[name])
        return entry
      })
    },
  },
  SetIntersect: ofArrays((left, right) => {
    const others = fingerprints(right)
    return unique(left).filter((item) => others.has(fingerprint(item)))
  }),
  SetUnion: ofArrays((left, right) => unique([...left, ...right])),
  SetDifference: ofArrays((left, right) => {
    const others = fingerprints(right)
    return unique(left).filter((item) => !others.has(fingerprint(item)))
  }),
  SetEqual: ofArrays((left, right) =>
    equals([...fingerprints(left)].sort(), [...fingerprints(right)].sort()),
  ),
  /** Anything but `true` chooses the second answer. */
  IIF: {
    least: 3,
    most: 3,
    takesUndefined: true,
    apply: ([test, yes, no]) => (test === true ? yes : no),
  },
}
