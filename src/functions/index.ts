import type { App } from '../app.ts'
import { registerHealth } from './health.ts'
import type { FunctionApp } from './host.ts'
import { registerDeviceSessions } from './device-sessions.ts'
import { registerOAuthAuthorize } from './oauth-authorize.ts'
import { registerOAuthCallback } from './oauth-callback.ts'
import { registerOAuthRefresh } from './oauth-refresh.ts'
import { registerTokenRefresher } from './token-refresher.ts'
import { registerManagementApi } from './management-api.ts'
import { registerServiceNowWebhook } from './servicenow-webhook.ts'
import { registerSignalRNegotiate } from './signalr-negotiate.ts'
import { registerSyncInboundWorker } from './sync-inbound-worker.ts'
import { registerSyncOutboundWorker } from './sync-outbound-worker.ts'
import { registerSyncOutboxRelay } from './sync-outbox-relay.ts'
import { registerSyncScheduler } from './sync-scheduler.ts'
import { registerWebhookReceiver } from './webhook-receiver.ts'
import { registerWebhookRelay } from './webhook-relay.ts'

/** Every function that is deployed. */
export function registerFunctions(host: FunctionApp, app: App): void {
  registerSyncScheduler(host, app)
  registerSyncInboundWorker(host, app)
  registerSyncOutboundWorker(host, app)
  registerSyncOutboxRelay(host, app)
  registerServiceNowWebhook(host, app)
  registerWebhookReceiver(host, app)
  registerWebhookRelay(host, app)
  registerTokenRefresher(host, app)
  registerOAuthAuthorize(host, app)
  registerOAuthCallback(host, app)
  registerOAuthRefresh(host, app)
  registerDeviceSessions(host, app)
  registerSignalRNegotiate(host, app)
  registerManagementApi(host, app)
  registerHealth(host, app)
}
