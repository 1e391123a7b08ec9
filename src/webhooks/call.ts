import { idOf } from '../core/ids.ts'
import type { Audit } from './audit.ts'
import type { Delivery } from './delivery.ts'
import type { WebhookPorts } from './ports.ts'
import type { Known } from './registry.ts'

export interface IncomingWebhook {
  readonly registrationId: string
  readonly method: string
  /** Path and query as the sender wrote them. */
  readonly target: string
  /** Lower-case names; a header that came twice has its values joined by a comma. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly sourceIp: string | null
  /** The raw bytes. Throws `body_too_large` above the limit, without reading on. */
  readonly readBody: (limit: number) => Promise<Uint8Array>
}

/** A call of a known registration, read whole. */
export interface Call {
  readonly incoming: IncomingWebhook
  readonly known: Known
  readonly rawBody: Uint8Array
  readonly startedAt: Date
}

export interface CallParts {
  readonly ports: WebhookPorts
  readonly audit: Audit
  /** Tells calls of one moment apart. */
  readonly nextSerial: () => number
}

/** The record of a call about which nothing more is known. */
export function recordOf(parts: CallParts, call: Call, status: Delivery['status']): Delivery {
  const { registration } = call.known
  const receivedAt = call.startedAt.toISOString()
  const { sourceIp, method, target } = call.incoming
  return {
    id: idOf('call', registration.id, receivedAt, sourceIp ?? '', String(parts.nextSerial())),
    registrationId: registration.id,
    tenantId: registration.tenantId,
    connectionId: registration.connectionId,
    receivedAt,
    sourceIp,
    method,
    path: pathOf(target),
    duration: parts.ports.clock().getTime() - call.startedAt.getTime(),
    verified: false,
    queued: false,
    status,
    eventType: null,
    entityId: null,
    synced: false,
    elements: 0,
  }
}

/** Without the query, where some vendors' tokens stand. */
function pathOf(target: string): string {
  return (target.split('?', 1)[0] ?? '').slice(0, 200)
}
