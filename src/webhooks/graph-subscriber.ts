import { z } from 'zod'
import { explain } from '../core/errors.ts'
import { SECOND_MS } from '../core/time.ts'
import type { Registration } from './registration.ts'
import type { Renewal, Subscriber, Wanted } from './subscriptions.ts'

export interface GraphPorts {
  readonly fetch: typeof globalThis.fetch
  /** Where a registration's connection has its Graph, and what proves who calls; or why there is none. */
  readonly accessOf: (
    registration: Registration,
  ) => Promise<
    | { readonly origin: string; readonly headers: Readonly<Record<string, string>> }
    | { readonly problem: string }
  >
  /** A call that is not answered by then has failed. Default 30 s. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 30 * SECOND_MS
const answerShape = z.object({ id: z.string().min(1), expirationDateTime: z.iso.datetime() })

/** Subscriptions of Microsoft Graph (`/v1.0/subscriptions`): renewing one also authorizes it again. */
export function graphSubscriber(ports: GraphPorts): Subscriber {
  return {
    renew: (subscriptionId, wanted) =>
      call(ports, wanted, {
        method: 'PATCH',
        path: `/${encodeURIComponent(subscriptionId)}`,
        body: { expirationDateTime: wanted.expiresAt.toISOString() },
      }),
    create: (wanted) => {
      const { url, secret, subscription, expiresAt } = wanted
      const { resource, changeType } = subscription
      return call(ports, wanted, {
        method: 'POST',
        path: '',
        body: {
          changeType,
          resource,
          notificationUrl: url,
          lifecycleNotificationUrl: url,
          expirationDateTime: expiresAt.toISOString(),
          clientState: secret,
        },
      })
    },
  }
}

async function call(
  { fetch, accessOf, timeoutMs = TIMEOUT_MS }: GraphPorts,
  { registration }: Wanted,
  { method, path, body }: { method: string; path: string; body: object },
): Promise<Renewal> {
  try {
    const access = await accessOf(registration)
    if ('problem' in access) return { kind: 'failed', reason: access.problem }
    const answer = await fetch(`${access.origin}/v1.0/subscriptions${path}`, {
      method,
      headers: { ...access.headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    })
    if (method === 'PATCH' && answer.status === 404) return { kind: 'gone' }
    if (!answer.ok) return { kind: 'failed', reason: `Graph answered ${answer.status}` }
    const { id, expirationDateTime } = answerShape.parse(await answer.json())
    return { kind: 'active', subscriptionId: id, expiresAt: new Date(expirationDateTime) }
  } catch (error) {
    return { kind: 'failed', reason: explain(error) }
  }
}
