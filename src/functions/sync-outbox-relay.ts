import type { App } from '../app.ts'
import type { FunctionApp } from './host.ts'
import { invocationLog, observe } from './observe.ts'

/** Sends what a worker wrote into an outbox and died before sending, and shows people what the queues gave up. */
export function registerSyncOutboxRelay(host: FunctionApp, app: App): void {
  host.timer('SyncOutboxRelay', {
    schedule: app.settings.sync.relaySchedule,
    handler: (_timer, context) =>
      observe(context, async () => {
        const { relayed } = await app.relayPending()
        if (relayed > 0) invocationLog.warn('connections had changes waiting', { relayed })
        const parked = await app.parkDeadLetters()
        if (parked > 0) invocationLog.error('messages were given up and are parked', { parked })
      }),
  })
}
