import type { Expression, Query } from './ast.ts'
import { pathOf } from './scope.ts'
import { equals } from './value.ts'

/** The values a property must have one of, as far as the filter says so. */
export type AskedFor = (
  path: readonly string[],
  parameters: ReadonlyMap<string, unknown>,
) => readonly unknown[] | undefined

/** One condition of the filter that names the only values a path may have. */
interface Demand {
  readonly path: readonly (string | number)[]
  readonly values: (parameters: ReadonlyMap<string, unknown>) => readonly unknown[]
}

/** Reads the conditions that every row must meet, those joined by AND at the top of WHERE. */
export function compileAskedFor(query: Query): AskedFor {
  const [source] = query.sources
  const fromContainer =
    source?.kind === 'path' && source.keys.length === 0 ? (source.alias ?? source.root) : undefined
  const demands =
    fromContainer === undefined || query.where === undefined
      ? []
      : conjuncts(query.where).flatMap((condition) => demandOf(condition, fromContainer) ?? [])
  return (path, parameters) => {
    const lists = demands
      .filter((demand) => equals(demand.path, path))
      .map((demand) => demand.values(parameters))
    const [first, ...others] = lists
    return first?.filter((value) =>
      others.every((list) => list.some((other) => equals(other, value))),
    )
  }
}

function conjuncts(where: Expression): readonly Expression[] {
  return where.kind === 'and' ? where.operands.flatMap(conjuncts) : [where]
}

function demandOf(condition: Expression, alias: string): Demand | undefined {
  if (condition.kind === 'binary' && condition.operator === '=') {
    const { left, right } = condition
    return demand(left, [right], alias) ?? demand(right, [left], alias)
  }
  if (condition.kind === 'in') return demand(condition.value, condition.options, alias)
  if (condition.kind !== 'call' || condition.name !== 'ARRAY_CONTAINS') return undefined
  const [list, value] = condition.values
  if (list === undefined || value === undefined || condition.values.length > 2) return undefined
  return demandFromList(value, list, alias)
}

function demand(
  property: Expression,
  options: readonly Expression[],
  alias: string,
): Demand | undefined {
  const path = pathOf(property)
  if (path?.root !== alias || !options.every(isConstant)) return undefined
  return {
    path: path.keys,
    values: (parameters) =>
      options.map((option) => constant(option, parameters)).filter((value) => value !== undefined),
  }
}

function demandFromList(property: Expression, list: Expression, alias: string): Demand | undefined {
  if (list.kind === 'array') return demand(property, list.items, alias)
  const path = pathOf(property)
  if (path?.root !== alias || list.kind !== 'parameter') return undefined
  return {
    path: path.keys,
    values: (parameters) => {
      const values = constant(list, parameters)
      return Array.isArray(values) ? values : []
    },
  }
}

function isConstant(expression: Expression): boolean {
  return expression.kind === 'literal' || expression.kind === 'parameter'
}

function constant(expression: Expression, parameters: ReadonlyMap<string, unknown>): unknown {
  if (expression.kind === 'literal') return expression.value
  return expression.kind === 'parameter' ? parameters.get(expression.name) : undefined
}
