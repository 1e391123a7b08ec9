import { badRequest } from './errors.ts'
import { isJsonObject, type Json, type JsonObject } from './json.ts'

export type PatchOperation =
  | { readonly op: 'add' | 'set' | 'replace'; readonly path: string; readonly value: Json }
  | { readonly op: 'incr'; readonly path: string; readonly value: number }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move'; readonly path: string; readonly from: string }

/** Operations in one request (vendor's service limits). */
const PATCH_OPERATIONS_LIMIT = 10

const SYSTEM_FIELDS = new Set(['id', '_rid', '_self', '_etag', '_ts', '_attachments'])

/**
 * Applies the operations in order to a copy; the given document stays as it is. Throws 400 for a path that does not
 * exist where it must, for a value that cannot be incremented and for fields nobody may patch.
 */
export function applyPatch(
  document: JsonObject,
  operations: readonly PatchOperation[],
  keyPaths: readonly (readonly string[])[],
): JsonObject {
  return operations.reduce((state: JsonObject, operation) => {
    guard(operation.path, keyPaths)
    if (operation.op === 'move') guard(operation.from, keyPaths)
    const changed = applyOne(state, operation)
    return isJsonObject(changed) ? changed : state
  }, document)
}

/** Reads the body of a PATCH: a bare array, or an object with `operations` and an optional `condition`. */
export function parsePatch(body: Json): {
  readonly operations: readonly PatchOperation[]
  readonly condition: string | undefined
} {
  const list = isJsonObject(body) ? body['operations'] : body
  const condition = isJsonObject(body) ? body['condition'] : undefined
  if (!Array.isArray(list) || list.length === 0) {
    throw badRequest('A patch needs at least one operation.')
  }
  if (list.length > PATCH_OPERATIONS_LIMIT) {
    throw badRequest(`A patch may have ${PATCH_OPERATIONS_LIMIT} operations, not ${list.length}.`)
  }
  if (condition !== undefined && condition !== null && typeof condition !== 'string') {
    throw badRequest('The condition of a patch must be a text.')
  }
  return {
    operations: (list as readonly Json[]).map(parseOperation),
    condition: condition ?? undefined,
  }
}

function parseOperation(given: Json): PatchOperation {
  const { op: kind, path, value, from } = isJsonObject(given) ? given : {}
  const op = typeof kind === 'string' ? kind : ''
  if (typeof path !== 'string' || !path.startsWith('/') || path.length < 2) {
    throw badRequest(`A patch operation needs a path, not ${JSON.stringify(path)}.`)
  }
  switch (op) {
    case 'add':
    case 'set':
    case 'replace':
      if (value === undefined) throw badRequest(`Patch operation ${op} at ${path} needs a value.`)
      return { op, path, value }
    case 'incr':
      if (typeof value !== 'number') {
        throw badRequest(`Patch operation incr at ${path} needs a number.`)
      }
      return { op, path, value }
    case 'remove':
      return { op, path }
    case 'move':
      if (typeof from !== 'string') throw badRequest(`Patch operation move to ${path} needs from.`)
      return { op, path, from }
    default:
      throw badRequest(`Patch operation ${JSON.stringify(kind)} is not supported.`)
  }
}

function guard(path: string, keyPaths: readonly (readonly string[])[]): void {
  const segments = split(path)
  if (SYSTEM_FIELDS.has(segments[0] ?? '')) {
    throw badRequest(`Cannot patch system property ${path}.`)
  }
  const touchesKey = keyPaths.some((keyPath) =>
    keyPath.every((segment, level) => level >= segments.length || segment === segments[level]),
  )
  if (touchesKey) throw badRequest(`Cannot patch the partition key path ${path}.`)
}

function applyOne(document: JsonObject, operation: PatchOperation): Json {
  const { path } = operation
  switch (operation.op) {
    case 'add':
      return change(document, split(path), { path, leaf: insertAt(operation.value) })
    case 'set':
      return change(document, split(path), { path, leaf: overwriteAt(operation.value) })
    case 'replace':
      return change(document, split(path), { path, leaf: replaceAt(() => operation.value) })
    case 'remove':
      return change(document, split(path), { path, leaf: removeAt })
    case 'incr':
      return change(document, split(path), { path, leaf: incrementAt(operation.value) })
    case 'move': {
      if (`${path}/`.startsWith(`${operation.from}/`) && path !== operation.from) {
        throw badRequest(`Cannot move ${operation.from} into itself.`)
      }
      const moved = read(document, operation.from)
      const without = applyOne(document, { op: 'remove', path: operation.from })
      return applyOne(isJsonObject(without) ? without : document, { op: 'add', path, value: moved })
    }
  }
}

/** What happens to the last container on the way; answers undefined when the path does not exist. */
type Leaf = (parent: JsonObject | readonly Json[], name: string) => Json | undefined

interface Change {
  readonly path: string
  readonly leaf: Leaf
}

function change(value: Json | undefined, segments: readonly string[], step: Change): Json {
  const [name = '', ...rest] = segments
  if (value === null || typeof value !== 'object') throw missing(step.path)
  if (rest.length === 0) {
    const result = step.leaf(value, name)
    if (result === undefined) throw missing(step.path)
    return result
  }
  if (Array.isArray(value)) {
    const list = value as readonly Json[]
    const index = existingIndex(list, name)
    if (index === undefined) throw missing(step.path)
    return list.with(index, change(list[index], rest, step))
  }
  const parent = value as JsonObject
  const child = Object.hasOwn(parent, name) ? parent[name] : undefined
  return { ...parent, [name]: change(child, rest, step) }
}

function insertAt(value: Json): Leaf {
  return (parent, name) => {
    if (isJsonObject(parent)) return { ...parent, [name]: value }
    const index = name === '-' ? parent.length : arrayIndex(name)
    if (index === undefined || index > parent.length) return undefined
    return parent.toSpliced(index, 0, value)
  }
}

function overwriteAt(value: Json): Leaf {
  return (parent, name) => {
    if (isJsonObject(parent)) return { ...parent, [name]: value }
    const index = name === '-' ? parent.length : arrayIndex(name)
    if (index === undefined || index > parent.length) return undefined
    return parent.toSpliced(index, 1, value)
  }
}

function replaceAt(next: (present: Json) => Json): Leaf {
  return (parent, name) => {
    const present = member(parent, name)
    return present === undefined ? undefined : overwriteAt(next(present))(parent, name)
  }
}

const removeAt: Leaf = (parent, name) => {
  if (member(parent, name) === undefined) return undefined
  if (!isJsonObject(parent)) return parent.toSpliced(Number(name), 1)
  const { [name]: _removed, ...rest } = parent
  return rest
}

/** A field that does not exist counts from nothing. */
function incrementAt(by: number): Leaf {
  return (parent, name) => {
    const present = member(parent, name) ?? (isJsonObject(parent) ? 0 : undefined)
    if (present === undefined) return undefined
    if (typeof present !== 'number') throw badRequest(`Cannot increment ${name}: it is no number.`)
    return overwriteAt(present + by)(parent, name)
  }
}

function read(document: JsonObject, path: string): Json {
  let value: Json | undefined = document
  for (const name of split(path)) {
    value = value !== null && typeof value === 'object' ? member(value, name) : undefined
  }
  if (value === undefined) throw missing(path)
  return value
}

function member(parent: JsonObject | readonly Json[], name: string): Json | undefined {
  if (isJsonObject(parent)) return Object.hasOwn(parent, name) ? parent[name] : undefined
  const index = existingIndex(parent, name)
  return index === undefined ? undefined : parent[index]
}

function existingIndex(list: readonly Json[], name: string): number | undefined {
  const index = arrayIndex(name)
  return index !== undefined && index < list.length ? index : undefined
}

function arrayIndex(name: string): number | undefined {
  return /^(0|[1-9]\d*)$/.test(name) ? Number(name) : undefined
}

/** RFC 6901 §4. */
function split(path: string): string[] {
  return path
    .slice(1)
    .split('/')
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function missing(path: string) {
  return badRequest(`The path ${path} of a patch operation does not exist in the item.`)
}
