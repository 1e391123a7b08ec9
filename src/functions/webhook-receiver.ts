import type { HttpRequest, HttpResponseInit } from '@azure/functions'
import type { App } from '../app.ts'
import { AppError } from '../core/errors.ts'
import type { Answer } from '../webhooks/answers.ts'
import type { Receipt } from '../webhooks/receive.ts'
import type { FunctionApp } from './host.ts'
import { httpHandler, readBytes, refusalOf, sourceIpOf } from './http.ts'
import { invocationLog } from './observe.ts'

/** All but POST are for handshakes. */
const methods = ['GET' as const, 'HEAD' as const, 'POST' as const, 'OPTIONS' as const]

export function registerWebhookReceiver(host: FunctionApp, app: App): void {
  host.http('WebhookReceiver', {
    methods,
    authLevel: 'anonymous',
    route: 'webhooks/{registrationId}/{*path}',
    handler: httpHandler(async (request, context) => {
      const registrationId = request.params['registrationId'] ?? ''
      const sourceIp = sourceIpOf(request, app.settings.limits.trustedProxyHops)
      const refusal = await refusalOf(app, { endpoint: 'webhooks', source: sourceIp }, context)
      if (refusal) return refusal
      const receipt = await app.receiveWebhook({
        registrationId,
        method: request.method,
        target: targetOf(request),
        headers: Object.fromEntries(request.headers),
        sourceIp,
        readBody: (limit) => readBytes(request, limit),
      })
      invocationLog.metric('webhook_received', 1, {
        registrationId,
        verified: receipt.kind === 'accepted' || receipt.kind === 'unreadable',
        outcome: receipt.kind,
      })
      return answerOf(receipt, context.invocationId)
    }),
  })
  host.http('webhook-receiver-without-id', {
    methods,
    authLevel: 'anonymous',
    route: 'webhooks',
    handler: httpHandler(async () => {
      throw new AppError('bad_request', 'the address names no registration')
    }),
  })
}

/** As the sender wrote it: some sign it. */
function targetOf({ url }: HttpRequest): string {
  return url.replace(/^[a-z]+:\/\/[^/?#]*/i, '')
}

function answerOf(receipt: Receipt, correlationId: string): HttpResponseInit {
  const refusal = (status: number, code: string, error: string) => ({
    status,
    jsonBody: { error, code, correlationId },
  })
  switch (receipt.kind) {
    case 'accepted': {
      const { eventType, entityId, synced } = receipt
      return { status: 200, jsonBody: { success: true, eventType, entityId, synced } }
    }
    case 'answered':
      return written(receipt.answer)
    case 'unreadable':
      return refusal(400, 'bad_request', receipt.reason)
    case 'refused':
      return refusal(401, 'invalid_signature', 'Invalid signature')
    case 'unknown_registration':
      return refusal(404, 'registration_not_found', 'Unknown registration')
    case 'method_not_allowed':
      return {
        ...refusal(405, 'bad_request', 'deliveries come by POST'),
        headers: { allow: 'POST' },
      }
    case 'limited': {
      const seconds = Math.ceil(receipt.waitMs / 1_000)
      return {
        ...refusal(429, 'rate_limited', 'Too many requests'),
        headers: { 'retry-after': String(seconds) },
      }
    }
  }
}

function written({ status, contentType, headers, body }: Answer): HttpResponseInit {
  const type = contentType === undefined ? {} : { 'content-type': contentType }
  return { status, headers: { ...headers, ...type }, ...(body === '' ? {} : { body }) }
}
