import { createExpiryHeap, type ExpiryHeap } from './expiry-heap.ts'
import { compileIndexing, type Indexing, type IndexingPolicy } from './indexing.ts'
import type { JsonObject } from './json.ts'
import { CosmosError } from './errors.ts'
import {
  keyText,
  pathSegments,
  valueAt,
  type PartitionKey,
  type PartitionKeyDefinition,
} from './partition-key.ts'

export interface ContainerDefinition {
  readonly id: string
  readonly partitionKey: PartitionKeyDefinition
  readonly indexingPolicy: IndexingPolicy
  /** Seconds; -1 switches per-item `ttl` on without a default; absent switches expiry off. */
  readonly defaultTtl?: number
  readonly uniqueKeyPolicy?: {
    readonly uniqueKeys: readonly { readonly paths: readonly string[] }[]
  }
  /** What else the client declared; echoed. */
  readonly [name: string]: unknown
}

/** One logical partition, its items by id in the order in which they were created. */
export interface Partition {
  readonly key: PartitionKey
  readonly text: string
  readonly items: Map<string, Item>
}

/** One state of a document. A write replaces the whole record; `sequence` stays for the life of the document. */
export interface Item {
  readonly partition: Partition
  readonly id: string
  readonly sequence: number
  readonly lsn: number
  readonly modifiedMs: number
  readonly expiresMs: number | undefined
  readonly bytes: number
  readonly terms: number
  readonly etag: string
  readonly document: JsonObject
}

export type ItemChange =
  | { readonly kind: 'put'; readonly container: Container; readonly item: Item }
  | { readonly kind: 'remove'; readonly container: Container; readonly item: Item }

interface Step {
  readonly next: Item | undefined
  readonly previous: Item | undefined
}

interface Commit {
  /** The container's last LSN after it. */
  readonly lsn: number
  readonly atMs: number
  readonly steps: readonly Step[]
}

/** While replicas lag: the last commits and what they replaced. */
export interface Replication {
  /** A replica is behind by at most so many commits, and has whatever is older than so long. */
  readonly lag: { readonly commits: number; readonly ms: number }
  /** The container's last LSN before the first of the commits. */
  readonly baseLsn: number
  readonly commits: readonly Commit[]
  /** Done since the last commit. */
  readonly pending: Step[]
}

export interface Container {
  readonly rid: string
  /** Makes etags of a container that was created again differ from those of the first one. */
  readonly nonce: string
  definition: ContainerDefinition
  etag: string
  modifiedMs: number
  /** What the offer says; undefined when the database's throughput is shared. */
  throughput: JsonObject | undefined
  indexing: Indexing
  readonly keyPaths: readonly (readonly string[])[]
  readonly uniquePaths: readonly (readonly (readonly string[])[])[]
  readonly partitions: Map<string, Partition>
  /** Every item in the order of creation. */
  readonly items: Map<number, Item>
  /** Every write in order; an entry counts while it is its item's present state. */
  log: Item[]
  readonly uniqueClaims: Map<string, number>
  readonly expiry: ExpiryHeap<Item>
  lastSequence: number
  lastLsn: number
  /** What a running transaction has done so far. */
  steps: Step[] | undefined
  replication: Replication | undefined
  /** Where changes are noted for the disk; undefined when nothing is kept. */
  readonly journal: ItemChange[] | undefined
}

export interface ContainerSeed {
  readonly rid: string
  readonly nonce: string
  readonly etag: string
  readonly definition: ContainerDefinition
  readonly modifiedMs: number
  readonly throughput: JsonObject | undefined
  readonly journal: ItemChange[] | undefined
}

export function createContainer(seed: ContainerSeed): Container {
  const { definition } = seed
  return {
    ...seed,
    indexing: compileIndexing(definition.indexingPolicy),
    keyPaths: definition.partitionKey.paths.map(pathSegments),
    uniquePaths: (definition.uniqueKeyPolicy?.uniqueKeys ?? []).map(({ paths }) =>
      paths.map(pathSegments),
    ),
    partitions: new Map(),
    items: new Map(),
    log: [],
    uniqueClaims: new Map(),
    expiry: createExpiryHeap(),
    lastSequence: 0,
    lastLsn: 0,
    steps: undefined,
    replication: undefined,
  }
}

export function partitionFor(container: Container, key: PartitionKey): Partition {
  const text = keyText(key)
  return container.partitions.get(text) ?? { key, text, items: new Map() }
}

export function findItem(container: Container, key: PartitionKey, id: string): Item | undefined {
  return container.partitions.get(keyText(key))?.items.get(id)
}

/** Whether this record still is its document's present state. */
export function isCurrent(container: Container, item: Item): boolean {
  return container.items.get(item.sequence) === item
}

/** Puts a document's next state in the place of the previous one. Throws 409 when it violates a unique key. */
export function putItem(container: Container, next: Item, previous: Item | undefined): void {
  claimUniqueKeys(container, next, previous)
  note(container, { next, previous })
  container.journal?.push({ kind: 'put', container, item: next })
  attach(container, next)
  container.log.push(next)
  if (next.expiresMs !== undefined) container.expiry.push(next.expiresMs, next)
}

export function removeItem(container: Container, item: Item): void {
  releaseUniqueKeys(container, item)
  note(container, { next: undefined, previous: item })
  container.journal?.push({ kind: 'remove', container, item })
  detach(container, item)
}

function note(container: Container, step: Step): void {
  const steps = container.steps ?? container.replication?.pending
  steps?.push(step)
}

/** Removes whatever has expired, so that nothing afterwards can see it. */
export function purgeExpired(container: Container, nowMs: number): void {
  for (let item = container.expiry.takeDue(nowMs); item; item = container.expiry.takeDue(nowMs)) {
    if (isCurrent(container, item)) removeItem(container, item)
  }
}

/** Puts items back that were kept, or whose expiry was counted anew. */
export function restoreItems(container: Container, items: readonly Item[]): void {
  for (const item of items.toSorted((a, b) => a.sequence - b.sequence)) {
    attach(container, item)
    for (const text of uniqueTexts(container, item)) container.uniqueClaims.set(text, item.sequence)
    if (item.expiresMs !== undefined) container.expiry.push(item.expiresMs, item)
  }
  container.log = items.toSorted((a, b) => a.lsn - b.lsn)
}

/** Does all of it or, when `work` answers false or throws, nothing. */
export function transact(container: Container, work: () => boolean): void {
  const noted = container.journal?.length ?? 0
  container.steps = []
  let done = false
  try {
    done = work()
  } finally {
    const steps = container.steps ?? []
    container.steps = undefined
    if (done) container.replication?.pending.push(...steps)
    else {
      undo(container, steps)
      if (container.journal) container.journal.length = noted
    }
  }
}

/** Drops superseded entries once they are the larger part of the log. */
export function compactLog(container: Container): void {
  if (container.log.length < 2 * container.items.size + SMALLEST_LOG_TO_COMPACT) return
  container.log = container.log.filter((item) => isCurrent(container, item))
}

const SMALLEST_LOG_TO_COMPACT = 1_000

function undo(container: Container, steps: readonly Step[]): void {
  let reordered = false
  for (const { next, previous } of steps.toReversed()) {
    if (next) {
      releaseUniqueKeys(container, next)
      if (!previous) detach(container, next)
    }
    if (previous) {
      reordered ||= !next
      claimUniqueKeys(container, previous, undefined)
      attach(container, previous)
    }
  }
  if (reordered) sortMaps(container, steps)
}

/** A restored item sits at the end of its maps; their order is the order of creation, so it has to move back. */
function sortMaps(container: Container, steps: readonly Step[]): void {
  const bySequence = (a: Item, b: Item) => a.sequence - b.sequence
  const all = Array.from(container.items.values()).sort(bySequence)
  container.items.clear()
  for (const item of all) container.items.set(item.sequence, item)
  const touched = new Set(steps.flatMap(({ previous }) => (previous ? [previous.partition] : [])))
  for (const { items } of touched) {
    const sorted = Array.from(items.values()).sort(bySequence)
    items.clear()
    for (const item of sorted) items.set(item.id, item)
  }
}

function attach(container: Container, item: Item): void {
  container.partitions.set(item.partition.text, item.partition)
  item.partition.items.set(item.id, item)
  container.items.set(item.sequence, item)
}

function detach(container: Container, item: Item): void {
  item.partition.items.delete(item.id)
  container.items.delete(item.sequence)
  if (item.partition.items.size === 0) container.partitions.delete(item.partition.text)
}

function uniqueTexts(container: Container, item: Item): string[] {
  return container.uniquePaths.map((paths, index) =>
    JSON.stringify([
      item.partition.text,
      index,
      ...paths.map((segments) => valueAt(item.document, segments) ?? null),
    ]),
  )
}

function claimUniqueKeys(container: Container, next: Item, previous: Item | undefined): void {
  if (container.uniquePaths.length === 0) return
  const texts = uniqueTexts(container, next)
  const taken = texts.some((text) => {
    const owner = container.uniqueClaims.get(text)
    return owner !== undefined && owner !== previous?.sequence
  })
  if (taken) throw new CosmosError(409, 'Unique index constraint violation.')
  if (previous) releaseUniqueKeys(container, previous)
  for (const text of texts) container.uniqueClaims.set(text, next.sequence)
}

function releaseUniqueKeys(container: Container, item: Item): void {
  if (container.uniquePaths.length === 0) return
  for (const text of uniqueTexts(container, item)) container.uniqueClaims.delete(text)
}
