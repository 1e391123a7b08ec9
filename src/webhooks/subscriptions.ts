import { z } from 'zod'
import type { Stored } from '../core/collection.ts'
import { AppError, explain } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import { addMs, MINUTE_MS } from '../core/time.ts'
import { toResyncs } from './hand-over.ts'
import type { WebhookPorts } from './ports.ts'
import { ownRegistration } from './registration-view.ts'
import { isInForce, secretName, type Registration } from './registration.ts'
import {
  failed,
  renewed,
  SUBSCRIPTION,
  told,
  type Gap,
  type Lifecycle,
  type Subscription,
} from './subscription.ts'

export type Renewal =
  | { readonly kind: 'active'; readonly subscriptionId: string; readonly expiresAt: Date }
  /** The vendor does not know it (any more). */
  | { readonly kind: 'gone' }
  | { readonly kind: 'failed'; readonly reason: string }

export interface Wanted {
  readonly subscription: Subscription
  readonly registration: Registration
  /** Where the vendor shall call, and the secret that it shall bring along. */
  readonly url: string
  readonly secret: string
  readonly expiresAt: Date
}

/** A vendor's own side of subscriptions. What fails is an outcome. */
export interface Subscriber {
  readonly renew: (subscriptionId: string, wanted: Wanted) => Promise<Renewal>
  readonly create: (wanted: Wanted) => Promise<Renewal>
}

export interface SubscriptionPorts extends Pick<
  WebhookPorts,
  | 'registrations'
  | 'subscriptions'
  | 'vault'
  | 'targetsOf'
  | 'inbound'
  | 'clock'
  | 'publicUrl'
  | 'log'
> {
  readonly subscriber: Subscriber
  readonly random: () => number
}

const SWEEP = 100
/** Nobody else renews it meanwhile. */
const CLAIM_MS = 5 * MINUTE_MS

/** Renews what is to run out, makes anew what is gone, and has read again what may have been missed. Returns how many. */
export async function keepSubscriptions(ports: SubscriptionPorts): Promise<number> {
  const due = { field: 'renewAt', is: '<=', value: ports.clock().toISOString() } as const
  let kept = 0
  for await (const stored of ports.subscriptions.query({ anyOf: [[due]], limit: SWEEP })) {
    try {
      if (await keep(ports, stored)) kept += 1
    } catch (error) {
      const { registrationId } = stored.document
      ports.log.warn(`a subscription could not be looked after: ${explain(error)}`, {
        registrationId,
      })
    }
  }
  return kept
}

async function keep(ports: SubscriptionPorts, stored: Stored<Subscription>): Promise<boolean> {
  const claimed = await replace(ports, {
    etag: stored.etag,
    document: { ...stored.document, renewAt: addMs(ports.clock(), CLAIM_MS).toISOString() },
  })
  if (!claimed) return false
  const { registrationId } = claimed.document
  const registration = (await ports.registrations.get([registrationId], registrationId))?.document
  if (!registration || registration.state === 'retired') {
    await ports.subscriptions.write([registrationId], [{ kind: 'remove', ...claimed }])
    return false
  }
  const renewal = await renew(ports, claimed.document, registration)
  if (renewal.kind === 'active') return settle(ports, claimed, { registration, renewal })
  const reason = renewal.kind === 'failed' ? renewal.reason : 'the vendor forgets it at once'
  const { subscription, isNews } = failed(claimed.document, ports.clock(), ports.random())
  const saved = await replace(ports, { etag: claimed.etag, document: subscription })
  // What could not be written down, the next try would tell again.
  if (isNews && saved) alert(ports, registration, reason)
  return false
}

async function renew(
  ports: SubscriptionPorts,
  subscription: Subscription,
  registration: Registration,
): Promise<Renewal> {
  const now = ports.clock()
  const signing = registration.secrets.findLast(
    (secret) => secret.purpose === 'signing' && isInForce(secret, now),
  )
  const secret = signing && (await ports.vault.get(secretName(registration.id, signing.id)))
  if (secret === undefined) return { kind: 'failed', reason: 'its registration has no secret' }
  const wanted: Wanted = {
    subscription,
    registration,
    url: `${ports.publicUrl}/webhooks/${registration.id}/events`,
    secret,
    expiresAt: addMs(now, subscription.lifetimeMinutes * MINUTE_MS),
  }
  const { subscriptionId } = subscription
  const again =
    subscriptionId === null
      ? { kind: 'gone' as const }
      : await ports.subscriber.renew(subscriptionId, wanted)
  return again.kind === 'gone' ? ports.subscriber.create(wanted) : again
}

/** What may be missing is asked for before it is written that the gap has an end. */
async function settle(
  ports: SubscriptionPorts,
  claimed: Stored<Subscription>,
  done: {
    readonly registration: Registration
    readonly renewal: Extract<Renewal, { kind: 'active' }>
  },
): Promise<boolean> {
  const { registration, renewal } = done
  const { subscription, gap } = renewed(claimed.document, renewal, ports.clock())
  if (gap) await askAgain(ports, { registration, subscription, gap })
  const saved = await replace(ports, { etag: claimed.etag, document: subscription })
  if (gap && saved && claimed.document.alertedAt === null) {
    alert(ports, registration, `nothing was told from ${gap.from} to ${gap.to}`)
  }
  return saved !== undefined
}

interface Missing {
  readonly registration: Registration
  readonly subscription: Subscription
  readonly gap: Gap
}

async function askAgain(
  { targetsOf, inbound, clock }: SubscriptionPorts,
  { registration, subscription, gap }: Missing,
): Promise<void> {
  const targets = await targetsOf(registration.tenantId, registration.connectionId)
  // Of one that was made and could not be written down nothing may have been told either: its successor asks anew.
  const deliveryId = idOf('gap', registration.id, gap.from, subscription.subscriptionId ?? '')
  const context = { registration, targets, deliveryId, now: clock() }
  const messages = toResyncs(undefined, context).map(({ message }) => message)
  if (messages.length > 0) await inbound.send(messages)
}

/** The line that alerts watch. */
function alert({ log }: SubscriptionPorts, registration: Registration, reason: string): void {
  const { id: registrationId, tenantId, connectionId } = registration
  log.error(`webhook subscription failed: ${reason}`, { registrationId, tenantId, connectionId })
  log.metric('webhook_subscription_failed', 1, { registrationId, tenantId })
}

async function replace(
  { subscriptions }: Pick<WebhookPorts, 'subscriptions'>,
  { document, etag }: Stored<Subscription>,
): Promise<Stored<Subscription> | undefined> {
  const written = await subscriptions.write(
    [document.registrationId],
    [{ kind: 'replace', document, etag }],
  )
  return written.committed ? { document, etag: written.etags[0] ?? '' } : undefined
}

const TRIES = 5

/** Notes what a vendor has told of its subscription; nothing where it is none of ours. Throws `store_unavailable`. */
export async function noteLifecycle(
  ports: Pick<WebhookPorts, 'subscriptions' | 'clock'>,
  registrationId: string,
  lifecycle: Lifecycle,
): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const stored = await ports.subscriptions.get([registrationId], SUBSCRIPTION)
    if (!stored) return
    const document = told(stored.document, lifecycle, ports.clock())
    if (document === stored.document) return
    if (await replace(ports, { document, etag: stored.etag })) return
  }
  throw new AppError('store_unavailable', 'the subscription changes too often')
}

const text = z.string().min(1).max(500)

/** Seven weeks is more than any vendor grants; Graph's mail lasts a week, its chats three days. */
export const newSubscriptionShape = z.strictObject({
  resource: text,
  changeType: text.default('created,updated,deleted'),
  lifetimeMinutes: z.int().min(45).max(70_000).default(4_230),
})

/** Has a registration subscribed to by the timer's next turn, in place of what it had. Throws `bad_request`. */
export async function subscribe(
  ports: Pick<WebhookPorts, 'registrations' | 'subscriptions' | 'clock'>,
  of: { readonly tenantId: string; readonly id: string },
  wanted: z.infer<typeof newSubscriptionShape>,
): Promise<Subscription> {
  const { document } = await ownRegistration(ports, of.tenantId, of.id)
  if (!subscribable.has(document.scheme)) {
    throw new AppError('bad_request', `scheme ${document.scheme} knows no subscriptions`)
  }
  const subscription: Subscription = {
    ...wanted,
    id: SUBSCRIPTION,
    registrationId: document.id,
    subscriptionId: null,
    confirmedAt: null,
    expiresAt: null,
    renewAt: ports.clock().toISOString(),
    attempts: 0,
    alertedAt: null,
    gapFrom: null,
    gaps: [],
  }
  await ports.subscriptions.write([document.id], [{ kind: 'upsert', document: subscription }])
  return subscription
}

const subscribable: ReadonlySet<string> = new Set(['microsoft-graph', 'microsoft-graph-rich'])

/** Throws `not_found` where there is none. */
export async function showSubscription(
  ports: Pick<WebhookPorts, 'registrations' | 'subscriptions'>,
  tenantId: string,
  id: string,
): Promise<Subscription> {
  await ownRegistration(ports, tenantId, id)
  const stored = await ports.subscriptions.get([id], SUBSCRIPTION)
  if (!stored) throw new AppError('not_found', `registration ${id} has no subscription`)
  return stored.document
}
