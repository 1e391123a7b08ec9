import type { HttpRequest } from '@azure/functions'
import { z } from 'zod'
import type { App } from '../app.ts'
import { AppError } from '../core/errors.ts'
import { authorizationId } from '../credentials/authorization.ts'
import { endedCookie, proofOf } from './authorization-cookie.ts'
import type { FunctionApp } from './host.ts'
import { admitted, bearerOf, httpHandler, sourceIpOf } from './http.ts'
import { invocationLog } from './observe.ts'

const queryShape = z.object({
  state: z.string().min(1).max(500),
  code: z.string().min(1).max(4_000).optional(),
  error: z.string().max(200).optional(),
  iss: z.string().max(500).optional(),
})

const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Connected</title>
<p>Connected. You can close this window.</p></html>`

/**
 * `GET /api/oauth/callback`: where a vendor sends the browser back (RFC 6749 §4.1.2). Answers only to whoever began: a
 * browser by its cookie, a phone's app by its session token. Nothing of the address is shown or logged.
 */
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
      const id = authorizationId(parsed.data.state)
      const credentials = await app.credentials()
      const { purpose, startedBy } = await credentials.completeAuthorization({
        ...parsed.data,
        proof: shownBy(request, id),
      })
      const { tenantId, connectionId, device } = purpose
      invocationLog.info('a connection was authorized', {
        tenantId,
        connectionId,
        startedBy,
        device: device !== undefined,
      })
      return {
        status: 200,
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': "default-src 'none'",
          'cache-control': 'no-store',
          // The address of this page holds the code.
          'referrer-policy': 'no-referrer',
          'set-cookie': endedCookie(id),
        },
        body: PAGE,
      }
    }),
  })
}

function shownBy(request: HttpRequest, id: string): string | undefined {
  return request.headers.has('authorization') ? bearerOf(request) : proofOf(request, id)
}
