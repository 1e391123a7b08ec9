import type { Collection } from '../core/collection.ts'
import type { Log } from '../core/log.ts'
import type { Clock } from '../core/time.ts'
import type { Vault } from '../core/vault.ts'
import type { Credential, Notice } from './credential.ts'
import type { OAuthClient } from './grant.ts'
import type { Provider } from './provider.ts'

/** A call of a token endpoint, as the limits on it know it. */
export interface TokenCall {
  readonly tenantId: string
  readonly integrationId: string
  readonly connectionId: string
  /** Whether it goes to the connection's own instance, whose quota it shares, or to the vendor's one place for everybody. */
  readonly host: 'instance' | 'vendor'
  /** Whether a person waits for it. */
  readonly isAwaited: boolean
}

/** The limits on calls of token endpoints. */
export interface TokenQuota {
  /** Asked before every call: milliseconds until it may be made, undefined when it may go now. Takes at most a second. */
  readonly admit: (call: TokenCall) => Promise<number | undefined>
  /** Told of every answer, for what it says of limits. */
  readonly learnFrom: (call: TokenCall, answer: QuotaAnswer) => Promise<void>
}

export interface QuotaAnswer {
  readonly status: number
  readonly headers: Pick<Headers, 'get'>
}

export interface CredentialPorts {
  readonly credentials: Collection<Credential>
  readonly vault: Vault
  readonly fetch: typeof globalThis.fetch
  readonly quota: TokenQuota
  readonly providerOf: (integrationId: string) => Provider | undefined
  /** Our registration with a vendor; undefined when the settings hold none. */
  readonly clientOf: (integrationId: string) => OAuthClient | undefined
  /** Tells the people of the tenant who can act. Never throws. */
  readonly tellAdmins: (credential: Credential, notice: Notice) => Promise<void>
  /** Waits, at most a second at a time; ends early when the signal is aborted. */
  readonly pause: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  /** An id that nobody has had before. */
  readonly newId: () => string
  readonly log: Log
}

export interface CredentialOptions {
  /** This process, as the others see it. */
  readonly owner: string
  /** A refresh that has not been heard of for so long may be taken over. */
  readonly leaseMs: number
  /** How long a caller may wait for another instance's refresh before it is told to come back. */
  readonly patienceMs: number
  /** Calls of the token endpoint in one refresh. */
  readonly maxTries: number
  /** The token endpoint is given so long to answer. */
  readonly timeoutMs: number
}

export const defaultOptions = {
  leaseMs: 10_000,
  patienceMs: 5_000,
  maxTries: 3,
  timeoutMs: 60_000,
} as const satisfies Partial<CredentialOptions>

/** What the credentials of a connection are asked for. */
export interface CredentialRequest {
  readonly tenantId: string
  readonly credentialId: string
  readonly integrationId: string
  /** The connection whose quota a refresh uses up; without it the credential has one of its own. */
  readonly connectionId?: string
  /** Whether a person waits for the answer. */
  readonly isAwaited?: boolean
  /** Of the registered instance: secrets are sent there, or to the vendor's own place, and nowhere else. */
  readonly origin: string
  /** Headers that the vendor has just not accepted. */
  readonly refused?: Readonly<Record<string, string>>
  /** A token that ends sooner shall be refreshed. */
  readonly lastingMs?: number
}

export type CredentialAnswer =
  | {
      readonly kind: 'authorized'
      readonly headers: Readonly<Record<string, string>>
      /** Of a token. */
      readonly expiresAt?: Date
      /** The instance that the provider named with the token. */
      readonly instanceUrl?: string
    }
  /** `limited` where only quota is lacking: no try was lost. */
  | {
      readonly kind: 'retry'
      readonly reason: string
      readonly afterMs: number
      readonly limited?: true
    }
  | CredentialRefusal

/** Not before a person has done something. */
export interface CredentialRefusal {
  readonly kind: 'refused'
  readonly code: 'reauth_required' | 'credential_not_found'
  readonly reason: string
}
