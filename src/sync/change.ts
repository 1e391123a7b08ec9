import { canonicalJson, type Json } from '../core/canonical-json.ts'

/** What two values of a field may differ in and still be the same; nothing, where a mapping declares nothing. */
export interface Equality {
  readonly trim?: boolean | undefined
  readonly ignoreCase?: boolean | undefined
  /** Numbers are compared rounded to so many decimals. */
  readonly decimals?: number | undefined
  /** Lists are compared without regard to order and repetition. */
  readonly set?: boolean | undefined
  /** Texts beyond so many characters are compared up to there: the vendor cuts them. */
  readonly length?: number | undefined
  /** Instants are compared in whole steps of so many milliseconds. */
  readonly precisionMs?: number | undefined
}

/** A value with everything removed that its field does not distinguish. Missing, empty and null are one. Idempotent. */
export function canonicalOf(value: Json | undefined, equality: Equality = {}): Json {
  if (value === undefined || value === null || value === '') return null
  if (typeof value === 'number') return rounded(value, equality)
  if (typeof value === 'string') return textOf(value, equality)
  if (!Array.isArray(value)) return value
  const items = (value as readonly Json[]).map((item) => canonicalOf(item, equality)) // an array of JSON
  if (equality.set !== true) return items.length === 0 ? null : items
  const distinct = new Map(items.map((item) => [canonicalJson(item), item]))
  const sorted = [...distinct].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item)
  return sorted.length === 0 ? null : sorted
}

function rounded(value: number, { decimals }: Equality): number {
  if (decimals === undefined) return value === 0 ? 0 : value
  const result = Number(value.toFixed(decimals))
  return result === 0 ? 0 : result
}

function textOf(value: string, equality: Equality): Json {
  if (equality.precisionMs !== undefined && !Number.isNaN(Date.parse(value))) {
    const step = equality.precisionMs
    return new Date(Math.floor(Date.parse(value) / step) * step).toISOString()
  }
  const cut = equality.length === undefined ? value : value.slice(0, equality.length)
  const trimmed = equality.trim === true ? cut.trim() : cut
  const text = equality.ignoreCase === true ? trimmed.toLowerCase() : trimmed
  return text === '' ? null : text
}

/** Whether a field that reads `a` here and `b` there holds the same. */
export function isSame(
  a: Json | undefined,
  b: Json | undefined,
  equality: Equality | undefined,
): boolean {
  if (a === b) return true
  return canonicalJson(canonicalOf(a, equality)) === canonicalJson(canonicalOf(b, equality))
}
