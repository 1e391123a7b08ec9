import { isAggregate } from './aggregates.ts'
import type { Expression, Query } from './ast.ts'
import type { Scope } from './scope.ts'
import { SqlError } from './sql-error.ts'

/** Refuses a grouped SELECT list that reads what may differ within a group. */
export function assertGrouped(query: Query, scope: Scope): void {
  const { selection } = query
  const keys = new Set((query.groupBy ?? []).map(shape))
  const values =
    selection.kind === 'list'
      ? selection.items.map(({ value }) => value)
      : selection.kind === 'value'
        ? [selection.value]
        : []
  for (const value of values) assertSame(value, keys, scope)
}

function assertSame(node: object, keys: ReadonlySet<string>, scope: Scope): void {
  if (isExpression(node)) {
    if (keys.has(shape(node)) || (node.kind === 'call' && isAggregate(node.name))) return
    if (node.kind === 'name' && scope.names.has(node.name)) {
      throw new SqlError(
        `Property reference '${node.name}' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause.`,
        { code: 'SC2102', ...node.span },
      )
    }
  }
  for (const child of Object.values(node)) {
    if (typeof child === 'object' && child !== null) assertSame(child, keys, scope)
  }
}

function isExpression(node: object): node is Expression {
  return 'kind' in node
}

/** The same text for the same expression, wherever it stands in the query. */
function shape(expression: Expression): string {
  return JSON.stringify(expression, (name, value: unknown) => {
    if (name === 'span') return undefined
    return value === undefined ? { undefined: true } : value
  })
}
