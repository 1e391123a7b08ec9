import type { Json, JsonObject } from './json.ts'
import { pathSegments } from './partition-key.ts'

interface IndexPath {
  readonly path: string
}
interface CompositePath {
  readonly path: string
  readonly order?: 'ascending' | 'descending'
}
export interface IndexingPolicy {
  readonly indexingMode?: string
  readonly automatic?: boolean
  readonly includedPaths?: readonly IndexPath[]
  readonly excludedPaths?: readonly IndexPath[]
  readonly compositeIndexes?: readonly (readonly CompositePath[])[]
}

/** What a container gets when its definition says nothing. */
export const DEFAULT_INDEXING: IndexingPolicy = {
  indexingMode: 'consistent',
  automatic: true,
  includedPaths: [{ path: '/*' }],
  excludedPaths: [{ path: '/"_etag"/?' }],
}

export interface SortPath {
  readonly path: readonly string[]
  readonly descending: boolean
}

export interface Indexing {
  /** How many values of the document get an entry in the index. */
  readonly countTerms: (document: JsonObject) => number
  /** Whether a filter or ORDER BY on this path can use the index. */
  readonly covers: (path: readonly string[]) => boolean
  /** Whether a composite index serves exactly this order or its exact reverse. */
  readonly sorts: (order: readonly SortPath[]) => boolean
}

interface Node {
  readonly children: Map<string, Node>
  /** The verdict of a `/*` that ends here, for everything below. */
  below?: boolean
  /** The verdict of a `/?` that ends here, for the value itself. */
  here?: boolean
}

/** Always indexed, whatever the policy says (vendor documentation on indexing policies; remembered). */
const ALWAYS_INDEXED = new Set(['id', '_ts'])

/** The more precise path wins, so the policy is a tree whose deepest verdict counts. */
export function compileIndexing(policy: IndexingPolicy): Indexing {
  const root: Node = { children: new Map(), below: false }
  if (policy.indexingMode !== 'none') {
    for (const { path } of policy.includedPaths ?? []) plant(root, path, true)
    for (const { path } of policy.excludedPaths ?? []) plant(root, path, false)
  }
  return {
    countTerms: (document) => count(document, { node: root, inherited: false }),
    covers: (path) => {
      const [first] = path
      if (path.length === 1 && first !== undefined && ALWAYS_INDEXED.has(first)) return true
      return verdict(root, path)
    },
    sorts: (order) =>
      (policy.compositeIndexes ?? []).some((index) => matches(index, order, false)) ||
      (policy.compositeIndexes ?? []).some((index) => matches(index, order, true)),
  }
}

function plant(root: Node, path: string, included: boolean): void {
  const segments = pathSegments(path)
  const last = segments.at(-1)
  let node = root
  for (const segment of last === '*' || last === '?' ? segments.slice(0, -1) : segments) {
    const next: Node = node.children.get(segment) ?? { children: new Map() }
    node.children.set(segment, next)
    node = next
  }
  if (last === '*') node.below = included
  else node.here = included
}

interface Place {
  readonly node: Node | undefined
  readonly inherited: boolean
}

function step({ node, inherited }: Place, segment: string): Place {
  return { node: node?.children.get(segment), inherited: node?.below ?? inherited }
}

function scalarVerdict({ node, inherited }: Place): boolean {
  return node?.here ?? node?.below ?? inherited
}

function verdict(root: Node, path: readonly string[]): boolean {
  let place: Place = { node: root, inherited: false }
  for (const segment of path) place = step(place, segment)
  return scalarVerdict(place)
}

function count(value: Json, place: Place): number {
  if (value === null || typeof value !== 'object') return scalarVerdict(place) ? 1 : 0
  let terms = 0
  if (Array.isArray(value)) {
    const inside = step(place, '[]')
    for (const element of value) terms += count(element, inside)
    return terms
  }
  for (const [name, field] of Object.entries(value as JsonObject)) {
    terms += count(field, step(place, name))
  }
  return terms
}

function matches(
  index: readonly CompositePath[],
  order: readonly SortPath[],
  reversed: boolean,
): boolean {
  return (
    index.length === order.length &&
    index.every(({ path, order: direction }, position) => {
      const wanted = order[position]
      const descending = (direction === 'descending') !== reversed
      return (
        wanted?.descending === descending && pathSegments(path).join('/') === wanted.path.join('/')
      )
    })
  )
}
