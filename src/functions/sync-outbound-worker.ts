import type { App } from '../app.ts'
import { outboundMessageShape } from '../sync/task.ts'
import type { FunctionApp } from './host.ts'
import { invocationLog } from './observe.ts'
import { queueHandler } from './queue.ts'

export function registerSyncOutboundWorker(host: FunctionApp, app: App): void {
  host.serviceBusQueue('SyncOutboundWorker', {
    connection: 'SERVICE_BUS_CONNECTION_STRING',
    queueName: app.settings.serviceBus.outboundQueue,
    handler: queueHandler({
      shape: outboundMessageShape,
      defer: app.deferOutbound,
      park: app.parkOutbound,
      work: async (message) => {
        const outcome = await app.pushChanges(message)
        const { tenantId, connectionId, entityType, correlationId } = message
        const pushed = outcome.kind === 'stale' ? 0 : outcome.pushed
        const fields = { tenantId, connectionId, entityType, correlationId, pushed }
        invocationLog.info(`push ${outcome.kind}`, fields)
        invocationLog.metric('outbound_worker_pushed', pushed, fields)
      },
    }),
  })
}
