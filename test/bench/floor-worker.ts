import { CosmosClient, type JSONObject, type OperationInput } from '@azure/cosmos'
import topology from '../../src/topology.json' with { type: 'json' }
import { leanHttpClient, onePartition } from '../../src/adapters/cosmos-http.ts'
import type { FloorJob, FloorPlace } from './floor.ts'

// The same calls and documents as the engine's, with nothing decided: no lease, no limits, no merge, no retry, no result.
const place = JSON.parse(process.argv[2] ?? '') as FloorPlace // from floor.ts
const cosmos = new CosmosClient({
  endpoint: place.cosmosEndpoint,
  key: place.cosmosKey,
  // No program must ask for the plans of queries of one partition.
  httpClient: leanHttpClient(),
})
const database = cosmos.database(topology.database)
const shards = database.container(topology.containers.shards.name)
const results = database.container(topology.containers.results.name)

type Row = Readonly<Record<string, string>>
type Doc = JSONObject & { id: string }

const ENTITY = 'incident'
const PAGE = 100
const BATCH = 100
const PUSHED_AT_ONCE = 40
const IDS_PER_CALL = 25
const FIELDS =
  'sys_id,sys_updated_on,sys_mod_count,number,short_description,description,state,active,priority,impact,urgency,category,subcategory,contact_type,caller_id,assignment_group,assigned_to,reassignment_count,reopen_count,close_code,opened_at,resolved_at,closed_at,correlation_id'

interface Sent {
  readonly method: 'POST' | 'PATCH'
  readonly body: object
}

async function ask(path: string, query: Row, sent?: Sent): Promise<unknown> {
  const url = new URL(path, place.instance)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  const response = await fetch(url, {
    headers: { authorization: place.authorization, 'content-type': 'application/json' },
    ...(sent ? { method: sent.method, body: JSON.stringify(sent.body) } : {}),
  })
  if (!response.ok) throw new Error(`${path} was answered ${response.status}`)
  return response.json()
}

async function rowsOf(query: Row): Promise<readonly Row[]> {
  const fixed = {
    sysparm_fields: FIELDS,
    sysparm_display_value: 'false',
    sysparm_exclude_reference_link: 'true',
  }
  const answer = await ask('/api/now/table/incident', { ...fixed, ...query })
  return (answer as { result: Row[] }).result // as the Table API answers
}

function within(partition: string[]) {
  return { partitionKey: partition, initialHeaders: onePartition }
}

async function readAll(partition: string[], ids: readonly string[]): Promise<Map<string, Doc>> {
  const found = new Map<string, Doc>()
  for (let start = 0; start < ids.length; start += BATCH) {
    const some = ids.slice(start, start + BATCH)
    const query = {
      query: `SELECT * FROM c WHERE c.id IN (${some.map((_, index) => `@id${index}`).join(',')})`,
      parameters: some.map((value, index) => ({ name: `@id${index}`, value })),
    }
    const answer = await shards.items
      .query<Doc>(query, { ...within(partition), maxItemCount: BATCH })
      .fetchAll()
    for (const one of answer.resources) found.set(one.id, one)
  }
  return found
}

async function write(partition: string[], operations: readonly OperationInput[]): Promise<void> {
  const checkpoint = { id: 'stream', kind: 'stream', tenantId: partition[0] ?? '' }
  for (let start = 0; start < operations.length; start += BATCH - 1) {
    const some = operations.slice(start, start + BATCH - 1)
    const resourceBody = { ...checkpoint, entityType: ENTITY, at: start }
    const answer = await shards.items.batch(
      [{ operationType: 'Upsert', resourceBody }, ...some],
      partition,
      { contentResponseOnWriteEnabled: false },
    )
    if (answer.code !== 200) throw new Error(`a batch was answered ${answer.code}`)
  }
}

function etagOf(document: Doc): string {
  return document['_etag'] as string // every stored document has one
}

function documentOf(row: Row, id: string, tenantId: string): Doc {
  const { sys_id: externalId = '', sys_updated_on: at = '', sys_mod_count: _, ...fields } = row
  const link = { externalId, base: fields, theirs: {}, version: { time: at }, held: {} }
  return {
    id,
    kind: 'record',
    tenantId,
    entityType: ENTITY,
    rev: 1,
    fields,
    origin: { by: tenantId, at },
    origins: {},
    links: { [tenantId]: link },
    pending: [],
    createdAt: at,
    updatedAt: at,
  }
}

function writesFor(row: Row, known: ReadonlyMap<string, Doc>, tenantId: string): OperationInput[] {
  const externalId = row['sys_id'] ?? ''
  const [id, link] = [`rec-${externalId}`, `link-${externalId}`]
  const resourceBody = documentOf(row, id, tenantId)
  const before = known.get(id)
  if (before && JSON.stringify(before['fields']) === JSON.stringify(resourceBody['fields']))
    return []
  if (before) return [{ operationType: 'Replace', id, ifMatch: etagOf(before), resourceBody }]
  const shared = { kind: 'link', tenantId, entityType: ENTITY, connectionId: tenantId, externalId }
  return [
    { operationType: 'Create', resourceBody },
    { operationType: 'Create', resourceBody: { id: link, ...shared, recordId: id } },
  ]
}

async function pull({ tenantId }: FloorJob): Promise<number> {
  const partition = [tenantId, ENTITY]
  const order = 'ORDERBYsys_updated_on^ORDERBYsys_id'
  let where = order
  for (let count = 0; ;) {
    const rows = await rowsOf({ sysparm_query: where, sysparm_limit: String(PAGE) })
    const ids = rows.flatMap(({ sys_id: id }) => [`link-${id}`, `rec-${id}`])
    const known = await readAll(partition, ids)
    await write(
      partition,
      rows.flatMap((row) => writesFor(row, known, tenantId)),
    )
    count += rows.length
    const last = rows.at(-1)
    if (rows.length < PAGE || !last) return count
    const { sys_updated_on: time, sys_id: id } = last
    where = `sys_updated_on>${time}^NQsys_updated_on=${time}^sys_id>${id}^${order}`
  }
}

/** Asks which records wait, looks at their rows as they are there now, writes them and takes them out of the outbox. */
async function push({ tenantId }: FloorJob): Promise<number> {
  const partition = [tenantId, ENTITY]
  const query = `SELECT TOP ${PUSHED_AT_ONCE} * FROM c WHERE ARRAY_CONTAINS(c["pending"], @it)`
  const parameters = [{ name: '@it', value: tenantId }]
  for (let count = 0; ;) {
    const { resources } = await shards.items
      .query<Doc>({ query, parameters }, within(partition))
      .fetchAll()
    if (resources.length === 0) return count
    const ids = resources.map(({ id }) => id.replace('rec-', ''))
    for (let start = 0; start < ids.length; start += IDS_PER_CALL) {
      const some = ids.slice(start, start + IDS_PER_CALL).join(',')
      await rowsOf({ sysparm_query: `sys_idIN${some}`, sysparm_limit: '200' })
    }
    await ask('/api/now/v1/batch', {}, { method: 'POST', body: batchOf(resources, ids) })
    const operations = resources.map((one): OperationInput => ({
      operationType: 'Replace',
      id: one.id,
      ifMatch: etagOf(one),
      resourceBody: { ...one, pending: [] },
    }))
    await write(partition, operations)
    await results.items.batch(
      resources.map(({ id }) => ({
        operationType: 'Upsert',
        resourceBody: resultOf(id, tenantId),
      })),
      [tenantId],
      { contentResponseOnWriteEnabled: false },
    )
    count += resources.length
  }
}

const SINGLE_EDITS = 100

/** Single edits, one after another: stored with the outbox set, written to the row, stored again, and its result kept. */
async function edit({ tenantId }: FloorJob): Promise<number> {
  const partition = [tenantId, ENTITY]
  const query = `SELECT TOP ${SINGLE_EDITS} VALUE c.id FROM c WHERE c.kind = 'record'`
  const { resources: ids } = await shards.items.query<string>(query, within(partition)).fetchAll()
  for (const [index, id] of ids.entries()) {
    const item = shards.item(id, partition)
    const replace = async (changes: (before: Doc) => Partial<Doc>) => {
      const { resource: before } = await item.read<Doc>()
      if (!before) throw new Error(`${id} is gone`)
      const condition = { type: 'IfMatch', condition: etagOf(before) }
      await item.replace({ ...before, ...changes(before) }, { accessCondition: condition })
    }
    const text = `single ${index} of the floor`
    await replace(({ fields }) => ({
      fields: { ...(fields as Row), short_description: text }, // as pull stored it
      pending: [tenantId],
    }))
    await ask(
      `/api/now/table/incident/${id.replace('rec-', '')}`,
      {},
      { method: 'PATCH', body: { short_description: text } },
    )
    await replace(() => ({ pending: [] }))
    await results.items.upsert(resultOf(id, tenantId))
  }
  return ids.length
}

/** What was pushed is kept for the operators: contract, section 3. */
function resultOf(entityId: string, tenantId: string): Doc {
  const executedAt = new Date().toISOString()
  const shared = { integrationId: 'servicenow', tenantId, entityId, externalId: entityId }
  const outcome = { operation: 'update', success: true, duration: 1, executedAt, ttl: 2_592_000 }
  return { id: `pushed-${entityId}-${executedAt}`, ...shared, ...outcome }
}

function batchOf(records: readonly Doc[], ids: readonly string[]): object {
  const headers = [{ name: 'Content-Type', value: 'application/json' }]
  const rest = records.map((record, index) => {
    const { short_description: text } = record['fields'] as Row // as pull stored it
    const body = Buffer.from(JSON.stringify({ short_description: text })).toString('base64')
    const url = `/api/now/table/incident/${ids[index]}?sysparm_fields=${FIELDS}`
    return { id: String(index), method: 'PATCH', url, headers, body }
  })
  return { batch_request_id: '1', rest_requests: rest }
}

const jobs = { pull, push, edit }
process.on('message', (job: FloorJob) => {
  void jobs[job.kind](job).then(
    (rows) => process.send?.(rows),
    (error: unknown) => {
      process.stderr.write(`floor: ${String(error)}\n`)
      process.exit(1)
    },
  )
})
process.once('disconnect', () => process.exit(0))
