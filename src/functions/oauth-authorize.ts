import type { HttpRequest } from '@azure/functions'
import { z } from 'zod'
import type { App } from '../app.ts'
import { AppError } from '../core/errors.ts'
import { cookieOf } from './authorization-cookie.ts'
import type { FunctionApp } from './host.ts'
import { admittedCaller, httpHandler } from './http.ts'

const labelShape = z.string().trim().min(1).max(100)

/**
 * `GET /api/oauth/authorize/{connectionId}` sends an operator's browser to the vendor, with a cookie without which nobody
 * can end what it began; a page's script that accepts JSON gets `{ url }` and the cookie. With `?device=name` it answers a
 * phone `{ url, sessionToken }`: the app opens the address in a browser, catches the address that it comes back to
 * (RFC 8252 §7.2) and calls that itself with the session token, which works from then on.
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
      const { id, url, proof, sessionToken } = await credentials.startAuthorization({
        caller,
        connectionId: request.params['connectionId'] ?? '',
        redirectUri: `${publicOrigin(app, request)}/api/oauth/callback`,
        deviceLabel,
      })
      const headers = { 'cache-control': 'no-store' }
      if (sessionToken !== undefined) {
        return { status: 200, headers, jsonBody: { url, sessionToken } }
      }
      const bound = { ...headers, 'set-cookie': cookieOf(id, proof) }
      return request.headers.get('accept')?.includes('application/json')
        ? { status: 200, headers: bound, jsonBody: { url } }
        : { status: 302, headers: { ...bound, location: url } }
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
