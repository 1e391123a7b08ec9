import type { FunctionApp } from './host.ts'
import type { App } from '../app.ts'
import { invocationLog, observe } from './observe.ts'

export function registerSyncScheduler(host: FunctionApp, app: App): void {
  host.timer('SyncScheduler', {
    schedule: app.settings.sync.schedule,
    handler: (_timer, context) =>
      observe(context, async () => {
        const summary = await app.scheduleDueTasks()
        invocationLog.info('scheduled', { ...summary })
        invocationLog.metric('sync_scheduler_success', summary.queued)
      }),
  })
}
