import type { Query, Source } from './ast.ts'
import { memberReader } from './member.ts'
import { type Evaluate, findName, type Frame, newSlot, type Scope } from './scope.ts'
import { SqlError } from './sql-error.ts'

/** Takes the frame as one row has filled it; true stops the scan. */
export type Sink = (frame: Frame) => boolean
/** Fills the slots of the FROM clause with one row after the other; true when the sink stopped it. */
export type Scan = (frame: Frame, sink: Sink) => boolean

export interface CompiledSources {
  readonly scan: Scan
  /** The slots that a row consists of, in the order of the clause. */
  readonly slots: readonly number[]
}

/** Compiles FROM and its JOINs. Each source sees the names bound before it; they are added to the scope. */
export function compileSources(query: Query, scope: Scope): CompiledSources {
  const slots: number[] = []
  const scans = query.sources.map((source, index) => {
    const { each, alias } = compileSource(source, { scope, first: index === 0 })
    const slot = newSlot(scope.program)
    slots.push(slot)
    if (alias !== undefined) bind(scope, { alias, slot, source })
    return (frame: Frame, next: Sink) =>
      each(frame, (value) => {
        frame.slots[slot] = value
        return next(frame)
      })
  })
  return { scan: scans.reduceRight<Scan>(product, (frame, sink) => sink(frame)), slots }
}

function product(inner: Scan, outer: Scan): Scan {
  return (frame, sink) => outer(frame, () => inner(frame, sink))
}

/** Hands over one value after the other; true when it was stopped. */
type Each = (frame: Frame, take: (value: unknown) => boolean) => boolean

interface Place {
  readonly scope: Scope
  readonly first: boolean
}

function compileSource(source: Source, place: Place): { each: Each; alias: string | undefined } {
  if (source.kind === 'query') {
    const { alias } = source
    const rows = place.scope.compileQuery(source.query, place.scope)
    const each: Each = (frame, take) => rows(frame).some((row) => take(row))
    return { each: source.iterate ? itemsOf(each) : each, alias }
  }
  const named = aliasOf(source)
  const outer = findName(place.scope, source.root)
  if (outer === undefined) return { each: fromContainer(source, place), alias: named }
  const at = walk(source.keys, (frame) => frame.slots[outer])
  const each: Each = (frame, take) => {
    const value = at(frame)
    return value !== undefined && take(value)
  }
  return { each: source.iterate ? itemsOf(each) : each, alias: named }
}

/** The name that a path is bound to: the one given, or its own last part. */
export function aliasOf({
  alias,
  keys,
  root,
}: Extract<Source, { kind: 'path' }>): string | undefined {
  const implied = keys.at(-1) ?? root
  return alias ?? (typeof implied === 'string' ? implied : undefined)
}

/** A name that nothing binds stands for the container, whatever the container is called. */
function fromContainer(source: Extract<Source, { kind: 'path' }>, place: Place): Each {
  if (!place.first || hasNames(place.scope)) {
    throw new SqlError(`Identifier '${source.root}' could not be resolved.`, {
      code: 'SC2001',
      ...source.span,
    })
  }
  const readers = source.keys.map(memberReader)
  const each: Each = (frame, take) => {
    for (const document of frame.documents) {
      const value = readers.reduce<unknown>((of, read) => read(of), document)
      if (value !== undefined && take(value)) return true
    }
    return false
  }
  // `x IN c` goes over the documents of the container; only below them are there arrays to go over.
  return source.iterate && readers.length > 0 ? itemsOf(each) : each
}

function hasNames(scope: Scope | undefined): boolean {
  return scope !== undefined && (scope.names.size > 0 || hasNames(scope.parent))
}

function walk(keys: readonly (string | number)[], start: Evaluate): Evaluate {
  return keys.map(memberReader).reduce<Evaluate>((of, read) => (frame) => read(of(frame)), start)
}

function itemsOf(each: Each): Each {
  return (frame, take) =>
    each(frame, (value) => Array.isArray(value) && value.some((item) => take(item)))
}

function bind(
  scope: Scope,
  { alias, slot, source }: { alias: string; slot: number; source: Source },
): void {
  if (scope.names.has(alias)) {
    throw new SqlError(
      `The input alias '${alias}' is specified more than once in the FROM clause.`,
      {
        code: 'SC2102',
        ...source.span,
      },
    )
  }
  scope.names.set(alias, slot)
}
