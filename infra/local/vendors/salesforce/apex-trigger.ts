import { randomUUID } from 'node:crypto'
import { schemes } from '../../../../src/webhooks/schemes.ts'
import { sign } from '../../../../src/webhooks/sign.ts'
import type { Delivery } from '../webhook-poster.ts'
import type { RecordChange } from './org.ts'

export interface WebhookTarget {
  readonly url: string
  readonly secret: string
  /** Which objects have the trigger. Default: cases. */
  readonly objects?: readonly string[] | undefined
}

/**
 * What the Apex trigger that we ship posts: base64 HMAC-SHA256 of the body (facts B3). The platform does not repeat a
 * callout that failed. Nothing for an object without the trigger.
 */
export function webhookOf(
  { object, operation, row, origin }: RecordChange,
  { url, secret, objects = ['Case'] }: WebhookTarget,
  now: Date,
): Delivery | undefined {
  if (!objects.includes(object)) return undefined
  const id = randomUUID()
  const body = JSON.stringify({
    eventId: id,
    eventType: `${object}.${operation}`,
    object,
    recordId: row['Id'],
    changeOrigin: origin === undefined ? null : `com/salesforce/api/rest/60.0;client=${origin}`,
    record: row,
    timestamp: now.toISOString(),
  })
  const signed = sign(schemes.salesforce, {
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json' },
    rawBody: Buffer.from(body),
    now,
    secret,
  })
  return { id, url: signed.url, headers: signed.headers, body }
}
