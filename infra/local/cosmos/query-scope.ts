import type { Container, Item, Partition } from './container.ts'
import { badRequest } from './errors.ts'
import { isPrefixOf, keyText, type KeyComponent, type PartitionKey } from './partition-key.ts'
import type { CompiledQuery } from './sql/query.ts'

export interface QueryScope {
  /** In the order of creation. */
  readonly items: Iterable<Item>
  readonly count: number
}

export interface ScopeRequest {
  readonly container: Container
  /** A full key, a prefix of a hierarchical one, or undefined for all partitions. */
  readonly key: PartitionKey | undefined
  readonly query: Pick<CompiledQuery, 'askedFor' | 'idsAskedFor'>
  readonly parameters: ReadonlyMap<string, unknown>
}

/** The items a query may see and has to look at: those of its partitions, or only those whose id it demands. */
export function scopeOf(request: ScopeRequest): QueryScope {
  const { container, query, parameters } = request
  const partitions = partitionsOf(request)
  const ids = query.idsAskedFor(parameters)
  if (ids) {
    const wanted = new Set(ids)
    return sorted(
      (partitions ?? Array.from(container.partitions.values())).flatMap(({ items }) =>
        Array.from(wanted, (id) => items.get(id)).filter((item) => item !== undefined),
      ),
    )
  }
  if (!partitions) return { items: container.items.values(), count: container.items.size }
  const [only] = partitions
  if (only && partitions.length === 1) return { items: only.items.values(), count: only.items.size }
  return sorted(partitions.flatMap(({ items }) => Array.from(items.values())))
}

/** Undefined for all of them. */
function partitionsOf({
  container,
  key,
  query,
  parameters,
}: ScopeRequest): readonly Partition[] | undefined {
  const levels = container.keyPaths.length
  if (key !== undefined && key.length > levels) {
    throw badRequest(`The partition key has ${key.length} levels, the container has ${levels}.`)
  }
  if (key?.length === levels) return named(container, [keyText(key)])
  if (key !== undefined && key.length > 0) {
    return Array.from(container.partitions.values()).filter((each) => isPrefixOf(key, each.key))
  }
  const [path] = container.keyPaths
  const values = levels === 1 && path ? query.askedFor(path, parameters) : undefined
  return (
    values &&
    named(
      container,
      values.filter(isComponent).map((value) => keyText([value])),
    )
  )
}

function isComponent(value: unknown): value is KeyComponent {
  return value === null || typeof value !== 'object'
}

function named(container: Container, texts: readonly string[]): readonly Partition[] {
  return Array.from(new Set(texts), (text) => container.partitions.get(text)).filter(
    (partition) => partition !== undefined,
  )
}

function sorted(items: Item[]): QueryScope {
  return { items: items.sort((a, b) => a.sequence - b.sequence), count: items.length }
}
