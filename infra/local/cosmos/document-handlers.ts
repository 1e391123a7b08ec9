import { runBatch, runBulk, BATCH_BYTES_LIMIT, type BatchAnswer, type BatchScope } from './batch.ts'
import type { Answer } from './answer.ts'
import { METADATA_CHARGE } from './charge.ts'
import type { Container } from './container.ts'
import { containerOf, notAllowed } from './definition-handlers.ts'
import { CosmosError, badRequest } from './errors.ts'
import { about, placeOf, type Call } from './call.ts'
import { changeFeed, query, queryPlan, readFeed } from './feed-handlers.ts'
import {
  createItem,
  deleteItem,
  deletePartition,
  patchItem,
  readItem,
  replaceItem,
  upsertItem,
  type ItemAnswer,
  type ItemScope,
  type Patch,
} from './items.ts'
import type { Json } from './json.ts'
import { parseKey, type PartitionKey } from './partition-key.ts'
import { applyPatch, parsePatch } from './patch.ts'
import { anyBody, jsonBody, listBody } from './request-body.ts'
import { commit, replicaFor } from './replica.ts'
import { isQuery, isTrue } from './route.ts'
import { prepareCondition } from './prepared-query.ts'

export function documents(call: Call): Answer {
  const container = containerOf(call)
  const state = isRead(call) ? replicaFor(container, call.request.headers, call.nowMs) : container
  try {
    return onDocuments(call, state)
  } catch (error) {
    throw error instanceof CosmosError ? error.by(placeOf(call, state)) : error
  }
}

/** Whether any replica may answer; writes are for the first one. */
function isRead({ request }: Call): boolean {
  return request.method === 'GET' || isQuery(request.headers)
}

function onDocuments(call: Call, container: Container): Answer {
  const { route, request } = call
  if (route.id !== undefined) return finish(call, container, oneDocument(call, container, route.id))
  if (request.method === 'GET') {
    return request.headers['a-im'] === undefined
      ? readFeed(call, container)
      : changeFeed(call, container)
  }
  if (request.method !== 'POST') throw notAllowed(request.method)
  return post(call, container)
}

function post(call: Call, container: Container): Answer {
  const { request } = call
  const { headers } = request
  if (isTrue(headers['x-ms-cosmos-is-query-plan-request'])) return queryPlan(call, container)
  if (isQuery(headers)) return query(call, container)
  if (isTrue(headers['x-ms-cosmos-is-batch-request'])) return batch(call, container)
  const scope = scopeOf(call, container)
  const upsert = isTrue(headers['x-ms-documentdb-is-upsert'])
  const answer = upsert
    ? upsertItem(scope, jsonBody(request))
    : createItem(scope, jsonBody(request))
  return finish(call, container, answer)
}

function oneDocument(call: Call, container: Container, id: string): ItemAnswer {
  const { request } = call
  const scope = scopeOf(call, container)
  switch (request.method) {
    case 'GET':
      return readItem(scope, id)
    case 'PUT':
      return replaceItem(scope, id, jsonBody(request))
    case 'DELETE':
      return deleteItem(scope, id)
    case 'PATCH':
      return patchItem(scope, id, compilePatch(container, call.nowMs)(anyBody(request.body)))
    default:
      throw notAllowed(request.method)
  }
}

export function partitionKeyDelete(call: Call): Answer {
  const container = containerOf(call)
  deletePartition(scopeOf(call, container))
  commit(container, call.nowMs)
  return about(call, container, { status: 200, charge: METADATA_CHARGE })
}

function finish(call: Call, container: Container, { status, item, charge }: ItemAnswer): Answer {
  commit(container, call.nowMs)
  const minimal = wantsMinimal(call) && call.request.method !== 'GET'
  const hasBody = status < 204 && !minimal
  return about(call, container, {
    status,
    charge,
    headers: { etag: item.etag },
    ...(hasBody ? { body: item.document } : {}),
  })
}

function wantsMinimal({ request }: Call): boolean {
  return request.headers['prefer'] === 'return=minimal'
}

function scopeOf({ request, nowMs }: Call, container: Container): ItemScope {
  return {
    container,
    nowMs,
    key: requiredKey(request.headers['x-ms-documentdb-partitionkey']),
    ifMatch: request.headers['if-match'],
    ifNoneMatch: request.headers['if-none-match'],
  }
}

function requiredKey(header: string | undefined): PartitionKey {
  if (header === undefined) {
    throw badRequest('PartitionKey value must be supplied for this operation.')
  }
  return parseKey(header)
}

function compilePatch(container: Container, nowMs: number): (body: Json) => Patch {
  return (body) => {
    const { operations, condition } = parsePatch(body)
    const accepts = condition === undefined ? undefined : prepareCondition(condition)
    return {
      accepts: (document) => !accepts || accepts(document, new Map(), { nowMs }),
      apply: (document) => applyPatch(document, operations, container.keyPaths),
    }
  }
}

function batch(call: Call, container: Container): Answer {
  const { request, nowMs } = call
  if (request.body.length > BATCH_BYTES_LIMIT) {
    throw new CosmosError(413, 'Request size is too large')
  }
  const scope: BatchScope = {
    container,
    nowMs,
    patch: compilePatch(container, nowMs),
    bodies: wantsMinimal(call) ? 'reads only' : 'all',
  }
  const operations = listBody(request)
  if (!isTrue(request.headers['x-ms-cosmos-batch-atomic'])) {
    return batchAnswer(call, container, runBulk(scope, operations))
  }
  const key = requiredKey(request.headers['x-ms-documentdb-partitionkey'])
  return batchAnswer(call, container, runBatch(scope, key, operations))
}

function batchAnswer(call: Call, container: Container, answer: BatchAnswer): Answer {
  const { status, charge, results } = answer
  return about(call, container, {
    status,
    charge: Math.max(charge, METADATA_CHARGE),
    body: results,
    headers: { 'x-ms-item-count': String(results.length) },
  })
}
