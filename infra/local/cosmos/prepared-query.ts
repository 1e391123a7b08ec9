import { badRequest } from './errors.ts'
import { shapeOf, type QueryShape } from './query-shape.ts'
import { SqlError, compileCondition, compileQuery, type CompiledQuery } from './sql/query.ts'

export interface PreparedQuery {
  readonly compiled: CompiledQuery
  readonly shape: QueryShape
}

/** Applications ask few questions with many parameters, so what was compiled is kept by its text. */
const KEPT = 500
const prepared = new Map<string, PreparedQuery>()

/** Compiles a query text, or finds it compiled. Throws 400 for what the service would not compile. */
export function prepare(text: string): PreparedQuery {
  const known = prepared.get(text)
  if (known) return known
  const fresh = compile(text)
  const [oldest] = prepared.keys()
  if (prepared.size >= KEPT && oldest !== undefined) prepared.delete(oldest)
  prepared.set(text, fresh)
  return fresh
}

function compile(text: string): PreparedQuery {
  try {
    return { compiled: compileQuery(text), shape: shapeOf(text) }
  } catch (error) {
    throw asBadRequest(error)
  }
}

/** Compiles the condition of a patch. Throws 400 for what the service would not compile. */
export function prepareCondition(text: string): ReturnType<typeof compileCondition> {
  try {
    return compileCondition(text)
  } catch (error) {
    throw asBadRequest(error)
  }
}

/** The body of the service's 400 carries the compiler's findings as JSON text in its message. */
export function asBadRequest(error: unknown): unknown {
  if (!(error instanceof SqlError)) return error
  const { message, code, position, end } = error
  const finding = {
    severity: 'Error',
    location: { start: position, end },
    code,
    message,
  }
  return badRequest(JSON.stringify({ errors: [finding] }))
}
