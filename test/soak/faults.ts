import { setTimeout as delay } from 'node:timers/promises'
import type { ServiceNowControl } from '../../infra/local/vendors/servicenow.ts'
import type { Tenant } from './world.ts'

type Mishap = (control: ServiceNowControl) => void

/** What goes wrong at a vendor, one after the other. */
const mishaps: readonly Mishap[] = [
  (control) => control.fail({ operation: '/api/now', status: 503, times: 3 }),
  (control) => control.expireAccessTokens(),
  (control) => control.fail({ operation: '/api/now', connection: 'drop' }),
  (control) => control.fail({ operation: '/api/now', connection: 'lose-answer' }),
  (control) => control.hibernate(1, '/api/now'),
  (control) => control.fail({ operation: '/api/now', delayMs: 1_500, times: 2 }),
  (control) => control.fail({ operation: '/api/now', status: 502 }),
  (control) => control.fail({ operation: '/oauth_token', status: 500 }),
  (control) => control.limitBatch(1),
  (control) => control.throttle('semaphore'),
  (control) =>
    control.fail({ operation: '/api/now', status: 429, headers: { 'Retry-After': '2' } }),
]

/** Something goes wrong at these vendors every few seconds, until it is stopped; tells how often it did. */
export function strike(tenants: readonly Tenant[], everyMs: number) {
  const stop = new AbortController()
  let struck = 0
  const striking = (async () => {
    for (let turn = 0; !stop.signal.aborted; turn += 1) {
      await delay(everyMs, undefined, { signal: stop.signal }).catch(() => {})
      if (stop.signal.aborted) break
      for (const { vendor } of tenants) mishaps[turn % mishaps.length]?.(vendor.control)
      struck += tenants.length
    }
  })()
  return {
    count: () => struck,
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await striking
      for (const { vendor } of tenants) vendor.control.clearFaults()
    },
  }
}

/** Access tokens end before their time, as when an administrator revokes them: the next call refreshes. */
export function endTokens(tenants: readonly Tenant[], everyMs: number): AsyncDisposable {
  const stop = new AbortController()
  const ending = (async () => {
    while (!stop.signal.aborted) {
      await delay(everyMs, undefined, { signal: stop.signal }).catch(() => {})
      for (const { vendor } of tenants) vendor.control.expireAccessTokens()
    }
  })()
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await ending
    },
  }
}
