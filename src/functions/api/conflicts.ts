import { z } from 'zod'
import { AppError } from '../../core/errors.ts'
import { findConflict, resolveOpenConflict } from '../../sync/review.ts'
import { operation, pageShape, type Call } from './operation.ts'
import { pageOf } from './page.ts'
import { asJson, entityType, keyOf, typed, viewOf } from './record-view.ts'

/** Conflicts are found by their id alone, too. */
async function conflictKey(call: Call, type: string | undefined) {
  if (type !== undefined) return keyOf(call, type)
  const { tenantId } = call.caller
  const id = call.params['id'] ?? ''
  const anyOf = [
    [
      { field: 'tenantId', is: '=', value: tenantId },
      { field: 'id', is: '=', value: id },
      { field: 'kind', is: '=', value: 'conflict' },
    ] as const,
  ]
  const { shards } = await call.app.ports()
  for await (const { document } of shards.query({ anyOf, limit: 1 })) {
    if (document.kind === 'conflict') return keyOf(call, document.entityType)
  }
  throw new AppError('not_found', `there is no conflict ${id}`)
}

export const conflictOperations = [
  operation('GET conflicts', {
    summary: 'Conflicts with base, local and external value',
    role: 'viewer',
    query: z.object({
      entityType: entityType.optional(),
      status: z.enum(['open', 'resolved']).default('open'),
      ...pageShape,
    }),
    run: async ({ app, caller: { tenantId } }, { query }) =>
      pageOf((await app.ports()).shards, {
        ...query,
        partition: query.entityType === undefined ? undefined : [tenantId, query.entityType],
        conditions: [
          { field: 'tenantId', is: '=', value: tenantId },
          { field: 'kind', is: '=', value: 'conflict' },
          { field: 'status', is: '=', value: query.status },
        ],
      }),
  }),
  operation('GET conflicts/{id}', {
    summary: 'One conflict',
    role: 'viewer',
    query: typed.partial(),
    run: async (call, { query }) => {
      const ports = await call.app.ports()
      const { document, etag } = await findConflict(
        ports,
        await conflictKey(call, query.entityType),
      )
      return { data: document, etag }
    },
  }),
  operation('POST conflicts/{id}/resolve', {
    summary: 'Decides a conflict; a decision about values that have moved on is refused',
    role: 'operator',
    query: typed.partial(),
    body: z.discriminatedUnion('choice', [
      z.object({ choice: z.enum(['local', 'external']) }),
      z.object({ choice: z.literal('value'), value: z.json() }),
    ]),
    run: async (call, { query, body }) => {
      const { etag, caller } = call
      const choose = body.choice === 'value' ? { ...body, value: asJson(body.value) } : body
      const ports = await call.app.ports()
      const decision = { by: caller.subject, etag, choose }
      const key = await conflictKey(call, query.entityType)
      const stored = await resolveOpenConflict(ports, key, decision)
      return { data: viewOf(stored.document), etag: stored.etag }
    },
  }),
]
