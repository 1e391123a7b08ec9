import type { App } from '../app.ts'
import type { FunctionApp } from './host.ts'
import { admitted, bearerOf, httpHandler, sourceIpOf } from './http.ts'

/** `GET /api/oauth/sessions` lists the caller's phones, `DELETE /api/oauth/sessions/{id}` ends one. */
export function registerDeviceSessions(host: FunctionApp, app: App): void {
  host.http('device-sessions', {
    methods: ['GET', 'DELETE'],
    authLevel: 'anonymous',
    route: 'api/oauth/sessions/{id?}',
    handler: httpHandler(async (request) => {
      const source = sourceIpOf(request, app.settings.limits.trustedProxyHops)
      await admitted(app, { endpoint: 'management', source })
      const credentials = await app.credentials()
      const caller = await credentials.deviceCaller(bearerOf(request), app.verifyBearer)
      const person = { tenantId: caller.tenantId, userSysId: caller.userId }
      if (request.method === 'GET') {
        return { status: 200, jsonBody: { sessions: await credentials.listSessions(person) } }
      }
      await credentials.revokeSession({ ...person, id: request.params['id'] ?? '' })
      return { status: 204 }
    }),
  })
}
