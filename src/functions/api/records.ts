import { z } from 'zod'
import type { App } from '../../app.ts'
import { AppError } from '../../core/errors.ts'
import { changeRecord, createRecord, deleteRecord, findRecord } from '../../sync/local-changes.ts'
import { linkId, type RecordDocument } from '../../sync/record.ts'
import { pageOf } from './page.ts'
import { operation, pageShape } from './operation.ts'
import { asJson, entityType, keyOf, typed, viewOf } from './record-view.ts'

const fields = z.record(z.string().min(1), z.json())

/** The records that a system knows by that id; in any of the tenant's systems when none is named. */
async function linkedTo(
  ports: Awaited<ReturnType<App['ports']>>,
  of: {
    readonly tenantId: string
    readonly entityType: string
    readonly externalId: string
    readonly connectionId?: string | undefined
  },
): Promise<readonly RecordDocument[]> {
  const { tenantId, entityType: type, externalId, connectionId } = of
  const connections = connectionId === undefined ? await idsOf(ports, tenantId) : [connectionId]
  const partition = [tenantId, type] as const
  const ids = connections.map((id) =>
    linkId({ tenantId, entityType: type, connectionId: id }, externalId),
  )
  const links = await ports.shards.getMany(partition, ids)
  const recordIds = links.flatMap(({ document }) =>
    document.kind === 'link' ? [document.recordId] : [],
  )
  const found = await ports.shards.getMany(partition, recordIds)
  return found.flatMap(({ document }) => (document.kind === 'record' ? [document] : []))
}

async function idsOf(
  { connections }: Awaited<ReturnType<App['ports']>>,
  tenantId: string,
): Promise<string[]> {
  const ids: string[] = []
  const anyOf = [[{ field: 'tenantId', is: '=', value: tenantId } as const]]
  for await (const { document } of connections.query({ anyOf }, [tenantId])) ids.push(document.id)
  return ids
}

export const recordOperations = [
  operation('GET records', {
    summary: 'Records of an entity type; one by its external id in a connection',
    role: 'viewer',
    query: z.object({
      entityType,
      externalId: z.string().min(1).max(500).optional(),
      connectionId: z.string().min(1).max(100).optional(),
      ...pageShape,
    }),
    run: async ({ app, caller }, { query }) => {
      const ports = await app.ports()
      const partition = [caller.tenantId, query.entityType] as const
      const { externalId, connectionId } = query
      if (externalId !== undefined) {
        const of = { ...query, externalId, tenantId: caller.tenantId }
        const found = await linkedTo(ports, of)
        return { data: found.map(viewOf), limit: query.limit }
      }
      if (connectionId !== undefined) {
        throw new AppError('bad_request', 'connectionId: expected an externalId with it')
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
]
