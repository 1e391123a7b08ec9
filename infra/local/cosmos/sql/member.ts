const INHERITED = new Set(Object.getOwnPropertyNames(Object.prototype))

/** The property or item of a value; undefined when there is none, and for anything that JavaScript adds. */
export function member(value: unknown, key: unknown): unknown {
  return memberReader(key)(value)
}

/** `member` for a key known beforehand, which is what nearly every query has. */
export function memberReader(key: unknown): (value: unknown) => unknown {
  if (typeof key === 'number') {
    return (value) => (Array.isArray(value) && Object.hasOwn(value, key) ? value[key] : undefined)
  }
  if (typeof key !== 'string') return () => undefined
  // Own documents come from JSON.parse, so only these few names can be found without being there.
  if (INHERITED.has(key)) {
    return (value) =>
      isRecord(value) && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined
  }
  return (value) => (isRecord(value) ? value[key] : undefined)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
