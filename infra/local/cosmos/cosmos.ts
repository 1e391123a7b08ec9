import { randomBytes } from 'node:crypto'
import topology from '../../../src/topology.json' with { type: 'json' }
import type { Emulator, EmulatorOptions } from '../emulator.ts'
import { serveHttp, type LocalRequest, type LocalResponse } from '../http-server.ts'
import { encodeAnswer, encodeError } from './answer.ts'
import { authorize, type AuthorizationPolicy } from './authorization.ts'
import { CosmosControl } from './control.ts'
import { parseDefinition } from './definitions.ts'
import { CosmosError } from './errors.ts'
import { handle } from './handlers.ts'
import type { JsonObject } from './json.ts'
import { openPersistence, type Persistence } from './persistence.ts'
import { asBadRequest } from './prepared-query.ts'
import { operationOf, routeOf } from './route.ts'
import { addContainer, createDatabase, createStore, purgeStore, type Store } from './store.ts'

/** The key that the vendor's own emulator uses and documents; it protects nothing. */
const DEVELOPMENT_KEY =
  'C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=='

/** A container as the topology declares it. */
interface ContainerSeed {
  readonly name: string
  /** One path, or up to three of a hierarchical key. */
  readonly partitionKey: readonly string[]
  /** null: off; -1: per item; otherwise seconds. */
  readonly defaultTtlSeconds: number | null
  /** Index paths; everything else is excluded. */
  readonly indexed: readonly string[]
}

export interface CosmosOptions extends EmulatorOptions {
  /** Base64. */
  readonly key?: string
  /** Keeps everything in this SQLite file; a restarted emulator finds it there. */
  readonly file?: string
  /** Lets any Entra token in; without it they are refused. */
  readonly acceptEntra?: boolean
  /** The database to create; the topology's by default. */
  readonly database?: string
  /** The containers to create in it; the topology's by default. `none` starts without a database. */
  readonly containers?: readonly ContainerSeed[] | 'none'
}

/**
 * Cosmos DB for NoSQL on 127.0.0.1, as far as the stock client uses it. Settings: `COSMOS_ENDPOINT`, `COSMOS_KEY`.
 * State lives in memory, and in a file when one is named.
 */
export async function startCosmos(options: CosmosOptions = {}): Promise<Emulator<CosmosControl>> {
  const store = createStore({
    random: randomBytes,
    journal: options.file === undefined ? undefined : [],
  })
  const control = new CosmosControl(store, () => ({
    ...describe(store, control.clock.now()),
    requestCharge: control.requestCharge(),
  }))
  const persistence = options.file === undefined ? undefined : openPersistence(options.file, store)
  seed(store, options, control.clock.now())
  persistence?.flush()
  const key = options.key ?? DEVELOPMENT_KEY
  const machine = { store, control, persistence, key, acceptEntra: options.acceptEntra ?? false }
  const server = await serveHttp({
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.latencyMs === undefined ? {} : { latencyMs: options.latencyMs }),
    control,
    operation: nameOf,
    handle: (request) => respond(machine, request),
  })
  return {
    name: 'cosmos',
    settings: { COSMOS_ENDPOINT: `${server.origin}/`, COSMOS_KEY: key },
    control,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      control[Symbol.dispose]()
      persistence?.[Symbol.dispose]()
    },
  }
}

interface Machine extends Pick<AuthorizationPolicy, 'key' | 'acceptEntra'> {
  readonly store: Store
  readonly control: CosmosControl
  readonly persistence: Persistence | undefined
}

function respond(machine: Machine, request: LocalRequest): LocalResponse {
  const { store, control, persistence } = machine
  try {
    const route = routeOf(request)
    authorize(request, route, { ...machine, realNowMs: Date.now() })
    const nowMs = control.clock.now()
    purgeStore(store, nowMs)
    const answer = handle({ store, request, route, nowMs })
    control.charge(operationOf(request), answer.charge)
    return encodeAnswer(answer)
  } catch (error) {
    const refusal = asBadRequest(error)
    if (!(refusal instanceof CosmosError)) throw refusal
    return encodeError(refusal)
  } finally {
    persistence?.flush()
  }
}

function nameOf(request: LocalRequest): string {
  try {
    return operationOf(request)
  } catch {
    return `${request.method} invalid`
  }
}

function seed(store: Store, options: CosmosOptions, nowMs: number): void {
  const { containers = Object.values(topology.containers) } = options
  if (containers === 'none') return
  const name = options.database ?? topology.database
  const database = store.databases.get(name) ?? createDatabase(store, name, nowMs)
  for (const container of containers) {
    if (database.containers.has(container.name)) continue
    addContainer({ store, database, nowMs }, parseDefinition(definitionOf(container)))
  }
}

function definitionOf({
  name,
  partitionKey,
  defaultTtlSeconds,
  indexed,
}: ContainerSeed): JsonObject {
  return {
    id: name,
    partitionKey: {
      paths: partitionKey,
      kind: partitionKey.length > 1 ? 'MultiHash' : 'Hash',
      version: 2,
    },
    ...(defaultTtlSeconds === null ? {} : { defaultTtl: defaultTtlSeconds }),
    indexingPolicy: {
      indexingMode: 'consistent',
      automatic: true,
      includedPaths: indexed.map((path) => ({ path })),
      excludedPaths: [{ path: '/*' }],
    },
  }
}

function describe(store: Store, nowMs: number): { databases: object } {
  purgeStore(store, nowMs)
  const databases = Array.from(store.databases.values(), ({ id, containers }) => [
    id,
    Object.fromEntries(
      Array.from(containers, ([name, { items, partitions, lastLsn }]) => [
        name,
        { documents: items.size, partitions: partitions.size, lsn: lastLsn },
      ]),
    ),
  ])
  return { databases: Object.fromEntries(databases) }
}
