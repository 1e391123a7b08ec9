import type { App } from '../app.ts'
import type { FunctionApp } from './host.ts'
import { invocationLog, observe } from './observe.ts'

/** Sends what was stored and could not be sent (events whose queue was away, notifications that nobody told), and renews subscriptions. */
export function registerWebhookRelay(host: FunctionApp, app: App): void {
  host.timer('WebhookRelay', {
    schedule: app.settings.sync.relaySchedule,
    handler: (_timer, context) =>
      observe(context, async () => {
        // One that fails must not keep the others from their work.
        const ended = await Promise.allSettled([
          app.relayWebhooks(),
          app.relayNotifications(),
          app.keepSubscriptions(),
        ])
        const [events, notifications, subscriptions] = ended.map((one) =>
          one.status === 'fulfilled' ? one.value : 0,
        )
        if (events || notifications) {
          invocationLog.warn('what had waited was sent', { events, notifications })
        }
        if (subscriptions) invocationLog.info('subscriptions were renewed', { subscriptions })
        for (const one of ended) if (one.status === 'rejected') throw one.reason
      }),
  })
}
