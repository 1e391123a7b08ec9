import { z } from 'zod'
import { latestPage } from '../../core/latest-page.ts'
import {
  changeConnection,
  connectionChangeShape,
  connectionShape,
  createConnection,
  findConnection,
  removeConnection,
} from '../../management/connections.ts'
import { secretShape } from '../../credentials/secret.ts'
import { mappingShape } from '../../sync/mapping.ts'
import { findParked, redrive, redriveMany } from '../../sync/parked.ts'
import {
  changeTask,
  createTask,
  findTask,
  removeTask,
  runTask,
  taskChangeShape,
  taskInputShape,
} from '../../sync/tasks.ts'
import { operation, pageShape, type Call } from './operation.ts'
import { pageOf } from './page.ts'

const everything = (tenantId: string) => [{ field: 'tenantId', is: '=', value: tenantId }] as const
const paged = z.object(pageShape)
const idOf = ({ caller, params, etag }: Call) => ({
  tenantId: caller.tenantId,
  id: params['id'] ?? '',
  etag,
})

const list = async (
  call: Call,
  of: 'tasks' | 'connections' | 'parked',
  query: z.infer<typeof paged>,
) => {
  const ports = await call.app.ports()
  const { tenantId } = call.caller
  return pageOf<{ readonly id: string }>(ports[of], {
    partition: [tenantId],
    conditions: everything(tenantId),
    ...query,
  })
}

const parkedFilter = z.object({
  kind: z.enum(['row', 'message', 'push', 'deletes']).optional(),
  taskId: z.string().optional(),
  code: z.string().optional(),
})

export const runningOperations = [
  operation('GET sync-tasks', {
    summary: 'Tasks with what they are doing',
    role: 'viewer',
    query: paged,
    run: (call, { query }) => list(call, 'tasks', query),
  }),
  operation('POST sync-tasks', {
    summary: 'Makes a task for a connection',
    role: 'admin',
    status: 201,
    body: taskInputShape,
    run: async ({ app, caller: { tenantId } }, { body }) => {
      const ports = await app.ports()
      const { document } = await findConnection(ports, tenantId, body.connectionId)
      const of = { tenantId, integrationId: document.integrationId }
      const task = await createTask(ports, of, body)
      return { data: task.document, etag: task.etag, location: `sync-tasks/${task.document.id}` }
    },
  }),
  operation('GET sync-tasks/{id}', {
    summary: 'One task',
    role: 'viewer',
    run: async (call) => {
      const { tenantId, id } = idOf(call)
      const { document, etag } = await findTask(await call.app.ports(), { tenantId, id })
      return { data: document, etag }
    },
  }),
  operation('PATCH sync-tasks/{id}', {
    summary: 'Changes a task, or switches it off and on',
    role: 'admin',
    body: taskChangeShape,
    run: async (call, { body }) => {
      const { document, etag } = await changeTask(await call.app.ports(), idOf(call), body)
      return { data: document, etag }
    },
  }),
  operation('DELETE sync-tasks/{id}', {
    summary: 'Removes a task; what it brought stays',
    role: 'admin',
    status: 204,
    run: async (call) => {
      await removeTask(await call.app.ports(), idOf(call))
      return {}
    },
  }),
  operation('POST sync-tasks/{id}/run', {
    summary: 'Queues a run now; `fromStart=true` reads everything again, not only what is new',
    role: 'operator',
    status: 202,
    query: z.object({ fromStart: z.stringbool().optional() }),
    run: async (call, { query }) => ({
      data: await runTask(await call.app.ports(), idOf(call), query),
    }),
  }),
  operation('GET connections', {
    summary: 'Connections, without their secrets',
    role: 'viewer',
    query: paged,
    run: (call, { query }) => list(call, 'connections', query),
  }),
  operation('POST connections', {
    summary: 'Makes a connection; the secret goes to the vault and never comes back',
    role: 'admin',
    status: 201,
    body: connectionShape.extend({ credential: secretShape }),
    run: async ({ app, caller }, { body: { credential, ...input } }) => {
      const ports = await app.connectionPorts(credential)
      const { document, etag } = await createConnection(ports, caller.tenantId, input)
      return { data: document, etag, location: `connections/${document.id}` }
    },
  }),
  operation('GET connections/{id}', {
    summary: 'One connection',
    role: 'viewer',
    run: async (call) => {
      const { tenantId, id } = idOf(call)
      const { document, etag } = await findConnection(await call.app.ports(), tenantId, id)
      return { data: document, etag }
    },
  }),
  operation('PATCH connections/{id}', {
    summary: 'Changes the label or the configuration',
    role: 'admin',
    body: connectionChangeShape,
    run: async (call, { body }) => {
      const { document, etag } = await changeConnection(
        await call.app.connectionPorts(),
        idOf(call),
        body,
      )
      return { data: document, etag }
    },
  }),
  operation('DELETE connections/{id}', {
    summary: 'Switches its tasks off, ends the credential at the vendor, removes the connection',
    role: 'admin',
    status: 204,
    run: async (call) => {
      await removeConnection(await call.app.connectionPorts(), idOf(call))
      return {}
    },
  }),
  operation('POST connections/{id}/test', {
    summary: 'Asks the vendor for one row and its fields and says what is wrong',
    role: 'operator',
    body: z
      .object({
        entityType: z.string().min(1).max(100).optional(),
        mapping: mappingShape.optional(),
      })
      .prefault({}),
    run: async (call, { body }) => {
      const { tenantId, id } = idOf(call)
      const { document } = await findConnection(await call.app.ports(), tenantId, id)
      const configured = Object.keys(document.config.streams ?? {})[0]
      const entityType = body.entityType ?? configured ?? 'incident'
      return { data: await call.app.testConnection(document, { ...body, entityType }) }
    },
  }),
  operation('GET connections/{id}/fields', {
    summary: 'The fields that the vendor has of a kind of record, for who writes a mapping',
    role: 'operator',
    query: z.object({
      entityType: z.string().min(1).max(100),
      /** The vendor's word for it: a table, an object, a repository. */
      object: z.string().min(1).max(200).optional(),
    }),
    run: async (call, { query }) => {
      const { tenantId, id } = idOf(call)
      const { document } = await findConnection(await call.app.ports(), tenantId, id)
      return { data: await call.app.discoverFields(document, query) }
    },
  }),
  operation('GET results', {
    summary: 'What ran and what was pushed in the last thirty days, the latest first',
    role: 'viewer',
    query: paged.extend({
      taskId: z.string().optional(),
      integrationId: z.string().optional(),
      status: z.string().optional(),
    }),
    run: async ({ app, caller: { tenantId } }, { query: { limit, cursor, ...fields } }) => {
      const { results } = await app.ports()
      const wanted = Object.entries(fields).flatMap(([field, value]) =>
        value === undefined ? [] : [{ field, is: '=', value } as const],
      )
      const conditions = [...everything(tenantId), ...wanted]
      const partition = [tenantId]
      const of = { by: 'executedAt', partition, conditions, limit, cursor } as const
      const { page, next } = await latestPage(results, of)
      return { data: page.map(({ document }) => document), limit, nextCursor: next?.() }
    },
  }),
  operation('GET parked', {
    summary: 'Rows, records, deletions and messages that could not be taken, with the reason',
    role: 'viewer',
    query: paged,
    run: (call, { query }) => list(call, 'parked', query),
  }),
  operation('POST parked/redrive', {
    summary: 'Sends all that match again, so many at a time; a dry run only counts',
    role: 'operator',
    status: 202,
    body: parkedFilter.extend({
      dryRun: z.boolean().default(true),
      limit: z.int().min(1).max(500).default(100),
    }),
    run: async ({ app, caller }, { body }) => ({
      data: await redriveMany(await app.ports(), caller.tenantId, body),
    }),
  }),
  operation('POST parked/{id}/redrive', {
    summary: 'Sends one again',
    role: 'operator',
    status: 202,
    run: async (call) => {
      const { tenantId, id } = idOf(call)
      await redrive(await call.app.ports(), tenantId, id)
      return {}
    },
  }),
  operation('DELETE parked/{id}', {
    summary: 'Drops one',
    role: 'operator',
    status: 204,
    run: async (call) => {
      const { tenantId, id } = idOf(call)
      const ports = await call.app.ports()
      const { document, etag } = await findParked(ports, tenantId, id)
      await ports.parked.write([tenantId], [{ kind: 'remove', document, etag }])
      return {}
    },
  }),
]
