interface Entry<T> {
  readonly dueMs: number
  readonly value: T
}

/** A binary heap that gives up its values in the order in which they fall due. */
export interface ExpiryHeap<T> {
  readonly push: (dueMs: number, value: T) => void
  /** Takes the earliest value whose time has come. */
  readonly takeDue: (nowMs: number) => T | undefined
  readonly clear: () => void
}

export function createExpiryHeap<T>(): ExpiryHeap<T> {
  const entries: Entry<T>[] = []
  const dueAt = (index: number) => entries[index]?.dueMs ?? Number.POSITIVE_INFINITY
  const swap = (a: number, b: number) => {
    const [first, second] = [entries[a], entries[b]]
    if (!first || !second) return
    entries[a] = second
    entries[b] = first
  }
  const rise = (from: number) => {
    let index = from
    while (index > 0 && dueAt((index - 1) >> 1) > dueAt(index)) {
      swap(index, (index - 1) >> 1)
      index = (index - 1) >> 1
    }
  }
  const sink = () => {
    let index = 0
    while (true) {
      const left = 2 * index + 1
      const smaller = dueAt(left + 1) < dueAt(left) ? left + 1 : left
      if (dueAt(smaller) >= dueAt(index)) return
      swap(index, smaller)
      index = smaller
    }
  }
  return {
    push: (dueMs, value) => {
      entries.push({ dueMs, value })
      rise(entries.length - 1)
    },
    takeDue: (nowMs) => {
      const first = entries[0]
      if (!first || first.dueMs > nowMs) return undefined
      swap(0, entries.length - 1)
      entries.pop()
      sink()
      return first.value
    },
    clear: () => void (entries.length = 0),
  }
}
