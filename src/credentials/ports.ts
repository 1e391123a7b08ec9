import type { Collection } from '../core/collection.ts'
import type { Log } from '../core/log.ts'
import type { Clock } from '../core/time.ts'
import type { Vault } from '../core/vault.ts'
import type { OAuthClient } from './grant.ts'

/** What is known of a secret outside the vault. */
export interface Credential {
  readonly id: string
  readonly tenantId: string
  readonly integrationId: string
  readonly type: 'oauth2' | 'api_key' | 'basic'
  readonly expiryTime: string | null
  readonly enabled: boolean
  readonly needsReauth: boolean
  readonly refreshCount: number
}

export interface CredentialPorts {
  readonly credentials: Collection<Credential>
  readonly vault: Vault
  readonly fetch: typeof globalThis.fetch
  /** Our registration with a vendor; undefined when the settings hold none. */
  readonly clientOf: (integrationId: string) => OAuthClient | undefined
  readonly clock: Clock
  readonly log: Log
}

/** What the credentials of a connection are asked for. */
export interface CredentialRequest {
  readonly tenantId: string
  readonly credentialId: string
  readonly integrationId: string
  /** The registered instance's origin and the path of its token endpoint. */
  readonly tokenUrl: string
  /** Headers that the vendor has just not accepted. */
  readonly refused?: Readonly<Record<string, string>>
}

export type CredentialAnswer =
  | { readonly kind: 'authorized'; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: 'retry'; readonly reason: string }
  | {
      readonly kind: 'refused'
      readonly code: 'reauth_required' | 'credential_not_found'
      readonly reason: string
    }
