import { transact, type Container } from './container.ts'
import { round } from './charge.ts'
import { CosmosError, SUBSTATUS, badRequest } from './errors.ts'
import {
  createItem,
  deleteItem,
  patchItem,
  readItem,
  replaceItem,
  upsertItem,
  type ItemAnswer,
  type ItemScope,
  type Patch,
} from './items.ts'
import { isJsonObject, type Json, type JsonObject } from './json.ts'
import { keyText, parseKey, type PartitionKey } from './partition-key.ts'
import { commit } from './replica.ts'

/** Operations of one batch, and its bytes (vendor's service limits). */
const BATCH_OPERATIONS_LIMIT = 100
export const BATCH_BYTES_LIMIT = 2 * 1024 * 1024

/** One answer in the body of a batch or bulk response, as it goes over the wire. */
interface OperationResult {
  readonly statusCode: number
  readonly subStatusCode?: number
  readonly requestCharge: number
  readonly eTag?: string
  readonly resourceBody?: JsonObject
  readonly message?: string
}

export interface BatchAnswer {
  readonly status: 200 | 207
  readonly results: readonly OperationResult[]
  readonly charge: number
}

export interface BatchScope {
  readonly container: Container
  readonly nowMs: number
  /** Compiles a patch for this container. */
  readonly patch: (body: Json) => Patch
  /** `return=minimal`: results of writes carry no body. */
  readonly bodies: 'all' | 'reads only'
}

/** All or nothing, in one logical partition. When one fails, the others answer 424 and nothing has been written. */
export function runBatch(
  scope: BatchScope,
  key: PartitionKey,
  operations: readonly Json[],
): BatchAnswer {
  checkCount(operations)
  checkKeys(operations, key)
  const results: OperationResult[] = []
  transact(scope.container, () => {
    for (const operation of operations) {
      const result = attempt(scope, key, operation)
      results.push(result)
      if (result.statusCode >= 400) return false
    }
    return true
  })
  commit(scope.container, scope.nowMs)
  const failed = results.findIndex(({ statusCode }) => statusCode >= 400)
  if (failed < 0) return { status: 200, results, charge: sum(results) }
  return {
    status: 207,
    charge: sum(results),
    results: operations.map((_, index) => {
      const result = results[index]
      return index === failed && result ? result : { statusCode: 424, requestCharge: 0 }
    }),
  }
}

/** Every operation for itself; each names its partition key. */
export function runBulk(scope: BatchScope, operations: readonly Json[]): BatchAnswer {
  checkCount(operations)
  const results = operations.map((operation) => {
    const result = attempt(scope, undefined, operation)
    commit(scope.container, scope.nowMs)
    return result
  })
  const failed = results.some(({ statusCode }) => statusCode >= 400)
  return { status: failed ? 207 : 200, results, charge: sum(results) }
}

/** An operation need not name its partition; one that names another refuses the whole request. */
function checkKeys(operations: readonly Json[], batchKey: PartitionKey): void {
  const foreign = operations.some((operation) => {
    const own = isJsonObject(operation) ? operation['partitionKey'] : undefined
    return typeof own === 'string' && keyText(parseKey(own)) !== keyText(batchKey)
  })
  if (!foreign) return
  throw badRequest(
    'One or more operations within the batch request have a different partition key value than the request.',
  )
}

function checkCount(operations: readonly Json[]): void {
  if (operations.length === 0) throw badRequest('Batch request has no operations.')
  if (operations.length <= BATCH_OPERATIONS_LIMIT) return
  throw badRequest(
    `Batch request has more operations than what is supported (${operations.length}, at most ${BATCH_OPERATIONS_LIMIT}).`,
  )
}

function attempt(
  scope: BatchScope,
  batchKey: PartitionKey | undefined,
  operation: Json,
): OperationResult {
  try {
    if (!isJsonObject(operation)) throw badRequest('A batch operation must be an object.')
    return success(scope, operation, perform(scope, keyFor(operation, batchKey), operation))
  } catch (error) {
    if (!(error instanceof CosmosError)) throw error
    return {
      statusCode: error.status,
      ...(error.substatus === undefined ? {} : { subStatusCode: error.substatus }),
      requestCharge: 1,
      message: error.message,
    }
  }
}

function keyFor(operation: JsonObject, batchKey: PartitionKey | undefined): PartitionKey {
  const own = operation['partitionKey']
  if (batchKey) return batchKey
  if (typeof own !== 'string') {
    throw badRequest('A bulk operation needs its partition key.', SUBSTATUS.partitionKeyMismatch)
  }
  return parseKey(own)
}

function perform(scope: BatchScope, key: PartitionKey, operation: JsonObject): ItemAnswer {
  const items: ItemScope = {
    container: scope.container,
    nowMs: scope.nowMs,
    key,
    ifMatch: optionalText(operation, 'ifMatch'),
    ifNoneMatch: optionalText(operation, 'ifNoneMatch'),
  }
  const given = operation['operationType']
  const kind = typeof given === 'string' ? given : ''
  switch (kind) {
    case 'Create':
      return createItem(items, bodyOf(operation))
    case 'Upsert':
      return upsertItem(items, bodyOf(operation))
    case 'Read':
      return readItem(items, idOf(operation))
    case 'Delete':
      return deleteItem(items, idOf(operation))
    case 'Replace':
      return replaceItem(items, idOf(operation), bodyOf(operation))
    case 'Patch':
      return patchItem(items, idOf(operation), scope.patch(operation['resourceBody'] ?? null))
    default:
      throw badRequest(`Operation type ${JSON.stringify(given)} is not supported in a batch.`)
  }
}

function success(scope: BatchScope, operation: JsonObject, answer: ItemAnswer): OperationResult {
  const { status, item, charge } = answer
  const wanted = scope.bodies === 'all' || operation['operationType'] === 'Read'
  const hasBody = wanted && status !== 204 && status !== 304
  return {
    statusCode: status,
    requestCharge: charge,
    ...(status === 204 ? {} : { eTag: item.etag }),
    ...(hasBody ? { resourceBody: item.document } : {}),
  }
}

function optionalText(operation: JsonObject, name: string): string | undefined {
  const value = operation[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw badRequest(`${name} of a batch operation must be a text.`)
  return value
}

function idOf(operation: JsonObject): string {
  const id = operation['id']
  if (typeof id !== 'string') throw badRequest('A batch operation of this type needs an id.')
  return id
}

function bodyOf(operation: JsonObject): JsonObject {
  const body = operation['resourceBody']
  if (!isJsonObject(body)) throw badRequest('A batch operation of this type needs a resource body.')
  return body
}

function sum(results: readonly OperationResult[]): number {
  return round(results.reduce((total, { requestCharge }) => total + requestCharge, 0))
}
