import type { Answer } from './answer.ts'
import type { Call } from './call.ts'
import { METADATA_CHARGE } from './charge.ts'
import { badRequest, notFound } from './errors.ts'
import { databaseRid } from './items.ts'
import { isJsonObject, type JsonObject } from './json.ts'
import { prepare } from './prepared-query.ts'
import { anyBody, jsonBody, queryBody } from './request-body.ts'
import { isQuery } from './route.ts'
import type { Store } from './store.ts'

/** RU/s of a container for which nobody asked anything, and the least there is (vendor's service limits). */
const DEFAULT_THROUGHPUT = 400
const LEAST_THROUGHPUT = 100
const LEAST_AUTOSCALE = 1000

/** Throughput is recorded and answered, and limits nothing: throttling is planned through the control channel. */
export function offers(call: Call): Answer {
  const { store, request, route } = call
  if (route.id !== undefined) return oneOffer(call, route.id)
  const all = holders(store).map(describe)
  const found = isQuery(request.headers) ? select(request.body, all) : all
  return {
    status: 200,
    charge: METADATA_CHARGE,
    headers: { 'x-ms-item-count': String(found.length) },
    body: { _rid: '', Offers: found, _count: found.length },
  }
}

/** Reads the throughput that a create request asks for. */
export function askedThroughput(headers: Readonly<Record<string, string>>): JsonObject | undefined {
  const autoscale = headers['x-ms-cosmos-offer-autopilot-settings']
  if (autoscale !== undefined) return autoscaled(anyBody(Buffer.from(autoscale)))
  const throughput = headers['x-ms-offer-throughput']
  return throughput === undefined ? undefined : manual(Number(throughput))
}

export function defaultThroughput(): JsonObject {
  return manual(DEFAULT_THROUGHPUT)
}

function oneOffer({ store, request }: Call, id: string): Answer {
  const holder = holders(store).find(({ rid }) => offerId(rid) === id.toLowerCase())
  if (!holder) throw notFound()
  if (request.method === 'PUT') {
    holder.throughput = contentOf(jsonBody(request))
    store.definitionsVersion += 1
  }
  return { status: 200, charge: METADATA_CHARGE, body: describe(holder) }
}

function contentOf(body: JsonObject): JsonObject {
  const content = body['content']
  if (!isJsonObject(content)) throw badRequest('An offer needs its content.')
  const autoscale = content['offerAutopilotSettings']
  return autoscale === undefined
    ? manual(Number(content['offerThroughput']))
    : autoscaled(autoscale)
}

function manual(throughput: number): JsonObject {
  if (!Number.isInteger(throughput) || throughput < LEAST_THROUGHPUT) {
    throw badRequest(`The throughput of an offer must be at least ${LEAST_THROUGHPUT} RU/s.`)
  }
  return { offerThroughput: throughput, offerIsRUPerMinuteThroughputEnabled: false }
}

/** An autoscaled container begins with a tenth of what it may grow to. */
function autoscaled(settings: unknown): JsonObject {
  const most = isJsonObject(settings) ? settings['maxThroughput'] : undefined
  if (!isJsonObject(settings) || typeof most !== 'number' || most < LEAST_AUTOSCALE) {
    throw badRequest(`Autoscale needs a maxThroughput of at least ${LEAST_AUTOSCALE} RU/s.`)
  }
  return { offerThroughput: most / 10, offerAutopilotSettings: settings }
}

interface Holder {
  readonly rid: string
  readonly modifiedMs: number
  throughput: JsonObject | undefined
}

function holders(store: Store): Holder[] {
  return Array.from(store.databases.values())
    .flatMap((database): Holder[] => [database, ...database.containers.values()])
    .filter(({ throughput }) => throughput !== undefined)
}

function select(body: Buffer, rows: readonly JsonObject[]): readonly unknown[] {
  const { query, parameters } = queryBody(body)
  return prepare(query).compiled.execute(rows, parameters)
}

/** Lower case, because clients sign an offer's id in lower case. */
function offerId(rid: string): string {
  return bytesOf(rid).toString('hex')
}

function bytesOf(rid: string): Buffer {
  return Buffer.from(rid.replaceAll('-', '/'), 'base64')
}

function describe({ rid, throughput, modifiedMs }: Holder): JsonObject {
  const id = offerId(rid)
  const isContainer = bytesOf(rid).length > 4
  return {
    id,
    _rid: id,
    _self: `offers/${id}/`,
    _etag: `"${id}"`,
    _ts: Math.floor(modifiedMs / 1000),
    resource: isContainer ? `dbs/${databaseRid(rid)}/colls/${rid}/` : `dbs/${rid}/`,
    offerType: 'Invalid',
    offerResourceId: rid,
    offerVersion: 'V2',
    content: throughput ?? {},
  }
}
