import type { App } from '../app.ts'
import { inboundMessageShape } from '../sync/task.ts'
import type { FunctionApp } from './host.ts'
import { invocationLog } from './observe.ts'
import { queueHandler } from './queue.ts'

export function registerSyncInboundWorker(host: FunctionApp, app: App): void {
  host.serviceBusQueue('SyncInboundWorker', {
    connection: 'SERVICE_BUS_CONNECTION_STRING',
    queueName: app.settings.serviceBus.inboundQueue,
    isSessionsEnabled: true,
    handler: queueHandler({
      shape: inboundMessageShape,
      defer: app.deferInbound,
      park: app.parkInbound,
      work: async (message) => {
        const startedAt = performance.now()
        const outcome = await app.executeSync(message)
        const { taskId, tenantId, correlationId, slice } = message
        const fields = { taskId, tenantId, correlationId, slice }
        invocationLog.info(`slice ${outcome.kind}`, { ...fields, ...countsOf(outcome) })
        invocationLog.metric(
          'inbound_worker_duration_ms',
          Math.round(performance.now() - startedAt),
          fields,
        )
      },
    }),
  })
}

function countsOf(outcome: Awaited<ReturnType<App['executeSync']>>) {
  if (outcome.kind === 'record') return { result: outcome.result }
  if (outcome.kind !== 'finished') return {}
  const { status, recordsProcessed, recordsCreated, recordsUpdated, recordsFailed, error } =
    outcome.result
  return {
    status,
    recordsProcessed,
    recordsCreated,
    recordsUpdated,
    recordsFailed,
    reason: error?.message,
  }
}
