/** A binary heap whose dead items are dropped when they surface, or all at once when they outnumber the live ones. */
export interface Heap<T> {
  readonly items: T[]
  readonly before: (a: T, b: T) => boolean
  /** False for an item that no longer means anything. */
  readonly isLive: (item: T) => boolean
  /** How large the heap may grow before it is cleaned next. */
  cleanAt: number
}

const SMALLEST_CLEANING = 1024

export function createHeap<T>(
  before: (a: T, b: T) => boolean,
  isLive: (item: T) => boolean,
): Heap<T> {
  return { items: [], before, isLive, cleanAt: SMALLEST_CLEANING }
}

export function push<T>(heap: Heap<T>, item: T): void {
  if (heap.items.length >= heap.cleanAt) clean(heap)
  heap.items.push(item)
  rise(heap, heap.items.length - 1)
}

/** The first live item, which stays. */
export function first<T>(heap: Heap<T>): T | undefined {
  for (;;) {
    const [top] = heap.items
    if (top === undefined || heap.isLive(top)) return top
    removeTop(heap)
  }
}

export function pop<T>(heap: Heap<T>): T | undefined {
  const top = first(heap)
  if (top !== undefined) removeTop(heap)
  return top
}

/** Dead items of messages settled long ago would otherwise stay until their deadline, which may be weeks away. */
function clean<T>(heap: Heap<T>): void {
  const live = heap.items.filter(heap.isLive)
  heap.items.length = 0
  for (const item of live) {
    heap.items.push(item)
    rise(heap, heap.items.length - 1)
  }
  heap.cleanAt = Math.max(SMALLEST_CLEANING, live.length * 2)
}

function removeTop<T>(heap: Heap<T>): void {
  const last = heap.items.pop()
  if (last === undefined || heap.items.length === 0) return
  heap.items[0] = last
  sink(heap)
}

function rise<T>({ items, before }: Heap<T>, start: number): void {
  let index = start
  const item = items[index]
  if (item === undefined) return
  while (index > 0) {
    const parent = (index - 1) >> 1
    const above = items[parent]
    if (above === undefined || !before(item, above)) break
    items[index] = above
    index = parent
  }
  items[index] = item
}

function sink<T>({ items, before }: Heap<T>): void {
  const [item] = items
  if (item === undefined) return
  let index = 0
  for (;;) {
    const [child, below] = smallerChild(items, before, index)
    if (below === undefined || !before(below, item)) break
    items[index] = below
    index = child
  }
  items[index] = item
}

function smallerChild<T>(
  items: readonly T[],
  before: (a: T, b: T) => boolean,
  parent: number,
): [number, T | undefined] {
  const left = 2 * parent + 1
  const [a, b] = [items[left], items[left + 1]]
  return a !== undefined && b !== undefined && before(b, a) ? [left + 1, b] : [left, a]
}
