import type { Indexing, SortPath } from './indexing.ts'
import { badRequest } from './errors.ts'
import { isAggregate } from './sql/aggregates.ts'
import { parseQuery } from './sql/parse-query.ts'
import type { Expression, Query } from './sql/ast.ts'

/** What paging and the charge need to know about a query, apart from its results. */
export interface QueryShape {
  /**
   * Every row comes from one document alone, so a page can begin behind any document. False for DISTINCT, GROUP BY,
   * aggregates and OFFSET, whose rows depend on all documents.
   */
  readonly rowsAreIndependent: boolean
  /** The number or the name of the parameter in TOP. */
  readonly top: number | string | undefined
  /** Paths from the document's root that the filter reads. */
  readonly filterPaths: readonly (readonly string[])[]
}

export function shapeOf(text: string): QueryShape {
  const query = parseQuery(text)
  const selected = selectedExpressions(query)
  const dependent =
    query.distinct ||
    query.groupBy !== undefined ||
    query.offset !== undefined ||
    selected.some((expression) => contains(expression, isAggregateCall))
  const root = query.sources[0]
  const names = new Set(
    root?.kind === 'path' ? [root.alias ?? root.root, root.root] : ['c', 'root'],
  )
  const filterPaths: string[][] = []
  if (query.where) collectPaths(query.where, names, filterPaths)
  return { rowsAreIndependent: !dependent, top: countOf(query.top), filterPaths }
}

/** Says 400 to an order which the container's indexes cannot produce. */
export function checkOrder(order: readonly SortPath[], indexing: Indexing): void {
  const excluded = order.find(({ path }) => !indexing.covers(path))
  if (excluded) {
    throw badRequest('The index path corresponding to the specified order-by item is excluded.')
  }
  if (order.length > 1 && !indexing.sorts(order)) {
    throw badRequest(
      'The order by query does not have a corresponding composite index that it can be served from.',
    )
  }
}

function countOf(expression: Expression | undefined): number | string | undefined {
  if (expression?.kind === 'parameter') return expression.name
  return expression?.kind === 'literal' ? Number(expression.value) : undefined
}

function selectedExpressions({ selection }: Query): readonly Expression[] {
  switch (selection.kind) {
    case 'all':
      return []
    case 'value':
      return [selection.value]
    case 'list':
      return selection.items.map(({ value }) => value)
  }
}

function isAggregateCall(expression: Expression): boolean {
  return expression.kind === 'call' && !expression.userDefined && isAggregate(expression.name)
}

function contains(expression: Expression, accepts: (part: Expression) => boolean): boolean {
  return accepts(expression) || parts(expression).some((part) => contains(part, accepts))
}

function collectPaths(expression: Expression, roots: ReadonlySet<string>, paths: string[][]): void {
  const list = searchedList(expression)
  if (list) paths.push([...(pathFrom(list, roots) ?? []), '[]'])
  if (list) return
  const path = pathFrom(expression, roots)
  if (path && path.length > 0) paths.push(path)
  else for (const part of parts(expression)) collectPaths(part, roots, paths)
}

/** ARRAY_CONTAINS(c.list, value) asks the index for the elements of the list, not for the list. */
function searchedList(expression: Expression): Expression | undefined {
  if (expression.kind !== 'call' || expression.name !== 'ARRAY_CONTAINS') return undefined
  const [list, value] = expression.values
  return list?.kind === 'member' && value?.kind !== 'member' ? list : undefined
}

/** `c.a["b"]` as `['a', 'b']`; a computed step ends what is known, array positions read `[]` as in index paths. */
function pathFrom(expression: Expression, roots: ReadonlySet<string>): string[] | undefined {
  if (expression.kind === 'name') return roots.has(expression.name) ? [] : undefined
  if (expression.kind !== 'member') return undefined
  const parent = pathFrom(expression.of, roots)
  if (!parent || expression.key.kind !== 'literal') return parent
  const { value } = expression.key
  return [...parent, typeof value === 'number' ? '[]' : String(value)]
}

/** The direct parts of an expression. A subquery has rows of its own, so it counts as a whole. */
function parts(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'literal':
    case 'parameter':
    case 'name':
    case 'subquery':
      return []
    case 'member':
      return [expression.of, expression.key]
    case 'unary':
    case 'not':
      return [expression.operand]
    case 'and':
    case 'or':
      return expression.operands
    case 'binary':
      return [expression.left, expression.right]
    case 'conditional':
      return [expression.test, expression.yes, expression.no]
    case 'in':
      return [expression.value, ...expression.options]
    case 'between':
      return [expression.value, expression.low, expression.high]
    case 'like':
      return [expression.value, expression.pattern]
    case 'call':
      return expression.values
    case 'object':
      return expression.properties.map(({ value }) => value)
    case 'array':
      return expression.items
  }
}
