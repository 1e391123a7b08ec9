/** Keys kept of each kind; the oldest go first. An address that nobody calls from any more must not stay for ever. */
const MOST_KEYS = 50_000

/** A map that keeps what was written last. */
export function recent<T>() {
  const entries = new Map<string, T>()
  return {
    get: (key: string) => entries.get(key),
    set: (key: string, value: T) => {
      entries.delete(key)
      entries.set(key, value)
      const [oldest] = entries.keys()
      if (entries.size > MOST_KEYS && oldest !== undefined) entries.delete(oldest)
    },
  }
}
