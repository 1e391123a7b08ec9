import type { Retention, Secret, SecretVersion } from './secret.ts'
import { latestOf } from './secret.ts'

/** What the encodings need to know of the vault. */
export interface VaultView {
  /** `https://host[:port]`, as the caller sees it. */
  readonly origin: string
  readonly retention: Retention
}

/** The longest retention is the default of the service; a shorter one changes what it is called. */
export const DEFAULT_RETENTION_DAYS = 90

/** `SecretBundle` of the REST API, with the value only if asked for. */
export function secretBundle(
  vault: VaultView,
  secret: Secret,
  version: SecretVersion,
): Readonly<Record<string, unknown>> {
  return {
    id: `${vault.origin}/secrets/${secret.name}/${version.version}`,
    ...described(vault, version),
  }
}

/** `SecretItem`: the secret without its version and value. */
export function secretItem(vault: VaultView, secret: Secret): Readonly<Record<string, unknown>> {
  return {
    id: `${vault.origin}/secrets/${secret.name}`,
    ...described(vault, latestOf(secret)),
  }
}

/** The fields that a deleted secret has besides; instants in seconds. */
export function deletionFields(
  vault: VaultView,
  { name, deletion }: Secret & Required<Pick<Secret, 'deletion'>>,
): Readonly<Record<string, unknown>> {
  return {
    recoveryId: `${vault.origin}/deletedsecrets/${name}`,
    deletedDate: Math.floor(deletion.deletedAt / 1000),
    scheduledPurgeDate: Math.floor(deletion.purgeAt / 1000),
  }
}

function described({ retention }: VaultView, version: SecretVersion): object {
  const { contentType, tags, enabled, exp, nbf, created, updated } = version
  const customized = retention.retentionDays < DEFAULT_RETENTION_DAYS ? 'Customized' : ''
  return {
    contentType,
    tags,
    attributes: {
      enabled,
      exp,
      nbf,
      created,
      updated,
      recoveryLevel: `${customized}Recoverable+Purgeable`,
      recoverableDays: retention.retentionDays,
    },
  }
}
