import type { App } from '../app.ts'
import { MINUTE_MS } from '../core/time.ts'
import type { FunctionApp } from './host.ts'
import { invocationLog, observe } from './observe.ts'

/** The host ends a function after ten minutes. */
const TIME_LIMIT_MS = 8 * MINUTE_MS

export function registerTokenRefresher(host: FunctionApp, app: App): void {
  const { schedule, expiryThresholdMs } = app.settings.credentials
  host.timer('TokenRefresher', {
    schedule,
    handler: (_timer, context) =>
      observe(context, async () => {
        const credentials = await app.credentials()
        const audit = await credentials.refreshExpiring({
          thresholdMs: expiryThresholdMs,
          timeLimitMs: TIME_LIMIT_MS,
        })
        const { totalAttempted, successful, failed, postponed } = audit
        // `failed` is a word that alerts watch: it stands only where something did.
        const message = failed > 0 ? `${failed} token refreshes failed` : 'tokens refreshed'
        invocationLog.info(message, {
          auditId: audit.id,
          totalAttempted,
          successful,
          failed,
          postponed,
        })
      }),
  })
}
