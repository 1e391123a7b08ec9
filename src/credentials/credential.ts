import { addMs, MINUTE_MS, SECOND_MS } from '../core/time.ts'
import type { Secret, VersionedSecret } from './secret.ts'

/** Something that a person must know, told once. */
export interface Notice {
  /** The same trouble has the same id: who hears it twice can tell. */
  readonly id: string
  readonly code: 'reauth_required' | 'client_refused'
  readonly reason: string
  /** When it was last tried to tell. */
  readonly since: string
}

/** What is known of a secret outside the vault. */
export interface Credential {
  readonly id: string
  readonly tenantId: string
  readonly integrationId: string
  /** Of the instance that it was given for. A connection that is led elsewhere does not take its secrets along. */
  readonly origin?: string
  /** `device` are those of people's phones: they are refreshed on use only. */
  readonly type: 'oauth2' | 'api_key' | 'basic' | 'device'
  readonly expiryTime: string | null
  readonly enabled: boolean
  readonly needsReauth: boolean
  readonly refreshCount: number
  /** Which version of the secret counts; the latest where it was never said. */
  readonly secretVersion?: string
  /** Grows with every claim: whoever holds an older one has lost. */
  readonly epoch?: number
  readonly lease?: { readonly owner: string; readonly until: string } | null
  /** A use of the grant that began and of which nobody has written the end. */
  readonly intent?: Intent | null
  /** No call before this instant, and how often it failed in a row. */
  readonly cooldown?: {
    readonly until: string
    readonly failures: number
    readonly reason: string
    /** Nothing failed, there was only no quota for it. */
    readonly limited?: true
  } | null
  /** Still to be told. */
  readonly notice?: Notice | null
  /** Whether the operators know that the provider does not accept our client. */
  readonly clientRefused?: boolean
  /** When it was ended, while the provider is still to be told. */
  readonly endedAt?: string | null
  /** Of a phone's credential: whose it is, and where. */
  readonly device?: { readonly userSysId: string; readonly origin: string }
}

export interface Intent {
  readonly attempt: string
  /** The version whose grant is being used. */
  readonly version: string
  /** When it was used first: a reuse window begins then. */
  readonly since: string
}

/** Whether the secrets were given for another instance than the one that they are to be sent to. */
export function isForeign({ origin }: Credential, asked: string): boolean {
  return origin !== undefined && origin !== asked
}

/** How a caller finds a credential. */
export type Standing =
  | { readonly kind: 'usable' }
  | { readonly kind: 'reauth' }
  | {
      readonly kind: 'cooling'
      readonly until: Date
      readonly reason: string
      readonly limited?: true
    }
  /** Another instance refreshes. */
  | { readonly kind: 'busy'; readonly until: Date }
  /** A use of the grant was begun by somebody whose lease has ended. */
  | { readonly kind: 'unsettled'; readonly intent: Intent }
  | { readonly kind: 'free' }

export interface Wish {
  /** The access token that the vendor has just not accepted. */
  readonly refused?: string | undefined
  /** A token that ends sooner shall be refreshed, unless it is new. Default: within the usual margin. */
  readonly lastingMs?: number | undefined
}

const MARGIN_MS = 5 * MINUTE_MS
const MARGIN_SHARE = 0.2
/** A token got so recently is not refreshed only because it ends soon. */
const NEW_MS = 5 * MINUTE_MS

export function standingOf(
  credential: Credential,
  secret: Secret,
  { now, wish }: { readonly now: Date; readonly wish: Wish },
): Standing {
  if (credential.needsReauth) return { kind: 'reauth' }
  if (isUsable(secret, now, wish)) return { kind: 'usable' }
  const { cooldown, lease, intent } = credential
  if (lease && new Date(lease.until) > now) return { kind: 'busy', until: new Date(lease.until) }
  if (cooldown && new Date(cooldown.until) > now) {
    const { reason, limited } = cooldown
    const until = new Date(cooldown.until)
    return { kind: 'cooling', until, reason, ...(limited ? { limited } : {}) }
  }
  return intent ? { kind: 'unsettled', intent } : { kind: 'free' }
}

/** Whether the pair's token lives long enough for the wish. */
export function isUsable(secret: Secret, now: Date, wish: Wish): boolean {
  const pair = pairOf(secret)
  if (!pair || pair.accessToken === wish.refused) return false
  const left = pair.expiresAt.getTime() - now.getTime()
  const age = now.getTime() - pair.obtainedAt.getTime()
  const lifetime = pair.expiresAt.getTime() - pair.obtainedAt.getTime()
  const margin = Math.min(MARGIN_MS, lifetime * MARGIN_SHARE)
  if (wish.lastingMs === undefined) return left > margin
  return left > wish.lastingMs || (age < NEW_MS && left > margin)
}

/** Whether the token still works, though it should be refreshed: good enough while somebody else does that. */
export function isAlive(secret: Secret, now: Date, wish: Wish): boolean {
  const pair = pairOf(secret)
  return (
    pair !== undefined &&
    pair.accessToken !== wish.refused &&
    pair.expiresAt > addMs(now, SECOND_MS)
  )
}

export interface Pair {
  readonly accessToken: string
  readonly expiresAt: Date
  readonly obtainedAt: Date
  readonly instanceUrl?: string
}

export function pairOf(secret: Secret): Pair | undefined {
  if (secret.kind === 'basic' || secret.kind === 'api_key') return undefined
  const { accessToken, expiresAt, obtainedAt, instanceUrl } = secret
  if (accessToken === undefined || expiresAt === undefined) return undefined
  return {
    accessToken,
    expiresAt: new Date(expiresAt),
    obtainedAt: new Date(obtainedAt ?? expiresAt),
    ...(instanceUrl === undefined ? {} : { instanceUrl }),
  }
}

export interface Claim {
  readonly owner: string
  readonly attempt: string
  readonly version: string
  readonly leaseMs: number
  readonly now: Date
}

/**
 * The document as it says that the grant of `version` is about to be used. Written on condition that nothing has changed
 * since it was read: so nobody else has refreshed meanwhile, and there is nothing to check once more.
 */
export function claimed(credential: Credential, claim: Claim): Credential {
  const { owner, attempt, version, leaseMs, now } = claim
  return {
    ...credential,
    secretVersion: version,
    epoch: (credential.epoch ?? 0) + 1,
    lease: { owner, until: addMs(now, leaseMs).toISOString() },
    intent: { attempt, version, since: credential.intent?.since ?? now.toISOString() },
  }
}

export function prolonged(credential: Credential, leaseMs: number, now: Date): Credential {
  const { lease } = credential
  return lease
    ? { ...credential, lease: { ...lease, until: addMs(now, leaseMs).toISOString() } }
    : credential
}

/** The document with the pointer moved to a pair that lies in the vault: every trouble is over. */
export function refreshed(
  credential: Credential,
  { secret, version }: VersionedSecret,
): Credential {
  const isDevice = credential.type === 'device'
  return {
    ...credential,
    secretVersion: version,
    epoch: (credential.epoch ?? 0) + 1,
    lease: null,
    intent: null,
    cooldown: null,
    notice: null,
    clientRefused: false,
    needsReauth: false,
    refreshCount: credential.refreshCount + 1,
    expiryTime: isDevice ? null : (pairOf(secret)?.expiresAt.toISOString() ?? null),
  }
}

/** The document after a person must connect again: no call is made for it any more. */
export function flagged(credential: Credential, notice: Notice): Credential {
  return { ...credential, lease: null, cooldown: null, needsReauth: true, notice }
}

const COOLDOWN_MS = 30 * SECOND_MS
const LONGEST_COOLDOWN_MS = 15 * MINUTE_MS

export interface Failure {
  readonly reason: string
  readonly now: Date
  /** The provider's own word. */
  readonly afterMs?: number
  /** Our own limits stood in the way: `afterMs` says it all. */
  readonly limited?: true
  /** The use of the grant may have happened: it stays in the document. */
  readonly keepsIntent: boolean
}

/** The document after a try that may be repeated later. The wait doubles with every failure in a row. */
export function cooling(credential: Credential, failure: Failure): Credential {
  const { limited, afterMs = 0 } = failure
  const failures = (credential.cooldown?.failures ?? 0) + (limited ? 0 : 1)
  const waitMs = limited ? 0 : Math.min(LONGEST_COOLDOWN_MS, COOLDOWN_MS * 2 ** (failures - 1))
  const until = addMs(failure.now, Math.max(afterMs, waitMs)).toISOString()
  return {
    ...credential,
    lease: null,
    intent: failure.keepsIntent ? (credential.intent ?? null) : null,
    cooldown: { until, failures, reason: failure.reason, ...(limited ? { limited } : {}) },
  }
}
