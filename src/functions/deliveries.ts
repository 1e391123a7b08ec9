import { z } from 'zod'
import type { App } from '../app.ts'
import {
  deliveryFilterShape,
  listDeliveries,
  replayDeliveries,
  replayDelivery,
  showDelivery,
} from '../webhooks/deliveries.ts'
import type { FunctionApp } from './host.ts'
import { parseBody, readBytes } from './http.ts'
import { managed, queryOf } from './management.ts'

const ROUTE = 'api/v1/deliveries'
const BODY_LIMIT = 16 * 1024
const oneShape = z.strictObject({ dryRun: z.boolean().default(false) })
const manyShape = z.strictObject({ filter: deliveryFilterShape, dryRun: z.boolean().default(true) })

export function registerDeliveries(host: FunctionApp, app: App): void {
  host.http('deliveries-list', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: ROUTE,
    handler: managed(app, 'read', async (request, { tenantId }) => {
      const filter = queryOf(request, deliveryFilterShape)
      const { deliveries, nextCursor } = await listDeliveries(
        await app.webhookManagement(),
        tenantId,
        filter,
      )
      const pagination = { limit: filter.limit, ...(nextCursor ? { nextCursor } : {}) }
      return { data: deliveries, pagination }
    }),
  })
  host.http('deliveries-show', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: `${ROUTE}/{id}`,
    handler: managed(app, 'read', async (request, { tenantId }) => ({
      data: await showDelivery(await app.webhookManagement(), tenantId, request.params['id'] ?? ''),
    })),
  })
  host.http('deliveries-replay', {
    methods: ['POST'],
    authLevel: 'anonymous',
    route: `${ROUTE}/{id}/replay`,
    handler: managed(app, 'run', async (request, { tenantId }) => {
      const bytes = await readBytes(request, BODY_LIMIT)
      const { dryRun: isDry } = bytes.length === 0 ? { dryRun: false } : parseBody(bytes, oneShape)
      const id = request.params['id'] ?? ''
      const ports = await app.webhookManagement()
      return {
        status: isDry ? 200 : 202,
        data: await replayDelivery(ports, tenantId, { id, isDry }),
      }
    }),
  })
  host.http('deliveries-replay-many', {
    methods: ['POST'],
    authLevel: 'anonymous',
    route: `${ROUTE}/replay`,
    handler: managed(app, 'run', async (request, { tenantId }) => {
      const { filter, dryRun } = parseBody(await readBytes(request, BODY_LIMIT), manyShape)
      const ports = await app.webhookManagement()
      const { replayed, nextCursor } = await replayDeliveries(ports, tenantId, {
        filter,
        isDry: dryRun,
      })
      const pagination = { limit: filter.limit, ...(nextCursor ? { nextCursor } : {}) }
      return { status: dryRun ? 200 : 202, data: replayed, pagination }
    }),
  })
}
