import { z } from 'zod'
import type { App } from '../app.ts'
import { AppError } from '../core/errors.ts'
import type { FunctionApp } from './host.ts'
import { callerOf, httpHandler, parseBody, readBytes, refusalOf, sourceIpOf } from './http.ts'

const BODY_LIMIT = 16 * 1024

/** A stock SignalR client that is given our address posts no body, and `/negotiate` behind it. */
const requestShape = z.object({
  userId: z.string().min(1).optional(),
  service: z.enum(['signalr', 'web-pubsub']).optional(),
})

export function registerSignalRNegotiate(host: FunctionApp, app: App): void {
  host.http('signalr-negotiate', {
    methods: ['POST'],
    authLevel: 'anonymous',
    route: 'api/signalr-negotiate/{*rest}',
    handler: httpHandler(async (request, context) => {
      const endpoint = 'signalr-negotiate'
      const source = sourceIpOf(request, app.settings.limits.trustedProxyHops)
      const early = await refusalOf(app, { endpoint, source }, context)
      if (early) return early
      const caller = await callerOf(request, app.verifyBearer)
      const who = { tenantId: caller.tenantId, userId: caller.userId }
      const refusal = await refusalOf(app, { endpoint, ...who }, context)
      if (refusal) return refusal
      const bytes = await readBytes(request, BODY_LIMIT)
      const { userId = caller.userId, service } =
        bytes.length === 0 ? {} : parseBody(bytes, requestShape)
      if (userId !== caller.userId) {
        throw new AppError('forbidden', 'the token is of another user than userId')
      }
      const adminOf = caller.roles.includes('admin') ? caller.tenantId : undefined
      return { status: 200, jsonBody: await app.negotiate({ userId, service, adminOf }) }
    }),
  })
}
