import type { Expression, Query, Span } from './ast.ts'
import { SqlError } from './sql-error.ts'
import type { JsonObject } from './value.ts'

/** What a query may read besides documents. */
export interface Environment {
  /** The present in milliseconds since the epoch, for GetCurrentDateTime and its kin. */
  readonly nowMs: number | undefined
  /** A number in [0, 1), for RAND. */
  readonly random: () => number
  /** The functions behind `udf.name(...)`. */
  readonly userFunctions: ReadonlyMap<string, (...values: unknown[]) => unknown>
}

/** One execution: the values of all names, of all parameters, and the world. */
export interface Frame {
  readonly slots: unknown[]
  readonly parameters: readonly unknown[]
  readonly documents: Iterable<JsonObject>
  readonly environment: Environment
}

export type Evaluate = (frame: Frame) => unknown
export type Rows = (frame: Frame) => unknown[]

/** What is counted over a whole query text: names get slots of one frame, parameters places in one list. */
export interface Program {
  slots: number
  readonly parameters: string[]
}

/** An aggregate of a SELECT block; its result stands in `slot` when the block's list is evaluated. */
export interface AggregateCall {
  readonly name: string
  readonly argument: Evaluate
  readonly slot: number
}

/** The names an expression can see, and whether it may hold aggregates. */
export interface Scope {
  readonly program: Program
  readonly names: Map<string, number>
  readonly parent: Scope | undefined
  readonly aggregates: AggregateCall[] | undefined
  readonly compileQuery: (query: Query, scope: Scope) => Rows
}

export function newSlot(program: Program): number {
  program.slots += 1
  return program.slots - 1
}

export function findName(scope: Scope | undefined, name: string): number | undefined {
  if (scope === undefined) return undefined
  return scope.names.get(name) ?? findName(scope.parent, name)
}

export function resolve(scope: Scope, name: string, span: Span): number {
  const slot = findName(scope, name)
  if (slot !== undefined) return slot
  throw new SqlError(`Identifier '${name}' could not be resolved.`, { code: 'SC2001', ...span })
}

/** The place of a parameter in the frame's list. */
export function parameterIndex(program: Program, name: string): number {
  const known = program.parameters.indexOf(name)
  return known === -1 ? program.parameters.push(name) - 1 : known
}

/** A property path below a name, all of its keys constants. */
export interface Path {
  readonly root: string
  readonly keys: readonly (string | number)[]
}

/** `c.a['b'][0]` as its root name and keys; nothing else is a path. */
export function pathOf(expression: Expression): Path | undefined {
  if (expression.kind === 'name') return { root: expression.name, keys: [] }
  if (expression.kind !== 'member' || expression.key.kind !== 'literal') return undefined
  const { value } = expression.key
  const of = pathOf(expression.of)
  if (of === undefined || (typeof value !== 'string' && typeof value !== 'number')) return undefined
  return { root: of.root, keys: [...of.keys, value] }
}
