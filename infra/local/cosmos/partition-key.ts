import { isJsonObject, type Json, type JsonObject } from './json.ts'
import { SUBSTATUS, badRequest } from './errors.ts'

/** One level of a partition key; undefined when the document has nothing at that path. */
export type KeyComponent = string | number | boolean | null | undefined
export type PartitionKey = readonly KeyComponent[]

export interface PartitionKeyDefinition {
  readonly paths: readonly string[]
  readonly kind: 'Hash' | 'MultiHash'
  readonly version?: number
}

/** Splits `/a/b` or `/"odd/name"/b` into its segments. */
export function pathSegments(path: string): string[] {
  return Array.from(
    path.matchAll(/\/(?:"([^"]*)"|'([^']*)'|([^/]*))/g),
    (match) => match.slice(1).find((part) => part !== undefined) ?? '',
  )
}

/** The value at the path, undefined when something on the way is missing or no object. */
export function valueAt(document: JsonObject, segments: readonly string[]): Json | undefined {
  let value: Json | undefined = document
  for (const segment of segments) {
    if (!isJsonObject(value) || !Object.hasOwn(value, segment)) return undefined
    value = value[segment]
  }
  return value
}

export function keyOf(document: JsonObject, paths: readonly (readonly string[])[]): PartitionKey {
  return paths.map((segments) => {
    const value = valueAt(document, segments)
    if (value !== null && typeof value === 'object') {
      throw badRequest(
        `The partition key value at /${segments.join('/')} must be a string, number, boolean or null.`,
        SUBSTATUS.partitionKeyMismatch,
      )
    }
    return value
  })
}

/** Reads the `x-ms-documentdb-partitionkey` header: a JSON array in which `{}` stands for a missing value. */
export function parseKey(text: string): PartitionKey {
  const parsed = parseArray(text)
  if (!parsed) throw badRequest(`Partition key ${text} is invalid.`)
  return parsed.map((component) => {
    if (isJsonObject(component) && Object.keys(component).length === 0) return undefined
    if (component !== null && typeof component === 'object') {
      throw badRequest(`Partition key ${text} is invalid.`)
    }
    return component
  })
}

function parseArray(text: string): readonly Json[] | undefined {
  try {
    const value = JSON.parse(text) as Json // JSON.parse answers nothing else
    return Array.isArray(value) ? (value as readonly Json[]) : undefined
  } catch {
    return undefined
  }
}

/** One text per key, the same as on the wire; a prefix of a key is a prefix of its text up to the closing bracket. */
export function keyText(key: PartitionKey): string {
  return JSON.stringify(key.map((component) => (component === undefined ? {} : component)))
}

export function isPrefixOf(prefix: PartitionKey, key: PartitionKey): boolean {
  return prefix.every((component, level) => component === key[level])
}
