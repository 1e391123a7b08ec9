import {
  ConsistencyLevel,
  CosmosClient,
  ErrorResponse,
  type Container,
  type FeedOptions,
  type JSONObject,
  type OperationInput,
  type SqlQuerySpec,
} from '@azure/cosmos'
import type { TokenCredential } from '@azure/identity'
import type {
  Collection,
  Condition,
  Document,
  Partition,
  Query,
  Stored,
  Write,
  WriteOutcome,
} from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import { impatientHttpClient, leanHttpClient, onePartition } from './cosmos-http.ts'
import type { TimedAnswer } from './server-clock.ts'

export interface CosmosOptions {
  readonly endpoint: string
  readonly database: string
  /** Account key, or the credential of a managed identity. */
  readonly auth: { readonly key: string } | { readonly credential: TokenCredential }
  /** How long a request waits for its answer, and how long it lets itself be put off. Default 10 s. */
  readonly patienceMs?: number
  /** Takes what each answer says of the service's time. */
  readonly learnTime?: (answer: TimedAnswer) => void
}

export interface CosmosDatabase extends Disposable {
  collection<T extends Document>(container: string): Collection<T>
}

const PATIENCE_MS = 10_000
const MISSING = 404
const READ_SESSION_NOT_AVAILABLE = 1002
/** Ids in one query: its text grows with them. */
const IDS_PER_QUERY = 100

export function openCosmos(options: CosmosOptions): CosmosDatabase {
  const { endpoint, database, auth, patienceMs = PATIENCE_MS, learnTime } = options
  const client = new CosmosClient({
    endpoint,
    ...('key' in auth ? { key: auth.key } : { aadCredentials: auth.credential }),
    httpClient: impatientHttpClient(patienceMs, leanHttpClient(learnTime)),
    // Only with the level named does the SDK send its session token, and so read at least what it wrote.
    consistencyLevel: ConsistencyLevel.Session,
    // Throttled for longer in all, the work is put off.
    connectionPolicy: { retryOptions: { maxWaitTimeInSeconds: patienceMs / 1_000 } },
  })
  return {
    collection: (container) => collectionOf(client.database(database).container(container)),
    [Symbol.dispose]: () => client.dispose(),
  }
}

function collectionOf<T extends Document>(container: Container): Collection<T> {
  return {
    get: (partition, id) => guard(container, () => get(container, partition, id)),
    getMany: (partition, ids) => guard(container, () => getMany(container, partition, ids)),
    query: (query, partition) => pages(container, query, partition),
    write: (partition, writes) => guard(container, () => write(container, partition, writes)),
    ping: () => guard(container, () => container.read()).then(() => undefined),
  }
}

async function get<T>(container: Container, partition: Partition, id: string) {
  const { resource, statusCode, substatus } = await container
    .item(id, [...partition])
    .read<JSONObject>()
  // No replica has come to the session's state: that is not the same as "not there".
  if (statusCode === MISSING && substatus === READ_SESSION_NOT_AVAILABLE) {
    throw new ErrorResponse('no replica has what this session has seen')
  }
  return resource === undefined ? undefined : toStored<T>(resource)
}

async function getMany<T>(container: Container, partition: Partition, ids: readonly string[]) {
  const found: Stored<T>[] = []
  const wanted = [...new Set(ids)]
  for (let start = 0; start < wanted.length; start += IDS_PER_QUERY) {
    const some = wanted.slice(start, start + IDS_PER_QUERY)
    const query = {
      query: `SELECT * FROM c WHERE c.id IN (${some.map((_, index) => `@id${index}`).join(',')})`,
      parameters: some.map((value, index) => ({ name: `@id${index}`, value })),
    }
    const { resources } = await container.items
      .query<JSONObject>(query, {
        ...within(partition),
        maxItemCount: IDS_PER_QUERY,
      })
      .fetchAll()
    found.push(...resources.map((resource) => toStored<T>(resource)))
  }
  return found
}

async function* pages<T>(
  container: Container,
  query: Query,
  partition: Partition | undefined,
): AsyncGenerator<Stored<T>> {
  const { pageSize } = query
  const iterator = container.items.query<JSONObject>(toSql(query), {
    ...(partition === undefined ? {} : within(partition)),
    ...(pageSize === undefined ? {} : { maxItemCount: pageSize }),
  })
  while (iterator.hasMoreResults()) {
    const { resources } = await guard(container, () => iterator.fetchNext())
    for (const resource of resources ?? []) yield toStored<T>(resource)
  }
}

function within(partition: Partition): FeedOptions {
  return { partitionKey: [...partition], initialHeaders: onePartition }
}

function toSql({ anyOf, latestBy, limit, page }: Query): SqlQuerySpec {
  const parameters: { name: string; value: string | number | boolean }[] = []
  const term = ({ field, is, value }: Condition) => {
    const name = `@p${parameters.length}`
    parameters.push({ name, value })
    const path = pathOf(field)
    return is === 'contains' ? `ARRAY_CONTAINS(${path}, ${name})` : `${path} ${is} ${name}`
  }
  const groups = anyOf.map((conditions) => `(${conditions.map(term).join(' AND ')})`)
  const where = groups.join(' OR ')
  if (page) {
    parameters.push({ name: '@after', value: page.after }, { name: '@limit', value: page.limit })
    return {
      query: `SELECT TOP @limit * FROM c WHERE (${where}) AND c.id > @after ORDER BY c.id`,
      parameters,
    }
  }
  const order = latestBy === undefined ? '' : ` ORDER BY ${pathOf(latestBy)} DESC`
  const cut = limit === undefined ? '' : ` OFFSET 0 LIMIT ${limit}`
  return { query: `SELECT * FROM c WHERE ${where}${order}${cut}`, parameters }
}

function pathOf(field: string): string {
  return `c${field
    .split('.')
    .map((key) => `[${JSON.stringify(key)}]`)
    .join('')}`
}

/** One transactional batch: one round trip, whatever the number of writes. */
async function write<T extends Document>(
  container: Container,
  partition: Partition,
  writes: readonly Write<T>[],
): Promise<WriteOutcome> {
  const { result, code } = await container.items.batch(writes.map(toOperation), [...partition], {
    contentResponseOnWriteEnabled: false,
  })
  const results = result ?? []
  const failed = results.findIndex(
    ({ statusCode }) => statusCode >= 400 && statusCode !== FAILED_DEPENDENCY,
  )
  if (failed === -1 && results.length === writes.length) {
    return { committed: true, etags: results.map(({ eTag }) => eTag ?? '') }
  }
  const status = results[failed]?.statusCode ?? code
  if (status !== undefined && CONFLICTS.has(status)) return { committed: false, conflict: failed }
  throw new ErrorResponse(`the batch was answered ${status}`)
}

const FAILED_DEPENDENCY = 424
/** The id is taken, the document is gone, the tag is another. */
const CONFLICTS: ReadonlySet<number> = new Set([409, 404, 412])

function toOperation<T extends Document>(write: Write<T>): OperationInput {
  switch (write.kind) {
    case 'create':
      return { operationType: 'Create', resourceBody: toResource(write.document) }
    case 'replace':
      return {
        operationType: 'Replace',
        id: write.document.id,
        ifMatch: write.etag,
        resourceBody: toResource(write.document),
      }
    case 'upsert':
      return { operationType: 'Upsert', resourceBody: toResource(write.document) }
    case 'remove':
      return conditionalDelete(write.document.id, write.etag)
  }
}

/** The service honours the condition of any operation of a batch; the SDK's type for deletions leaves it out. */
function conditionalDelete(id: string, ifMatch: string): OperationInput {
  const operation = { operationType: 'Delete', id, ifMatch } as const
  return operation
}

/** Our documents are plain JSON; the SDK's type for that has an index signature, which interfaces lack. */
function toResource(document: Document): JSONObject & { id: string } {
  return document as unknown as JSONObject & { id: string }
}

const SYSTEM_FIELDS: ReadonlySet<string> = new Set([
  '_rid',
  '_self',
  '_etag',
  '_attachments',
  '_ts',
])

function toStored<T>(resource: JSONObject): Stored<T> {
  const own = Object.entries(resource).filter(([name]) => !SYSTEM_FIELDS.has(name))
  return {
    document: Object.fromEntries(own) as T, // only we write to the container
    etag: resource['_etag'] as string, // every stored document has one
  }
}

async function guard<R>(container: Container, work: () => Promise<R>): Promise<R> {
  try {
    return await work()
  } catch (cause) {
    throw new AppError(
      'store_unavailable',
      `the container ${container.id} could not be reached or refused the work`,
      { cause },
    )
  }
}
