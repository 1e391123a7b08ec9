import { type BuiltIn, type BuiltIns, ofText, plain } from './built-in.ts'
import { matchesPattern } from './regular-expression.ts'

/** The service makes no longer string than this by REPLICATE. */
const MAX_REPLICATED_CHARACTERS = 10_000
/** REPLACE makes none longer than a document may be. */
const MAX_REPLACED_CHARACTERS = 2 * 1024 * 1024

/** A test of two strings; a third argument of `true` makes it blind to case. */
function comparison(holds: (text: string, wanted: string) => boolean): BuiltIn {
  return {
    least: 2,
    most: 3,
    apply: ([text, wanted, blind = false]) => {
      if (typeof text !== 'string' || typeof wanted !== 'string') return undefined
      if (typeof blind !== 'boolean') return undefined
      return blind ? holds(text.toLowerCase(), wanted.toLowerCase()) : holds(text, wanted)
    },
  }
}

/** A test of one string against each of several. */
function many(join: 'some' | 'every', fold: (text: string) => string): BuiltIn {
  return {
    least: 2,
    most: Infinity,
    apply: ([text, ...wanted]) => {
      if (typeof text !== 'string' || !wanted.every(isText)) return undefined
      const folded = fold(text)
      return wanted[join]((part) => folded.includes(fold(part)))
    },
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

const asIs = (text: string): string => text
const lower = (text: string): string => text.toLowerCase()

/** Cuts a part out of a text; undefined unless both numbers are whole. */
function part(text: unknown, start: unknown, length: unknown): string | undefined {
  if (typeof text !== 'string' || !isWhole(start) || !isWhole(length)) return undefined
  if (start < 0 || length <= 0) return ''
  return text.slice(start, start + length)
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value)
}

function trim(ends: { readonly start: boolean; readonly end: boolean }): BuiltIn {
  return {
    least: 1,
    most: 2,
    apply: ([text, characters]) => {
      if (typeof text !== 'string') return undefined
      if (characters !== undefined && typeof characters !== 'string') return undefined
      const drop = (sign: string): boolean =>
        characters === undefined ? sign.trim() === '' : characters.includes(sign)
      let from = 0
      let to = text.length
      while (ends.start && from < to && drop(text.charAt(from))) from += 1
      while (ends.end && to > from && drop(text.charAt(to - 1))) to -= 1
      return text.slice(from, to)
    },
  }
}

/** How JSON text becomes a value: undefined unless it is well-formed and of the wanted kind. */
function parsed(isWanted: (value: unknown) => boolean): BuiltIn {
  return ofText((text) => {
    try {
      const value: unknown = JSON.parse(text)
      return isWanted(value) ? value : undefined
    } catch {
      return undefined
    }
  })
}

function toText(value: unknown): string {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function indexOf(find: (text: string, wanted: string, start: number) => number): BuiltIn {
  return {
    least: 2,
    most: 3,
    apply: ([text, wanted, start = 0]) => {
      if (typeof text !== 'string' || typeof wanted !== 'string') return undefined
      return isWhole(start) && start >= 0 ? find(text, wanted, start) : undefined
    },
  }
}

function replaced(text: string, wanted: string, replacement: string): string | undefined {
  const parts = text.split(wanted)
  const length = text.length + (parts.length - 1) * (replacement.length - wanted.length)
  return length > MAX_REPLACED_CHARACTERS ? undefined : parts.join(replacement)
}

/** The string functions. A value of a wrong type makes the result undefined. */
export const TEXT_FUNCTIONS: BuiltIns = {
  CONCAT: {
    least: 2,
    most: Infinity,
    apply: (values) => (values.every(isText) ? values.join('') : undefined),
  },
  CONTAINS: comparison((text, wanted) => text.includes(wanted)),
  STARTSWITH: comparison((text, wanted) => text.startsWith(wanted)),
  ENDSWITH: comparison((text, wanted) => text.endsWith(wanted)),
  StringEquals: comparison((text, wanted) => text === wanted),
  CONTAINS_ANY_CS: many('some', asIs),
  CONTAINS_ANY_CI: many('some', lower),
  CONTAINS_ALL_CS: many('every', asIs),
  CONTAINS_ALL_CI: many('every', lower),
  INDEX_OF: indexOf((text, wanted, start) => text.indexOf(wanted, start)),
  LENGTH: ofText((text) => text.length),
  LOWER: ofText(lower),
  UPPER: ofText((text) => text.toUpperCase()),
  REVERSE: ofText((text) => text.split('').toReversed().join('')),
  TRIM: trim({ start: true, end: true }),
  LTRIM: trim({ start: true, end: false }),
  RTRIM: trim({ start: false, end: true }),
  SUBSTRING: plain(3, part),
  LEFT: plain(2, (text, length) => part(text, 0, length)),
  RIGHT: plain(2, (text, length) =>
    typeof text === 'string' && isWhole(length)
      ? part(text, Math.max(0, text.length - length), length)
      : undefined,
  ),
  REPLACE: plain(3, (text, wanted, replacement) =>
    isText(text) && isText(wanted) && isText(replacement) && wanted !== ''
      ? replaced(text, wanted, replacement)
      : undefined,
  ),
  REPLICATE: plain(2, (text, times) => {
    if (typeof text !== 'string' || !isWhole(times) || times < 0) return undefined
    return text.length * times > MAX_REPLICATED_CHARACTERS ? undefined : text.repeat(times)
  }),
  RegexMatch: {
    least: 2,
    most: 3,
    apply: ([text, pattern, modifiers = '']) =>
      isText(text) && isText(pattern) && isText(modifiers)
        ? matchesPattern(text, { pattern, modifiers })
        : undefined,
  },
  StringToNumber: parsed((value) => typeof value === 'number'),
  StringToBoolean: parsed((value) => typeof value === 'boolean'),
  StringToNull: parsed((value) => value === null),
  StringToArray: parsed(Array.isArray),
  StringToObject: parsed(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  ),
  ToString: plain(1, toText),
  StringSplit: plain(2, (text, separator) =>
    isText(text) && isText(separator) && separator !== '' ? text.split(separator) : undefined,
  ),
  StringJoin: plain(2, (list, separator) =>
    Array.isArray(list) && list.every(isText) && isText(separator)
      ? list.join(separator)
      : undefined,
  ),
}
