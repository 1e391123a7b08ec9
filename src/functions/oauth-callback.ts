import { z } from 'zod'
import type { App } from '../app.ts'
import { AppError } from '../core/errors.ts'
import type { FunctionApp } from './host.ts'
import { admitted, httpHandler, sourceIpOf } from './http.ts'
import { invocationLog } from './observe.ts'

const queryShape = z.object({
  state: z.string().min(1).max(500),
  code: z.string().min(1).max(4_000).optional(),
  error: z.string().max(200).optional(),
})

const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Connected</title>
<p>Connected. You can close this window.</p></html>`

/** `GET /api/oauth/callback`: where a vendor sends the browser back (RFC 6749 §4.1.2). */
export function registerOAuthCallback(host: FunctionApp, app: App): void {
  host.http('oauth-callback', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: 'api/oauth/callback',
    handler: httpHandler(async (request) => {
      const source = sourceIpOf(request, app.settings.limits.trustedProxyHops)
      await admitted(app, { endpoint: 'management', source })
      const parsed = queryShape.safeParse(Object.fromEntries(request.query))
      if (!parsed.success) throw new AppError('bad_request', 'state and code are required')
      const credentials = await app.credentials()
      const { tenantId, connectionId, device } = await credentials.completeAuthorization(
        parsed.data,
      )
      invocationLog.info('a connection was authorized', {
        tenantId,
        connectionId,
        device: device !== undefined,
      })
      return {
        status: 200,
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'cache-control': 'no-store',
          // The address of this page holds the code.
          'referrer-policy': 'no-referrer',
        },
        body: PAGE,
      }
    }),
  })
}
