import type { OrderItem, Query } from './ast.ts'
import { compileExpression } from './compile-expression.ts'
import { keep } from './rows.ts'
import { type Frame, type Path, pathOf, type Scope } from './scope.ts'
import { aliasOf, type Scan, type Sink } from './sources.ts'
import { SqlError } from './sql-error.ts'
import { compare } from './value.ts'

interface Sortable {
  readonly row: unknown
  readonly keys: readonly unknown[]
}

/** Compiles ORDER BY: takes all rows of a scan and hands them on in order; equal ones stay as they came. */
export function compileOrder(
  query: Query,
  scope: Scope,
  slots: readonly number[],
): ((frame: Frame, scan: Scan, sink: Sink) => void) | undefined {
  const items = query.orderBy
  if (items.length === 0) return undefined
  const keys = items.map((item) => {
    // A subquery sorts what its document holds; the outermost block sorts by an index, which knows documents alone.
    if (scope.parent === undefined) documentPath(item, query)
    else pathOrRefuse(item)
    return compileExpression(item.value, scope)
  })
  const signs = items.map(({ descending }) => (descending ? -1 : 1))
  const { save, restore } = keep(slots)
  return (frame, scan, sink) => {
    const rows: Sortable[] = []
    scan(frame, (row) => {
      rows.push({ row: save(row), keys: keys.map((key) => key(row)) })
      return false
    })
    rows.sort((left, right) => compareKeys(left.keys, right.keys, signs))
    rows.some(({ row }) => {
      restore(frame, row)
      return sink(frame)
    })
  }
}

function compareKeys(
  left: readonly unknown[],
  right: readonly unknown[],
  signs: readonly number[],
): number {
  for (let index = 0; index < signs.length; index += 1) {
    const order = compare(left[index], right[index])
    if (order !== 0) return order * (signs[index] ?? 1)
  }
  return 0
}

/** The path from the document's root that an ORDER BY item of the outermost block names. */
export function documentPath(item: OrderItem, { sources }: Query): readonly string[] {
  const path = pathOrRefuse(item)
  const [source] = sources
  const root = source?.kind === 'path' && !source.iterate ? source : undefined
  if (root === undefined || path.root !== aliasOf(root)) {
    throw new SqlError('Order-by over correlated collections is not supported.', {
      code: 'SC2102',
      ...item.span,
    })
  }
  return [...root.keys, ...path.keys].map(String)
}

function pathOrRefuse({ value, span }: OrderItem): Path {
  const path = pathOf(value)
  if (path !== undefined) return path
  throw new SqlError(
    'Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path.',
    { code: 'SC2102', ...span },
  )
}
