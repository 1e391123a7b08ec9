import topology from '../../src/topology.json' with { type: 'json' }
import { openCosmos, type CosmosDatabase } from '../../src/adapters/cosmos.ts'
import { openServiceBus, type ServiceBus } from '../../src/adapters/service-bus.ts'
import { MAX_WRITES, type Collection, type Stored } from '../../src/core/collection.ts'
import { newId } from '../../src/core/ids.ts'
import { changeLocally } from '../../src/sync/merge.ts'
import type { RecordDocument, ShardDocument } from '../../src/sync/record.ts'
import type { OutboundMessage } from '../../src/sync/task.ts'
import { demo } from '../../infra/local/demo.ts'
import { beside, type Bench, type Figure } from './harness.ts'
import { startFloor } from './floor.ts'
import { seedTenant, spent, startMeasured, type Measured, type Spent } from './tenants.ts'

const ROWS = 1_000
const EDITS = 100
const ours = 'ours'
const bare = 'floor'

interface Shelves {
  readonly shards: Collection<ShardDocument>
  readonly bus: ServiceBus
}

/** Edits of our own on their way to the instance, from the outbox to the vendor's answer stored. */
export const outbound: Bench = {
  name: 'outbound',
  summary: `${ROWS} edited records pushed to the instance; and ${EDITS} single edits through the API: request units, messages`,
  run: async (progress, rounds) => {
    await using measured = await startMeasured({ serviceNow: { count: ROWS } })
    using floor = startFloor(measured.stack)
    using cosmos = openDatabase(measured)
    const { SERVICE_BUS_CONNECTION_STRING: connectionString = '' } = measured.stack.settings
    await using bus = openServiceBus({ connectionString })
    const shelves = {
      shards: cosmos.collection<ShardDocument>(topology.containers.shards.name),
      bus,
    }
    progress(`${ROWS} rows are pulled`)
    await seedTenant(measured, ours, 'bidirectional')
    await measured.pull(ours)
    await floor.run({ kind: 'pull', tenantId: bare })
    const pairs: { readonly ours: Spent; readonly floor: Spent }[] = []
    for (let round = 0; round <= rounds; round += 1) {
      progress(round === 0 ? 'warming up' : `round ${round} of ${rounds}`)
      const pair = {
        ours: await pushOurs(measured, shelves, round),
        floor: await pushBare(measured, shelves, {
          round,
          push: () => floor.run({ kind: 'push', tenantId: bare }),
        }),
      }
      if (round > 0) pairs.push(pair)
    }
    progress(`${EDITS} edits through the API`)
    const bareEdits = await spent(measured, async () => {
      const rows = await floor.run({ kind: 'edit', tenantId: bare })
      if (rows !== EDITS) throw new Error(`the floor edited ${rows} rows`)
    })
    const edits = await editSingly(measured, shelves, bareEdits)
    return [...figuresOf(pairs), ...edits]
  },
}

function openDatabase({ stack }: Measured): CosmosDatabase {
  const { COSMOS_ENDPOINT: endpoint = '', COSMOS_KEY: key = '' } = stack.settings
  return openCosmos({ endpoint, database: topology.database, auth: { key } })
}

async function records({ shards }: Shelves, tenantId: string): Promise<Stored<RecordDocument>[]> {
  const found: Stored<RecordDocument>[] = []
  const isRecord = { field: 'kind', is: '=', value: 'record' } as const
  for await (const { document, etag } of shards.query({ anyOf: [[isRecord]] }, [
    tenantId,
    demo.entityType,
  ])) {
    if (document.kind === 'record') found.push({ document, etag })
  }
  return found
}

/** Changes every record of a tenant as an edit would, outbox included, and tells nobody. */
async function editAll(
  shelves: Shelves,
  tenantId: string,
  change: (record: RecordDocument) => RecordDocument,
): Promise<string> {
  const all = await records(shelves, tenantId)
  for (let start = 0; start < all.length; start += MAX_WRITES) {
    const writes = all.slice(start, start + MAX_WRITES).map(({ document, etag }) => {
      const changed = { ...change(document), pending: [tenantId] }
      return { kind: 'replace', document: changed, etag } as const
    })
    const { committed } = await shelves.shards.write([tenantId, demo.entityType], writes)
    if (!committed) throw new Error('somebody else edits too')
  }
  return all[0]?.document.id ?? ''
}

async function pushOurs(measured: Measured, shelves: Shelves, round: number): Promise<Spent> {
  // The floor has written to the same rows: read them first, so that no edit meets a conflict.
  await measured.pull(ours)
  const text = `edited ${round}`
  const entityId = await editAll(shelves, ours, (record) => {
    const context = { by: 'local', now: new Date() }
    return changeLocally(record, { shortDescription: text }, context).record
  })
  const body: OutboundMessage = {
    integrationId: 'servicenow',
    tenantId: ours,
    connectionId: ours,
    entityType: demo.entityType,
    entityId,
    operation: 'update',
    changes: {},
    correlationId: newId('bench'),
    enqueuedAt: new Date().toISOString(),
    hop: 0,
    deferrals: 0,
  }
  const took = await spent(measured, async () => {
    const finished = measured.said(
      ({ message, tenantId }) => message === 'push finished' && tenantId === ours,
    )
    await shelves.bus.queue(topology.queues.outbound.name).send([{ id: newId('bench'), body }])
    await finished
  })
  expectOnInstance(measured, text)
  return took
}

async function pushBare(
  measured: Measured,
  shelves: Shelves,
  { round, push }: { readonly round: number; readonly push: () => Promise<number> },
): Promise<Spent> {
  const text = `bare ${round}`
  await editAll(shelves, bare, (record) => ({
    ...record,
    fields: { ...record.fields, short_description: text },
  }))
  const took = await spent(measured, push)
  expectOnInstance(measured, text)
  return took
}

function expectOnInstance({ stack }: Measured, text: string): void {
  const there = stack.serviceNow.control
    .rows(demo.entityType)
    .filter((row) => row['short_description'] === text)
  if (there.length !== ROWS) throw new Error(`${there.length} of ${ROWS} edits are on the instance`)
}

/** Edits as operators make them, one after another, each on its way before the next. */
async function editSingly(
  measured: Measured,
  shelves: Shelves,
  floor: Spent,
): Promise<readonly Figure[]> {
  await measured.pull(ours)
  const { stack, functions } = measured
  const caller = { subject: 'bench', tenantId: ours, roles: ['operator'] }
  const { token } = await stack.issuer.control.mint(caller)
  const ids = (await records(shelves, ours)).slice(0, EDITS).map(({ document }) => document.id)
  const { messages, requestUnits } = await spent(measured, async () => {
    for (const [index, id] of ids.entries()) {
      const query = `entityType=${demo.entityType}`
      const answer = await fetch(`${functions.url}/api/v1/records/${id}?${query}`, {
        method: 'PATCH',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ fields: { shortDescription: `single ${index}` } }),
      })
      if (!answer.ok) throw new Error(`an edit was answered ${answer.status}`)
      while (!isThere(measured, `single ${index}`)) await new Promise(setImmediate)
    }
  })
  return [
    { name: 'outbound_edit_messages', value: messages / EDITS, unit: 'messages/edit', floor: 1 },
    {
      name: 'outbound_edit_charge',
      value: requestUnits / EDITS,
      unit: 'RU/edit',
      floor: floor.requestUnits / EDITS,
    },
  ]
}

function isThere({ stack }: Measured, text: string): boolean {
  return stack.serviceNow.control
    .rows(demo.entityType)
    .some((row) => row['short_description'] === text)
}

function figuresOf(
  pairs: readonly { readonly ours: Spent; readonly floor: Spent }[],
): readonly Figure[] {
  const both = (name: string, unit: string, value: (spent: Spent) => number): Figure =>
    beside(
      { name, unit },
      {
        values: pairs.map((pair) => value(pair.ours)),
        floors: pairs.map((pair) => value(pair.floor)),
      },
    )
  return [
    both('outbound_update', 'rows/s', ({ ms }) => ROWS / (ms / 1_000)),
    both('outbound_update_charge', 'RU/row', ({ requestUnits }) => requestUnits / ROWS),
  ]
}
