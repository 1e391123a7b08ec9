import { z } from 'zod'
import type { JsonObject } from '../../core/canonical-json.ts'
import { originOf } from '../../sync/draft.ts'
import { changeRecord, createRecord, deleteRecord, findRecord } from '../../sync/local-changes.ts'
import { linkId, type RecordDocument } from '../../sync/record.ts'
import { findConflict, resolveOpenConflict } from '../../sync/review.ts'
import { pageOf } from './page.ts'
import { operation, pageShape, type Call } from './operation.ts'

const entityType = z.string().min(1).max(100)
const fields = z.record(z.string().min(1), z.json())
const typed = z.object({ entityType })

function keyOf({ caller, params }: Call, type: string) {
  return { tenantId: caller.tenantId, entityType: type, id: params['id'] ?? '' }
}

/** A record as an operator sees it, with each field's origin. */
function viewOf(record: RecordDocument) {
  const { id, entityType: type, rev, fields: values, deleted, pending } = record
  const origins = Object.fromEntries(
    Object.keys(values).map((name) => {
      const { by, at } = originOf(record, name)
      return [name, { by, at }]
    }),
  )
  const links = Object.entries(record.links).map(([connectionId, link]) => ({
    connectionId,
    externalId: link.externalId,
    goneAt: link.goneAt ?? null,
    parked: link.parked ?? null,
    inReview: Object.keys(link.held),
  }))
  const { createdAt, updatedAt } = record
  return {
    id,
    entityType: type,
    rev,
    fields: values,
    origins,
    links,
    deleted,
    pending,
    createdAt,
    updatedAt,
  }
}

const asJson = (value: unknown) => value as JsonObject // z.json() holds nothing else

export const recordOperations = [
  operation('GET records', {
    summary: 'Records of an entity type; one by its external id in a connection',
    role: 'viewer',
    query: z
      .object({ entityType, ...pageShape })
      .and(
        z.union([
          z.object({ externalId: z.undefined().optional() }),
          z.object({ externalId: z.string().min(1), connectionId: z.string().min(1) }),
        ]),
      ),
    run: async ({ app, caller }, { query }) => {
      const ports = await app.ports()
      const partition = [caller.tenantId, query.entityType] as const
      if (query.externalId !== undefined) {
        const key = {
          tenantId: caller.tenantId,
          entityType: query.entityType,
          connectionId: query.connectionId,
        }
        const link = await ports.shards.get(partition, linkId(key, query.externalId))
        if (link?.document.kind !== 'link') return { data: [] }
        const { document } = await findRecord(ports, { ...key, id: link.document.recordId })
        return { data: [viewOf(document)] }
      }
      const kind = [{ field: 'kind', is: '=', value: 'record' }] as const
      const page = await pageOf(ports.shards, { partition, conditions: kind, ...query })
      return {
        ...page,
        data: page.data.flatMap((one) => (one.kind === 'record' ? [viewOf(one)] : [])),
      }
    },
  }),
  operation('POST records', {
    summary: 'Makes a record, which goes to every connection that is pushed to',
    role: 'operator',
    status: 201,
    body: z.object({ entityType, fields }),
    run: async ({ app, caller }, { body }) => {
      const of = { tenantId: caller.tenantId, entityType: body.entityType, by: 'local' }
      const { document, etag } = await createRecord(await app.ports(), of, asJson(body.fields))
      return {
        data: viewOf(document),
        etag,
        location: `records/${document.id}?entityType=${body.entityType}`,
      }
    },
  }),
  operation('GET records/{id}', {
    summary: 'One record with its links and the origin of each field',
    role: 'viewer',
    query: typed,
    run: async (call, { query }) => {
      const ports = await call.app.ports()
      const { document, etag } = await findRecord(ports, keyOf(call, query.entityType))
      return { data: viewOf(document), etag }
    },
  }),
  operation('PATCH records/{id}', {
    summary: 'Changes fields of a record; null empties one',
    role: 'operator',
    query: typed,
    body: z.object({ fields }),
    run: async (call, { query, body }) => {
      const change = { by: 'local', etag: call.etag, fields: asJson(body.fields) }
      const ports = await call.app.ports()
      const { document, etag } = await changeRecord(ports, keyOf(call, query.entityType), change)
      return { data: viewOf(document), etag }
    },
  }),
  operation('DELETE records/{id}', {
    summary: 'Deletes a record here and wherever it is linked',
    role: 'operator',
    status: 204,
    query: typed,
    run: async (call, { query }) => {
      const change = { by: 'local', etag: call.etag }
      await deleteRecord(await call.app.ports(), keyOf(call, query.entityType), change)
      return {}
    },
  }),
  operation('GET conflicts', {
    summary: 'Conflicts with base, local and external value',
    role: 'viewer',
    query: z.object({
      entityType,
      status: z.enum(['open', 'resolved']).default('open'),
      ...pageShape,
    }),
    run: async ({ app, caller }, { query }) =>
      pageOf((await app.ports()).shards, {
        ...query,
        partition: [caller.tenantId, query.entityType],
        conditions: [
          { field: 'kind', is: '=', value: 'conflict' },
          { field: 'status', is: '=', value: query.status },
        ],
      }),
  }),
  operation('GET conflicts/{id}', {
    summary: 'One conflict',
    role: 'viewer',
    query: typed,
    run: async (call, { query }) => {
      const ports = await call.app.ports()
      const { document, etag } = await findConflict(ports, keyOf(call, query.entityType))
      return { data: document, etag }
    },
  }),
  operation('POST conflicts/{id}/resolve', {
    summary: 'Decides a conflict; a decision about values that have moved on is refused',
    role: 'operator',
    query: typed,
    body: z.discriminatedUnion('choice', [
      z.object({ choice: z.enum(['local', 'external']) }),
      z.object({ choice: z.literal('value'), value: z.json() }),
    ]),
    run: async (call, { query, body }) => {
      const { etag, caller } = call
      const choose = body.choice === 'value' ? { ...body, value: asJson(body.value) } : body
      const ports = await call.app.ports()
      const decision = { by: caller.subject, etag, choose }
      const stored = await resolveOpenConflict(ports, keyOf(call, query.entityType), decision)
      return { data: viewOf(stored.document), etag: stored.etag }
    },
  }),
]
