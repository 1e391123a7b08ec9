import type { OrderItem } from './ast.ts'
import { compileExpression } from './compile-expression.ts'
import { keep } from './rows.ts'
import { type Frame, pathOf, type Scope } from './scope.ts'
import type { Scan, Sink } from './sources.ts'
import { SqlError } from './sql-error.ts'
import { compare } from './value.ts'

interface Sortable {
  readonly row: unknown
  readonly keys: readonly unknown[]
}

/** Compiles ORDER BY: takes all rows of a scan and hands them on in order; equal ones stay as they came. */
export function compileOrder(
  items: readonly OrderItem[],
  scope: Scope,
  slots: readonly number[],
): ((frame: Frame, scan: Scan, sink: Sink) => void) | undefined {
  if (items.length === 0) return undefined
  const keys = items.map(({ value, span }) => {
    if (pathOf(value) !== undefined) return compileExpression(value, scope)
    throw new SqlError(
      'Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path.',
      { code: 'SC2102', ...span },
    )
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
