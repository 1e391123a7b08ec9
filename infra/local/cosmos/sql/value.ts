/** A JSON object as the store keeps it. A missing property is `undefined`, which no JSON text can say. */
export interface JsonObject {
  readonly [name: string]: unknown
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The service's order of types: undefined < null < boolean < number < string < array < object. */
export function typeRank(value: unknown): number {
  if (typeof value === 'number') return 3
  if (typeof value === 'string') return 4
  if (typeof value === 'boolean') return 2
  if (value === undefined) return 0
  if (value === null) return 1
  return Array.isArray(value) ? 5 : 6
}

/** Deep equality of JSON values; the order of properties does not matter. */
export function equals(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object') return false
  if (Array.isArray(left)) {
    return (
      Array.isArray(right) &&
      left.length === right.length &&
      left.every((item, index) => equals(item, right[index]))
    )
  }
  return isObject(left) && isObject(right) && equalObjects(left, right)
}

function equalObjects(left: JsonObject, right: JsonObject): boolean {
  const names = Object.keys(left)
  if (names.length !== Object.keys(right).length) return false
  return names.every((name) => Object.hasOwn(right, name) && equals(left[name], right[name]))
}

/** A total order over all values, as ORDER BY needs it: by type, then by value; strings by UTF-16 units. */
export function compare(left: unknown, right: unknown): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right
  if (typeof left === 'string' && typeof right === 'string') return order(left, right)
  const rank = typeRank(left)
  const difference = rank - typeRank(right)
  if (difference !== 0) return difference
  if (typeof left === 'boolean') return Number(left) - Number(right)
  if (Array.isArray(left) && Array.isArray(right)) return compareLists(left, right)
  if (isObject(left) && isObject(right)) return compareLists(entries(left), entries(right))
  return 0
}

function order(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}

function compareLists(left: readonly unknown[], right: readonly unknown[]): number {
  const shared = Math.min(left.length, right.length)
  for (let index = 0; index < shared; index += 1) {
    const difference = compare(left[index], right[index])
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

function entries(value: JsonObject): unknown[] {
  return Object.keys(value)
    .sort(order)
    .map((name) => [name, value[name]])
}

/** One text for each value: equal values and only they have the same. For DISTINCT, GROUP BY and sets. */
export function fingerprint(value: unknown): string {
  if (value === undefined) return 'u'
  if (typeof value === 'number') return Object.is(value, -0) ? '0' : String(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(fingerprint).join(',')}]`
  const names = Object.keys(value).sort(order)
  const object: JsonObject = { ...value }
  return `{${names.map((name) => `${JSON.stringify(name)}:${fingerprint(object[name])}`).join(',')}}`
}

/** Sets a property unless its value is undefined; `__proto__` is a name like any other. */
export function assign(object: Record<string, unknown>, name: string, value: unknown): void {
  if (value === undefined) return
  if (name !== '__proto__') object[name] = value
  else {
    const own = { value, enumerable: true, writable: true, configurable: true }
    Object.defineProperty(object, name, own)
  }
}
