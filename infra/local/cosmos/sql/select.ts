import { assertGrouped } from './grouping.ts'
import type { Query } from './ast.ts'
import { compileExpression } from './compile-expression.ts'
import { compileGroups } from './groups.ts'
import { compileOrder } from './order.ts'
import { compileProjection } from './projection.ts'
import type { AggregateCall, Evaluate, Frame, Program, Rows, Scope } from './scope.ts'
import { compileSources, type Sink } from './sources.ts'
import { SqlError } from './sql-error.ts'
import { fingerprint } from './value.ts'

/** Compiles a SELECT block; `outer` is the scope that a subquery stands in. */
export function compileSelect(query: Query, outer: Scope | Program): Rows {
  const parent = 'program' in outer ? outer : undefined
  const program = 'program' in outer ? outer.program : outer
  const scope: Scope = {
    program,
    names: new Map(),
    parent,
    aggregates: undefined,
    compileQuery: compileSelect,
  }
  assertClauses(query)
  const { scan, slots } = compileSources(query, scope)
  const where = query.where ? compileExpression(query.where, scope) : undefined
  const aggregates: AggregateCall[] = []
  const project = compileProjection(query, { ...scope, aggregates }, slots)
  const order = compileOrder(query, scope, slots)
  const filtered = (frame: Frame, sink: Sink): boolean =>
    scan(frame, where === undefined ? sink : (row) => where(row) === true && sink(row))
  const bounds = compileBounds(query, scope)

  if (query.groupBy !== undefined || aggregates.length > 0) {
    assertGrouped(query, scope)
    const groups = compileGroups(query, { scope, slots, aggregates })
    return (frame) =>
      collect(frame, { bounds, distinct: query.distinct, project }, (sink) => {
        groups(frame, filtered, sink)
      })
  }
  return (frame) =>
    collect(frame, { bounds, distinct: query.distinct, project }, (sink) => {
      if (order === undefined) filtered(frame, sink)
      else order(frame, filtered, sink)
    })
}

type Bounds = (frame: Frame) => { readonly skip: number; readonly take: number }

interface Finish {
  readonly bounds: Bounds
  readonly distinct: boolean
  readonly project: Evaluate
}

/** Projects row after row, and drops what is undefined, doubled, or outside the asked-for part. */
function collect(
  frame: Frame,
  { bounds, distinct, project }: Finish,
  run: (sink: Sink) => void,
): unknown[] {
  const { skip, take } = bounds(frame)
  const rows: unknown[] = []
  if (take === 0) return rows
  const seen = distinct ? new Set<string>() : undefined
  let passed = 0
  run((row) => {
    const value = project(row)
    if (value === undefined || (seen !== undefined && !isNew(seen, value))) return false
    passed += 1
    if (passed > skip) rows.push(value)
    return rows.length >= take
  })
  return rows
}

function isNew(seen: Set<string>, value: unknown): boolean {
  const before = seen.size
  return seen.add(fingerprint(value)).size > before
}

function compileBounds(query: Query, scope: Scope): Bounds {
  const skip = query.offset && compileExpression(query.offset, scope)
  const limit = query.limit ?? query.top
  const take = limit && compileExpression(limit, scope)
  const whole = (value: unknown, clause: string): number => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value
    throw new SqlError(`The ${clause} count must be a non-negative integer.`, {
      code: 'SC2102',
      ...query.span,
    })
  }
  return (frame) => ({
    skip: skip ? whole(skip(frame), 'OFFSET') : 0,
    take: take ? whole(take(frame), query.limit ? 'LIMIT' : 'TOP') : Infinity,
  })
}

/** Clauses that the grammar lets stand together and the service does not. */
function assertClauses(query: Query): void {
  const refuse = (message: string): never => {
    throw new SqlError(message, { code: 'SC2102', ...query.span })
  }
  if (query.top !== undefined && query.limit !== undefined) {
    refuse("'TOP' and 'OFFSET LIMIT' cannot be used in one query.")
  }
  if (query.groupBy !== undefined && query.orderBy.length > 0) {
    refuse("'ORDER BY' cannot be used with 'GROUP BY'.")
  }
  if (query.groupBy !== undefined && query.selection.kind === 'all') {
    refuse("'SELECT *' cannot be used with 'GROUP BY'.")
  }
}
