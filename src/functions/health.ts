import type { App } from '../app.ts'
import type { FunctionApp } from './host.ts'
import { httpHandler } from './http.ts'

export function registerHealth(host: FunctionApp, app: App): void {
  host.http('health', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: 'api/health',
    handler: httpHandler(async () => {
      const health = await app.health()
      return { status: health.status === 'unhealthy' ? 503 : 200, jsonBody: health }
    }),
  })
  host.http('health-live', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: 'health/live',
    handler: httpHandler(async () => ({ status: 200, jsonBody: { status: 'live' } })),
  })
  host.http('health-ready', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: 'health/ready',
    handler: httpHandler(async () => {
      const { status, services } = await app.health()
      const ready = status !== 'unhealthy'
      return {
        status: ready ? 200 : 503,
        jsonBody: { status: ready ? 'ready' : 'not ready', services },
      }
    }),
  })
}
