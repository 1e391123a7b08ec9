import {
  compileQuery,
  type ExecuteOptions,
  type JsonObject,
} from '../../../../infra/local/cosmos/sql/query.ts'

interface Run {
  readonly documents?: readonly JsonObject[]
  readonly parameters?: Readonly<Record<string, unknown>>
  readonly options?: ExecuteOptions
}

/** The rows of a query over the documents, none unless given. */
export function run(query: string, { documents = [], parameters = {}, options = {} }: Run = {}) {
  return compileQuery(query).execute(documents, new Map(Object.entries(parameters)), options)
}

/** The one value of an expression that needs no document; undefined when it has none. */
export function evaluate(expression: string, given: Run = {}): unknown {
  return run(`SELECT VALUE ${expression}`, given)[0]
}
