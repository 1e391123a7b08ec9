import type { Query } from './ast.ts'
import { type AskedFor, compileAskedFor } from './asked-for.ts'
import { documentPath } from './order.ts'
import { parseCondition, parseQuery } from './parse-query.ts'
import { type Environment, type Frame, type Program, type Rows } from './scope.ts'
import { compileSelect } from './select.ts'
import { SqlError } from './sql-error.ts'
import type { JsonObject } from './value.ts'

export { SqlError } from './sql-error.ts'
export type { JsonObject } from './value.ts'

/** Values of `@name` by the name with its sign. */
export type Parameters = ReadonlyMap<string, unknown>

/** What a query may read besides documents and parameters; pass `nowMs`, or GetCurrentDateTime is undefined. */
export type ExecuteOptions = Partial<Environment>

export interface OrderPath {
  /** Keys from the document's root; empty for the document itself. */
  readonly path: readonly string[]
  readonly descending: boolean
}

export interface CompiledQuery {
  /** What ORDER BY asks for, to be held against the composite indexes. */
  readonly orderBy: readonly OrderPath[]
  /**
   * The values that the property at this path has in every document of the result, as `c.path = @value`, IN and
   * ARRAY_CONTAINS(@values, c.path) demand; undefined when the filter says nothing of it. Lets the store look at some
   * documents instead of all; the documents it finds are still filtered.
   */
  askedFor(path: readonly string[], parameters: Parameters): readonly unknown[] | undefined
  /** `askedFor` of the id: only strings can be one. */
  idsAskedFor(parameters: Parameters): readonly string[] | undefined
  /** Runs the query over the documents, which it does not change; the result may share parts with them. */
  execute(
    documents: Iterable<JsonObject>,
    parameters: Parameters,
    options?: ExecuteOptions,
  ): unknown[]
}

/**
 * Compiles a query of the Cosmos DB NoSQL query language. Compile once, execute often.
 * @throws {SqlError} for wrong syntax, an unknown name or function, or a combination the service refuses; `execute`
 * throws it for a TOP, OFFSET or LIMIT that is no count, and for a scalar subquery of several rows.
 */
export function compileQuery(text: string): CompiledQuery {
  const query = parseQuery(text)
  const program: Program = { slots: 0, parameters: [] }
  const rows = compileSelect(query, program)
  const asked: AskedFor = compileAskedFor(query)
  return {
    orderBy: orderPaths(query),
    askedFor: asked,
    idsAskedFor: (parameters) =>
      asked(['id'], parameters)?.filter((value) => typeof value === 'string'),
    execute: (documents, parameters, options = {}) =>
      runRows(rows, frameOf(program, { documents, parameters, options })),
  }
}

/**
 * Compiles the condition of a PATCH request, `from c where ...`.
 * @throws {SqlError} as `compileQuery`.
 */
export function compileCondition(
  text: string,
): (document: JsonObject, parameters?: Parameters, options?: ExecuteOptions) => boolean {
  const program: Program = { slots: 0, parameters: [] }
  const rows: Rows = compileSelect(parseCondition(text), program)
  return (document, parameters = new Map(), options = {}) =>
    runRows(rows, frameOf(program, { documents: [document], parameters, options })).length > 0
}

/** JavaScript says RangeError for a value too deep to compare and for a string too long to make. */
function runRows(rows: Rows, frame: Frame): unknown[] {
  try {
    return rows(frame)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new SqlError(`The query makes or meets a value that is too large: ${error.message}.`, {
      code: 'SC3020',
    })
  }
}

interface Execution {
  readonly documents: Iterable<JsonObject>
  readonly parameters: Parameters
  readonly options: ExecuteOptions
}

function frameOf(program: Program, { documents, parameters, options }: Execution): Frame {
  return {
    slots: Array.from({ length: program.slots }),
    parameters: program.parameters.map((name) => parameters.get(name)),
    documents,
    environment: {
      nowMs: options.nowMs,
      random: options.random ?? Math.random,
      userFunctions: options.userFunctions ?? new Map(),
    },
  }
}

function orderPaths(query: Query): OrderPath[] {
  return query.orderBy.map((item) => ({
    path: documentPath(item, query),
    descending: item.descending,
  }))
}
