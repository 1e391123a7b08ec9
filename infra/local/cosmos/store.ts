import {
  createContainer,
  purgeExpired,
  restoreItems,
  type Container,
  type ContainerDefinition,
  type ItemChange,
} from './container.ts'
import { checkId } from './definitions.ts'
import { badRequest, conflict, notFound } from './errors.ts'
import { compileIndexing } from './indexing.ts'
import type { JsonObject } from './json.ts'
import { expiryOf } from './time-to-live.ts'

export interface Database {
  readonly id: string
  readonly rid: string
  readonly etag: string
  readonly modifiedMs: number
  /** What the offer says, shared by the containers; undefined when each has its own. */
  throughput: JsonObject | undefined
  readonly containers: Map<string, Container>
}

export interface Store {
  readonly databases: Map<string, Database>
  /** Random bytes for resource ids and etags. */
  readonly random: (length: number) => Buffer
  /** Item changes not yet on disk; undefined when nothing is kept. */
  readonly journal: ItemChange[] | undefined
  /** Grows with every change of a database or container definition. */
  definitionsVersion: number
}

export function createStore(options: Pick<Store, 'random' | 'journal'>): Store {
  return { ...options, databases: new Map(), definitionsVersion: 0 }
}

export function createDatabase(store: Store, id: unknown, nowMs: number): Database {
  checkId(id)
  if (store.databases.has(id)) throw conflict()
  const database: Database = {
    id,
    rid: base64(store.random(DATABASE_RID_BYTES)),
    etag: newEtag(store),
    modifiedMs: nowMs,
    throughput: undefined,
    containers: new Map(),
  }
  store.databases.set(id, database)
  store.definitionsVersion += 1
  return database
}

export function deleteDatabase(store: Store, database: Database): void {
  store.databases.delete(database.id)
  store.definitionsVersion += 1
}

export interface Placement {
  readonly store: Store
  readonly database: Database
  readonly nowMs: number
}

export function addContainer(place: Placement, definition: ContainerDefinition): Container {
  const { store, database, nowMs } = place
  if (database.containers.has(definition.id)) throw conflict()
  const container = createContainer({
    rid: containerRid(database.rid, store.random(CONTAINER_RID_BYTES)),
    nonce: store.random(NONCE_BYTES).toString('hex'),
    etag: newEtag(store),
    definition,
    modifiedMs: nowMs,
    throughput: undefined,
    journal: store.journal,
  })
  database.containers.set(definition.id, container)
  store.definitionsVersion += 1
  return container
}

/** Partition key and unique keys stay for the life of a container; the rest of its definition may change. */
export function replaceDefinition(
  { store, nowMs }: Placement,
  container: Container,
  definition: ContainerDefinition,
): void {
  const present = container.definition
  if (definition.id !== present.id) throw badRequest('The id of a container cannot be replaced.')
  if (!same(definition.partitionKey.paths, present.partitionKey.paths)) {
    throw badRequest('Partition key definition cannot be changed.')
  }
  if (
    !same(definition.uniqueKeyPolicy?.uniqueKeys ?? [], present.uniqueKeyPolicy?.uniqueKeys ?? [])
  ) {
    throw badRequest('Unique key policy cannot be changed.')
  }
  container.definition = definition
  container.indexing = compileIndexing(definition.indexingPolicy)
  container.etag = newEtag(store)
  container.modifiedMs = nowMs
  store.definitionsVersion += 1
  if (definition.defaultTtl !== present.defaultTtl) retime(container)
}

export function deleteContainer({ store, database }: Placement, container: Container): void {
  database.containers.delete(container.definition.id)
  store.definitionsVersion += 1
}

/** By id or, as old links have it, by resource id. */
export function findDatabase(store: Store, name: string): Database {
  const found =
    store.databases.get(name) ?? findBy(store.databases.values(), ({ rid }) => rid === name)
  if (!found) throw notFound()
  return found
}

export function findContainer(database: Database, name: string): Container | undefined {
  return (
    database.containers.get(name) ?? findBy(database.containers.values(), ({ rid }) => rid === name)
  )
}

export function containersNamed(store: Store, name: string): readonly Container[] {
  return Array.from(store.databases.values()).flatMap(
    ({ containers }) => containers.get(name) ?? [],
  )
}

export function purgeStore(store: Store, nowMs: number): void {
  for (const { containers } of store.databases.values()) {
    for (const container of containers.values()) purgeExpired(container, nowMs)
  }
}

function retime(container: Container): void {
  const items = Array.from(container.items.values(), (item) => ({
    ...item,
    expiresMs: expiryOf(item.document, container.definition.defaultTtl),
  }))
  container.expiry.clear()
  restoreItems(container, items)
}

const DATABASE_RID_BYTES = 4
const CONTAINER_RID_BYTES = 4
const NONCE_BYTES = 10

/** The first bit of a container's own bytes tells it from a user of the same database. */
function containerRid(parentRid: string, own: Buffer): string {
  own[0] = (own[0] ?? 0) | 0x80
  return base64(Buffer.concat([Buffer.from(parentRid.replaceAll('-', '/'), 'base64'), own]))
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('/', '-')
}

function newEtag(store: Store): string {
  const hex = store.random(16).toString('hex')
  return `"${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}"`
}

function same(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right)
}

function findBy<T>(values: Iterable<T>, accepts: (value: T) => boolean): T | undefined {
  return Array.from(values).find(accepts)
}
