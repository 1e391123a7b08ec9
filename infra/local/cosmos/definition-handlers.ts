import { METADATA_CHARGE } from './charge.ts'
import type { Answer } from './answer.ts'
import type { Container } from './container.ts'
import { parseDefinition } from './definitions.ts'
import { CosmosError, ownerNotFound, notFound } from './errors.ts'
import type { Call } from './call.ts'
import { isQuery } from './route.ts'
import {
  addContainer,
  createDatabase,
  deleteContainer,
  deleteDatabase,
  findContainer,
  findDatabase,
  replaceDefinition,
  type Database,
} from './store.ts'
import { databaseRid, itemRid } from './items.ts'
import { askedThroughput, defaultThroughput } from './offers.ts'
import type { JsonObject } from './json.ts'
import { prepare } from './prepared-query.ts'
import { jsonBody, queryBody } from './request-body.ts'

/** The account document. It announces the address that the client used, so that discovery stays on plain HTTP. */
export function account({ request }: Call): Answer {
  const location = { name: 'Local', databaseAccountEndpoint: `${request.url.origin}/` }
  return {
    status: 200,
    charge: 0,
    body: {
      _self: '',
      id: '127.0.0.1',
      _rid: '127.0.0.1',
      media: '//media/',
      addresses: '//addresses/',
      _dbs: '//dbs/',
      writableLocations: [location],
      readableLocations: [location],
      enableMultipleWriteLocations: false,
      userReplicationPolicy: {
        asyncReplication: false,
        minReplicaSetSize: 1,
        maxReplicasetSize: 1,
      },
      userConsistencyPolicy: { defaultConsistencyLevel: 'Session' },
      systemReplicationPolicy: { minReplicaSetSize: 1, maxReplicasetSize: 1 },
      readPolicy: { primaryReadCoefficient: 1, secondaryReadCoefficient: 1 },
      queryEngineConfiguration: JSON.stringify({ maxSqlQueryInputLength: 262_144 }),
    },
  }
}

export function databases(call: Call): Answer {
  const { store, route, request, nowMs } = call
  if (route.id !== undefined) return oneDatabase(call, route.id)
  if (request.method === 'POST' && !isQuery(request.headers)) {
    const throughput = askedThroughput(request.headers)
    const database = createDatabase(store, jsonBody(request)['id'], nowMs)
    database.throughput = throughput
    return definition(201, describeDatabase(database))
  }
  return list(call, {
    rid: '',
    key: 'Databases',
    rows: Array.from(store.databases.values(), describeDatabase),
  })
}

function oneDatabase({ store, request }: Call, name: string): Answer {
  const database = findDatabase(store, name)
  switch (request.method) {
    case 'GET':
      return definition(200, describeDatabase(database))
    case 'DELETE':
      deleteDatabase(store, database)
      return { status: 204, charge: METADATA_CHARGE }
    default:
      throw notAllowed(request.method)
  }
}

export function containers(call: Call): Answer {
  const { store, route, request, nowMs } = call
  const database = owner(call)
  if (route.id !== undefined) return oneContainer(call, database, route.id)
  if (request.method === 'POST' && !isQuery(request.headers)) {
    const own = askedThroughput(request.headers)
    const container = addContainer({ store, database, nowMs }, parseDefinition(jsonBody(request)))
    container.throughput = own ?? (database.throughput ? undefined : defaultThroughput())
    return definition(201, describeContainer(container))
  }
  return list(call, {
    rid: database.rid,
    key: 'DocumentCollections',
    rows: Array.from(database.containers.values(), describeContainer),
  })
}

function oneContainer(call: Call, database: Database, name: string): Answer {
  const { store, request, nowMs } = call
  const container = findContainer(database, name)
  if (!container) throw notFound()
  switch (request.method) {
    case 'GET':
      return definition(200, describeContainer(container), container.items.size)
    case 'PUT':
      replaceDefinition({ store, database, nowMs }, container, parseDefinition(jsonBody(request)))
      return definition(200, describeContainer(container))
    case 'DELETE':
      deleteContainer({ store, database, nowMs }, container)
      return { status: 204, charge: METADATA_CHARGE }
    default:
      throw notAllowed(request.method)
  }
}

/** One physical partition, so that clients never have to merge. */
export function partitionKeyRanges(call: Call): Answer {
  const container = containerOf(call)
  return {
    status: 200,
    charge: METADATA_CHARGE,
    headers: { etag: container.etag, 'x-ms-item-count': '1' },
    body: {
      _rid: container.rid,
      PartitionKeyRanges: [
        {
          _rid: itemRid(container.rid, 1),
          id: '0',
          _etag: container.etag,
          minInclusive: '',
          maxExclusive: 'FF',
          ridPrefix: 0,
          _self: `dbs/${databaseRid(container.rid)}/colls/${container.rid}/pkranges/0/`,
          throughputFraction: 1,
          status: 'online',
          parents: [],
          _ts: Math.floor(container.modifiedMs / 1000),
        },
      ],
      _count: 1,
    },
  }
}

function owner({ store, route }: Call): Database {
  try {
    return findDatabase(store, route.database ?? '')
  } catch {
    throw ownerNotFound()
  }
}

export function containerOf(call: Call): Container {
  const container = findContainer(owner(call), call.route.container ?? '')
  if (!container) throw ownerNotFound()
  return container
}

export function notAllowed(method: string): CosmosError {
  return new CosmosError(405, `The requested verb ${method} is not supported here.`)
}

interface Listing {
  readonly rid: string
  readonly key: string
  readonly rows: readonly JsonObject[]
}

function list({ request }: Call, { rid, key, rows }: Listing): Answer {
  const found = isQuery(request.headers) ? select(request.body, rows) : rows
  return {
    status: 200,
    charge: METADATA_CHARGE,
    headers: { 'x-ms-item-count': String(found.length) },
    body: { _rid: rid, [key]: found, _count: found.length },
  }
}

function select(body: Buffer, rows: readonly JsonObject[]): readonly unknown[] {
  const { query, parameters } = queryBody(body)
  return prepare(query).compiled.execute(rows, parameters)
}

type Described = JsonObject & { readonly _etag: string }

function definition(status: number, body: Described, documents?: number): Answer {
  return {
    status,
    body,
    charge: METADATA_CHARGE,
    headers: {
      etag: body._etag,
      ...(documents === undefined ? {} : quotaHeaders(documents)),
    },
  }
}

/** Sizes are in KB; there is nothing to wait for when an index changes. */
function quotaHeaders(documents: number): Record<string, string> {
  return {
    'x-ms-resource-quota': `documentSize=10240;documentsSize=${QUOTA_KB};documentsCount=-1;collectionSize=${QUOTA_KB};`,
    'x-ms-resource-usage': `documentSize=0;documentsSize=0;documentsCount=${documents};collectionSize=0;`,
    'x-ms-documentdb-collection-index-transformation-progress': '100',
  }
}

/** 10 GB, what one partition may hold at 400 RU/s (the client's own tests expect it). */
const QUOTA_KB = 10 * 1024 * 1024

function describeDatabase({ id, rid, etag, modifiedMs }: Database): Described {
  return {
    id,
    _rid: rid,
    _self: `dbs/${rid}/`,
    _etag: etag,
    _colls: 'colls/',
    _users: 'users/',
    _ts: Math.floor(modifiedMs / 1000),
  }
}

function describeContainer({ rid, definition, etag, modifiedMs }: Container): Described {
  return {
    ...(definition as unknown as JsonObject), // parsed from JSON, so it is JSON
    _rid: rid,
    _ts: Math.floor(modifiedMs / 1000),
    _self: `dbs/${databaseRid(rid)}/colls/${rid}/`,
    _etag: etag,
    _docs: 'docs/',
    _sprocs: 'sprocs/',
    _triggers: 'triggers/',
    _udfs: 'udfs/',
    _conflicts: 'conflicts/',
  }
}
