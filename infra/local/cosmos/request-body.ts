import type { LocalRequest } from '../http-server.ts'
import { badRequest } from './errors.ts'
import { isJsonObject, type Json, type JsonObject } from './json.ts'

export function anyBody(body: Buffer): Json {
  try {
    return JSON.parse(body.toString()) as Json // JSON.parse answers nothing else
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw badRequest(`The request body is no JSON: ${reason}`)
  }
}

export function jsonBody({ body }: LocalRequest): JsonObject {
  const value = anyBody(body)
  if (!isJsonObject(value)) throw badRequest('The request body must be a JSON object.')
  return value
}

export function listBody({ body }: LocalRequest): readonly Json[] {
  const value = anyBody(body)
  if (!Array.isArray(value)) throw badRequest('The request body must be a JSON array.')
  return value as readonly Json[]
}

export interface QueryText {
  readonly query: string
  readonly parameters: ReadonlyMap<string, unknown>
}

/** Reads `{ query, parameters: [{ name, value }] }`. */
export function queryBody(body: Buffer): QueryText {
  const value = anyBody(body)
  const query = isJsonObject(value) ? value['query'] : undefined
  const given = isJsonObject(value) ? (value['parameters'] ?? []) : []
  if (typeof query !== 'string') throw badRequest('The request body must name a query.')
  if (!Array.isArray(given)) throw badRequest('The parameters of a query must be an array.')
  const parameters = new Map<string, unknown>()
  for (const parameter of given as readonly Json[]) {
    const name = isJsonObject(parameter) ? parameter['name'] : undefined
    if (typeof name !== 'string') throw badRequest('A query parameter needs a name.')
    parameters.set(name, isJsonObject(parameter) ? parameter['value'] : undefined)
  }
  return { query, parameters }
}
