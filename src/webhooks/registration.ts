import type { Scheme } from './scheme.ts'
import { schemeNamed } from './schemes.ts'

/** What is known of a secret outside the vault. */
export interface SecretRef {
  readonly id: string
  /** Signs deliveries, or is the token with which a vendor proves itself once (Meta). */
  readonly purpose: 'signing' | 'verify-token'
  readonly createdAt: string
  /** A retired secret is accepted until then. */
  readonly acceptUntil?: string
  /** Accepted by nobody any more, whatever time it is by his clock. */
  readonly revoked?: true
}

/** Leave for one sender to call us. Its secrets are in the vault and nowhere else. */
export interface Registration {
  readonly id: string
  /** The same as `id`: the partition, which counts of used secrets share. */
  readonly registrationId: string
  readonly tenantId: string
  readonly connectionId: string
  readonly integrationId: string
  /** Name in the table of schemes; `generic` where `configuration` tells the scheme. */
  readonly scheme: string
  readonly configuration?: Scheme
  /** `pending`: waits for its vendor's first call, which brings the secret. */
  readonly state: 'active' | 'pending' | 'retired'
  /** Event types that are wanted; all where none are told. */
  readonly events?: readonly string[]
  /** Events become pulls of their records, or pushes as they are (which skips merging). */
  readonly forward: 'inbound' | 'outbound'
  readonly maxBodyBytes: number
  readonly requestsPerMinute: number
  /** What the scheme demands of values that senders tell: `audience`, `email`, `organizationId`, … Nothing secret. */
  readonly expected: Readonly<Record<string, string>>
  readonly secrets: readonly SecretRef[]
  readonly createdAt: string
}

/** How often a secret was the one that matched. Counted in memory and stored now and then: at least so often. */
export interface SecretUsage {
  readonly id: string
  readonly registrationId: string
  readonly secretId: string
  readonly count: number
  readonly lastUsedAt: string
}

/** Ids of registrations, as they stand in URLs. */
export const registrationId = /^[a-z][\w-]{2,80}$/i

export function secretName(registration: string, secret: string): string {
  return `webhook-${registration}-${secret}`
}

export function usageId(secret: string): string {
  return `usage-${secret}`
}

export function isInForce({ acceptUntil, revoked }: SecretRef, now: Date): boolean {
  return revoked !== true && (acceptUntil === undefined || new Date(acceptUntil) > now)
}

/** Undefined for a name that is not in the table any more. */
export function schemeOf({ scheme, configuration }: Registration): Scheme | undefined {
  return configuration ?? schemeNamed(scheme)
}
