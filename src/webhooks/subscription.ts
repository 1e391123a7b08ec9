import { retryDelayMs } from '../core/retry-delay.ts'
import { addMs, HOUR_MS, MINUTE_MS } from '../core/time.ts'

/** A time in which a vendor may have told us nothing of what happened. */
export interface Gap {
  readonly from: string
  readonly to: string
}

/** A vendor's promise to call a registration, which runs out unless it is renewed. */
export interface Subscription {
  readonly id: typeof SUBSCRIPTION
  readonly registrationId: string
  /** The vendor's own id; null while it is still to be made. */
  readonly subscriptionId: string | null
  readonly resource: string
  readonly changeType: string
  readonly lifetimeMinutes: number
  /** When it was last made or renewed, and until when it then was to last. */
  readonly confirmedAt: string | null
  readonly expiresAt: string | null
  readonly renewAt: string
  /** Tries since the last success. */
  readonly attempts: number
  /** Since when people know of its trouble. */
  readonly alertedAt: string | null
  /** From when on something may be missing, until it is there again. */
  readonly gapFrom: string | null
  /** The latest last. */
  readonly gaps: readonly Gap[]
}

/** One to a registration, in its partition. */
export const SUBSCRIPTION = 'subscription'

/** What a vendor says about a subscription itself (Microsoft Graph, lifecycle notifications). */
export interface Lifecycle {
  readonly subscriptionId: string
  readonly what: 'renew' | 'removed' | 'missed'
}

const MAX_GAPS = 20
const ATTEMPTS_BEFORE_ALERT = 3
const backoff = { baseMs: MINUTE_MS, capMs: 15 * MINUTE_MS }
/** Renewed with at least so much of it left, or half of a shorter one. */
const MARGIN_MS = 6 * HOUR_MS

/**
 * After what the vendor has told of it; nothing changes when it is told of one that was made anew since. The resync that
 * follows is the delivery's.
 */
export function told(before: Subscription, lifecycle: Lifecycle, now: Date): Subscription {
  if (before.subscriptionId !== lifecycle.subscriptionId) return before
  const at = now.toISOString()
  switch (lifecycle.what) {
    case 'renew':
      return { ...before, renewAt: at }
    case 'removed':
      return { ...before, subscriptionId: null, renewAt: at, gapFrom: gapStart(before, at) }
    case 'missed':
      return { ...before, gaps: withGap(before, { from: before.confirmedAt ?? at, to: at }) }
  }
}

/** It was renewed or made anew until `expiresAt`; `gap` is what may have been missed before. */
export function renewed(
  before: Subscription,
  made: { readonly subscriptionId: string; readonly expiresAt: Date },
  now: Date,
): { readonly subscription: Subscription; readonly gap: Gap | undefined } {
  const at = now.toISOString()
  const isAnother = before.subscriptionId !== made.subscriptionId && before.confirmedAt !== null
  const from = before.gapFrom ?? (isExpired(before, now) || isAnother ? gapStart(before, at) : null)
  const gap = from === null ? undefined : { from, to: at }
  const lifetimeMs = made.expiresAt.getTime() - now.getTime()
  const subscription: Subscription = {
    ...before,
    subscriptionId: made.subscriptionId,
    confirmedAt: at,
    expiresAt: made.expiresAt.toISOString(),
    renewAt: addMs(made.expiresAt, -Math.min(MARGIN_MS, lifetimeMs / 2)).toISOString(),
    attempts: 0,
    alertedAt: null,
    gapFrom: null,
    gaps: gap === undefined ? before.gaps : withGap(before, gap),
  }
  return { subscription, gap }
}

/** It could not be renewed; `isNews` when people should hear of that now, which they do once. */
export function failed(
  before: Subscription,
  now: Date,
  random: number,
): { readonly subscription: Subscription; readonly isNews: boolean } {
  const attempts = before.attempts + 1
  const isNews =
    before.alertedAt === null && (attempts >= ATTEMPTS_BEFORE_ALERT || isExpired(before, now))
  const subscription = {
    ...before,
    attempts,
    renewAt: addMs(now, retryDelayMs(attempts, random, backoff)).toISOString(),
    alertedAt: isNews ? now.toISOString() : before.alertedAt,
  }
  return { subscription, isNews }
}

function isExpired({ expiresAt }: Subscription, now: Date): boolean {
  return expiresAt !== null && new Date(expiresAt) < now
}

/** One that was removed may have been so since it was last confirmed; one that ran out told everything until then. */
function gapStart({ gapFrom, confirmedAt, expiresAt }: Subscription, at: string): string {
  if (gapFrom !== null) return gapFrom
  return expiresAt !== null && expiresAt < at ? expiresAt : (confirmedAt ?? at)
}

function withGap({ gaps }: Subscription, gap: Gap): readonly Gap[] {
  return [...gaps, gap].slice(-MAX_GAPS)
}
