import type { HttpRequest } from '@azure/functions'
import { z } from 'zod'
import type { App } from '../app.ts'
import { AppError } from '../core/errors.ts'
import type { FunctionApp } from './host.ts'
import { admittedCaller, httpHandler } from './http.ts'

const labelShape = z.string().trim().min(1).max(100)

/**
 * `GET /api/oauth/authorize/{connectionId}` sends an operator's browser to the vendor; with `?device=name` it answers a
 * phone `{ url, sessionToken }` instead: the token works once the person has consented.
 */
export function registerOAuthAuthorize(host: FunctionApp, app: App): void {
  host.http('oauth-authorize', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: 'api/oauth/authorize/{connectionId}',
    handler: httpHandler(async (request) => {
      const caller = await admittedCaller(app, request)
      const label = request.query.get('device')
      const deviceLabel = label === null ? undefined : labelShape.safeParse(label).data
      if (label !== null && deviceLabel === undefined) {
        throw new AppError('bad_request', 'device must be a name of 1 to 100 characters')
      }
      const credentials = await app.credentials()
      const { url, sessionToken } = await credentials.startAuthorization({
        caller,
        connectionId: request.params['connectionId'] ?? '',
        redirectUri: `${publicOrigin(app, request)}/api/oauth/callback`,
        deviceLabel,
      })
      const headers = { 'cache-control': 'no-store' }
      return sessionToken === undefined
        ? { status: 302, headers: { ...headers, location: url } }
        : { status: 200, headers, jsonBody: { url, sessionToken } }
    }),
  })
}

/** Where the vendor sends the browser back. A host that a caller names is believed on one's own machine only. */
function publicOrigin({ settings }: App, request: HttpRequest): string {
  if (settings.publicUrl !== undefined) return settings.publicUrl
  const { origin, hostname } = new URL(request.url)
  if (hostname === '127.0.0.1' || hostname === 'localhost') return origin
  throw new AppError('bad_request', 'PUBLIC_URL is not set: the vendor cannot send anybody back')
}
