import { randomUUID } from 'node:crypto'
import { AppError } from '../../src/core/errors.ts'
import {
  MAX_WRITES,
  type Collection,
  type Condition,
  type Document,
  type Partition,
  type Query,
  type Stored,
  type Write,
  type WriteOutcome,
} from '../../src/core/collection.ts'

/** A collection in memory, with what happened to it open to tests. */
export interface MemoryCollection<T extends Document> extends Collection<T> {
  /** Every document, as it is now. */
  all(): readonly T[]
  /** The same with the partitions, as JSON. */
  places(): readonly { readonly key: string; readonly stored: Stored<T> }[]
  /** Called before each operation: throw to fail it, change what is stored to race it. */
  before?: (operation: 'get' | 'getMany' | 'query' | 'write') => void | Promise<void>
  /** Called after each operation: throw to lose its answer. */
  after?: (operation: 'get' | 'getMany' | 'query' | 'write') => void | Promise<void>
  readonly counts: { reads: number; writes: number }
  /** From now on every call finds the store away. */
  goAway(): void
}

export function memoryCollection<T extends Document>(): MemoryCollection<T> {
  const partitions = new Map<string, Map<string, Stored<T>>>()
  const counts = { reads: 0, writes: 0 }
  const documentsOf = (partition: Partition) => {
    const key = JSON.stringify(partition)
    const documents = partitions.get(key) ?? new Map<string, Stored<T>>()
    partitions.set(key, documents)
    return documents
  }
  const stored = () => [...partitions.values()].flatMap((documents) => [...documents.values()])
  const around = async <R>(
    operation: Parameters<NonNullable<MemoryCollection<T>['before']>>[0],
    work: () => R,
  ) => {
    await collection.before?.(operation)
    counts[operation === 'write' ? 'writes' : 'reads'] += 1
    const result = work()
    await collection.after?.(operation)
    return result
  }
  const collection: MemoryCollection<T> = {
    counts,
    goAway: () => {
      collection.before = () => {
        throw new AppError('store_unavailable', 'it is away')
      }
    },
    all: () => stored().map(({ document }) => document),
    places: () =>
      [...partitions].flatMap(([key, documents]) =>
        [...documents.values()].map((one) => ({ key, stored: one })),
      ),
    get: (partition, id) => around('get', () => copy(documentsOf(partition).get(id))),
    getMany: (partition, ids) =>
      around('getMany', () =>
        [...new Set(ids)].flatMap((id) => copy(documentsOf(partition).get(id)) ?? []),
      ),
    query: async function* (query, partition) {
      const candidates = partition ? [...documentsOf(partition).values()] : stored()
      const found = await around('query', () => select(candidates, query))
      for (const one of found) yield structuredClone(one)
    },
    write: (partition, writes) => around('write', () => apply(documentsOf(partition), writes)),
    ping: async () => {},
  }
  return collection
}

/** What a query finds among the documents. */
export function select<T extends Document>(
  candidates: readonly Stored<T>[],
  query: Query,
): readonly Stored<T>[] {
  const found = candidates.filter(({ document }) => fulfils(document, query))
  return pageOf(inOrder(found, query), query)
}

function copy<T>(stored: Stored<T> | undefined): Stored<T> | undefined {
  return stored && structuredClone(stored)
}

function apply<T extends Document>(
  documents: Map<string, Stored<T>>,
  writes: readonly Write<T>[],
): WriteOutcome {
  if (writes.length > MAX_WRITES) throw new RangeError(`${writes.length} writes in one batch`)
  const ids = writes.map(({ document }) => document.id)
  const conflict = writes.findIndex(
    (write, index) =>
      !holds(write, documents.get(write.document.id)) ||
      (write.kind === 'create' && ids.indexOf(write.document.id) < index),
  )
  if (conflict !== -1) return { committed: false, conflict }
  const etags = writes.map(({ kind, document }) => {
    if (kind === 'remove') {
      documents.delete(document.id)
      return ''
    }
    const etag = `"${randomUUID()}"`
    documents.set(document.id, { document: structuredClone(document), etag })
    return etag
  })
  return { committed: true, etags }
}

function holds<T extends Document>(write: Write<T>, found: Stored<T> | undefined): boolean {
  switch (write.kind) {
    case 'create':
      return found === undefined
    case 'replace':
    case 'remove':
      return found?.etag === write.etag
    case 'upsert':
      return true
  }
}

function pageOf<T extends Document>(
  found: readonly Stored<T>[],
  { page }: Query,
): readonly Stored<T>[] {
  if (!page) return found
  return found
    .filter(({ document }) => document.id > page.after)
    .sort((a, b) => (a.document.id < b.document.id ? -1 : 1))
    .slice(0, page.limit)
}

function fulfils(document: Document, { anyOf }: Query): boolean {
  return anyOf.some((conditions) => conditions.every((condition) => meets(document, condition)))
}

function inOrder<T extends Document>(
  found: readonly Stored<T>[],
  { latestBy, limit = found.length }: Query,
): readonly Stored<T>[] {
  if (latestBy === undefined) return found.slice(0, limit)
  const key = ({ document }: Stored<T>) => String(valueAt(document, latestBy))
  return found
    .filter(({ document }) => valueAt(document, latestBy) !== undefined)
    .sort((a, b) => (key(a) < key(b) ? 1 : key(a) > key(b) ? -1 : 0))
    .slice(0, limit)
}

function meets(document: Document, { field, is, value }: Condition): boolean {
  const at = valueAt(document, field)
  if (at === undefined) return false
  if (is === '=') return at === value
  if (is === '!=') return at !== value
  if (is === 'contains') return Array.isArray(at) && at.includes(value)
  if (typeof at !== typeof value) return false
  return is === '<' ? (at as typeof value) < value : (at as typeof value) <= value
}

function valueAt(document: Document, field: string): unknown {
  let at: unknown = document
  for (const key of field.split('.')) {
    at =
      typeof at === 'object' && at !== null
        ? Object.getOwnPropertyDescriptor(at, key)?.value
        : undefined
  }
  return at
}
