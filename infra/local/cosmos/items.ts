import { createCharge, deleteCharge, readCharge, replaceCharge } from './charge.ts'
import {
  findItem,
  partitionFor,
  putItem,
  removeItem,
  type Container,
  type Item,
} from './container.ts'
import {
  CosmosError,
  SUBSTATUS,
  badRequest,
  conflict,
  notFound,
  preconditionFailed,
} from './errors.ts'
import type { JsonObject } from './json.ts'
import { keyOf, keyText, type PartitionKey } from './partition-key.ts'
import { expiryOf } from './time-to-live.ts'

/** An item in JSON may have this many bytes (vendor's service limits). */
const ITEM_BYTES_LIMIT = 2 * 1024 * 1024
/** Characters of an id (vendor's service limits). */
const ID_LENGTH_LIMIT = 1023

export interface ItemScope {
  readonly container: Container
  readonly key: PartitionKey
  readonly nowMs: number
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
}

export interface ItemAnswer {
  readonly status: 200 | 201 | 204 | 304
  readonly item: Item
  readonly charge: number
}

export function readItem(scope: ItemScope, id: string): ItemAnswer {
  const item = existing(scope, id)
  if (scope.ifNoneMatch !== undefined && matches(scope.ifNoneMatch, item)) {
    return { status: 304, item, charge: readCharge(0) }
  }
  return { status: 200, item, charge: readCharge(item.bytes) }
}

export function createItem(scope: ItemScope, body: JsonObject): ItemAnswer {
  const id = checkedId(body)
  checkKey(scope, body)
  if (findItem(scope.container, scope.key, id)) throw conflict()
  return write(scope, body, undefined)
}

/** An If-Match condition counts only when the item exists: an upsert without one is a create. */
export function upsertItem(scope: ItemScope, body: JsonObject): ItemAnswer {
  const id = checkedId(body)
  checkKey(scope, body)
  const previous = findItem(scope.container, scope.key, id)
  if (previous) checkConditions(scope, previous)
  return write(scope, body, previous)
}

export function replaceItem(scope: ItemScope, id: string, body: JsonObject): ItemAnswer {
  const previous = existing(scope, id)
  if (checkedId(body) !== id) throw badRequest('The id of an item cannot be replaced.')
  checkKey(scope, body)
  checkConditions(scope, previous)
  return write(scope, body, previous)
}

export function deleteItem(scope: ItemScope, id: string): ItemAnswer {
  const item = existing(scope, id)
  checkConditions(scope, item)
  removeItem(scope.container, item)
  // A delete is a write: the session token it answers with has to be later than the ones before.
  scope.container.lastLsn += 1
  return { status: 204, item, charge: deleteCharge(item) }
}

export interface Patch {
  readonly apply: (document: JsonObject) => JsonObject
  readonly accepts: (document: JsonObject) => boolean
}

export function patchItem(scope: ItemScope, id: string, patch: Patch): ItemAnswer {
  const previous = existing(scope, id)
  checkConditions(scope, previous)
  if (!patch.accepts(previous.document)) throw preconditionFailed()
  return write(scope, patch.apply(previous.document), previous)
}

/** Deletes everything in the logical partition. */
export function deletePartition({ container, key }: ItemScope): void {
  for (const item of Array.from(container.partitions.get(keyText(key))?.items.values() ?? [])) {
    removeItem(container, item)
  }
  container.lastLsn += 1
}

function existing({ container, key }: ItemScope, id: string): Item {
  checkFullKey(container, key)
  const item = findItem(container, key, id)
  if (!item) throw notFound()
  return item
}

function checkFullKey(container: Container, key: PartitionKey): void {
  if (key.length === container.keyPaths.length) return
  throw badRequest(
    "Partition key provided either doesn't correspond to definition in the collection or doesn't match partition key field values specified in the document.",
    SUBSTATUS.partitionKeyMismatch,
  )
}

function checkKey({ container, key }: ItemScope, body: JsonObject): void {
  checkFullKey(container, key)
  if (keyText(keyOf(body, container.keyPaths)) === keyText(key)) return
  throw badRequest(
    "PartitionKey extracted from document doesn't match the one specified in the header",
    SUBSTATUS.partitionKeyMismatch,
  )
}

function matches(condition: string, item: Item): boolean {
  return condition === '*' || condition === item.etag
}

function checkConditions({ ifMatch, ifNoneMatch }: ItemScope, item: Item): void {
  if (ifMatch !== undefined && !matches(ifMatch, item)) throw preconditionFailed()
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, item)) throw preconditionFailed()
}

function checkedId(body: JsonObject): string {
  const id = body['id']
  if (id === undefined) {
    throw badRequest(
      "The input content is invalid because the required properties - 'id; ' - are missing",
    )
  }
  if (typeof id !== 'string' || id === '') {
    throw badRequest('The id of an item must be a string that is not empty.')
  }
  if (id.length > ID_LENGTH_LIMIT) {
    throw badRequest(`The id of an item may have ${ID_LENGTH_LIMIT} characters, not ${id.length}.`)
  }
  if (/[/\\#]/.test(id)) {
    throw badRequest("The id of an item must not contain '/', '\\' or '#'.")
  }
  return id
}

function write(scope: ItemScope, body: JsonObject, previous: Item | undefined): ItemAnswer {
  const { container } = scope
  const next = nextState(scope, body, previous)
  putItem(container, next, previous)
  container.lastLsn = next.lsn
  container.lastSequence = Math.max(container.lastSequence, next.sequence)
  return previous
    ? { status: 200, item: next, charge: replaceCharge(previous, next) }
    : { status: 201, item: next, charge: createCharge(next) }
}

function nextState(scope: ItemScope, body: JsonObject, previous: Item | undefined): Item {
  const { container, key, nowMs } = scope
  const sequence = previous?.sequence ?? container.lastSequence + 1
  const lsn = container.lastLsn + 1
  const etag = etagOf(container.nonce, lsn)
  const rid = itemRid(container.rid, sequence)
  const seconds = Math.floor(nowMs / 1000)
  const document: JsonObject = {
    ...body,
    _rid: rid,
    _self: `dbs/${databaseRid(container.rid)}/colls/${container.rid}/docs/${rid}/`,
    _etag: etag,
    _attachments: 'attachments/',
    _ts: seconds,
  }
  const bytes = Buffer.byteLength(JSON.stringify(document))
  if (bytes > ITEM_BYTES_LIMIT) throw new CosmosError(413, 'Request size is too large')
  return {
    partition: partitionFor(container, previous?.partition.key ?? key),
    id: checkedId(document),
    sequence,
    lsn,
    modifiedMs: nowMs,
    expiresMs: expiryOf(document, container.definition.defaultTtl),
    bytes,
    terms: container.indexing.countTerms(document),
    etag,
    document,
  }
}

function etagOf(nonce: string, lsn: number): string {
  return `"${lsn.toString(16).padStart(8, '0')}-${nonce.slice(0, 4)}-${nonce.slice(4, 8)}-0000-${nonce.slice(8)}"`
}

/** Rids are base64 with `-` for `/`: 4 bytes of the database, 4 of the container, 8 of the item. */
export function itemRid(containerRid: string, sequence: number): string {
  const bytes = Buffer.alloc(16)
  Buffer.from(containerRid.replaceAll('-', '/'), 'base64').copy(bytes)
  bytes.writeBigUInt64LE(BigInt(sequence), 8)
  return bytes.toString('base64').replaceAll('/', '-')
}

export function databaseRid(containerRid: string): string {
  const bytes = Buffer.from(containerRid.replaceAll('-', '/'), 'base64').subarray(0, 4)
  return bytes.toString('base64').replaceAll('/', '-')
}
