import { createHash } from 'node:crypto'
import type { App } from '../app.ts'
import { AppError } from '../core/errors.ts'
import { serviceNowEventShape } from '../notifications/event.ts'
import { schemes } from '../webhooks/schemes.ts'
import { verifyWebhookSignature } from '../webhooks/verify.ts'
import type { FunctionApp } from './host.ts'
import { httpHandler, parseBody, readBytes, refusalOf, sourceIpOf } from './http.ts'
import { invocationLog } from './observe.ts'

const BODY_LIMIT = 1024 * 1024

export function registerServiceNowWebhook(host: FunctionApp, app: App): void {
  host.http('servicenow-webhook', {
    methods: ['POST'],
    authLevel: 'function',
    route: 'api/servicenow-webhook',
    handler: httpHandler(async (request, context) => {
      const sourceIp = sourceIpOf(request, app.settings.limits.trustedProxyHops)
      const call = { endpoint: 'servicenow-webhook', source: sourceIp } as const
      const refusal = await refusalOf(app, { ...call, registration: call.endpoint }, context)
      if (refusal) return refusal
      const rawBody = await readBytes(request, BODY_LIMIT)
      const verdict = verifyWebhookSignature(schemes['servicenow-business-rule'], {
        method: request.method,
        url: request.url,
        headers: Object.fromEntries(request.headers),
        rawBody,
        now: app.clock(),
        secrets: [app.settings.webhookSecret],
      })
      invocationLog.metric('webhook_received', 1, { verified: verdict.valid })
      if (!verdict.valid) {
        invocationLog.warn('a webhook was refused', { reason: verdict.reason })
        throw new AppError('invalid_signature', 'Invalid signature')
      }
      const event = parseBody(rawBody, serviceNowEventShape)
      const digest = createHash('sha256').update(rawBody).digest('base64url')
      const delivery = await app.receiveEvent({ event, digest, sourceIp })
      invocationLog.info(`webhook ${delivery.status}`, {
        deliveryId: delivery.id,
        table: delivery.table,
      })
      return { status: 200, jsonBody: { received: true } }
    }),
  })
}
