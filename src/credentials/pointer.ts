import type { Stored } from '../core/collection.ts'
import { refreshed, type Credential } from './credential.ts'
import { replace } from './lease.ts'
import type { CredentialPorts } from './ports.ts'
import { parseSecret, secretName, type OAuthSecret, type VersionedSecret } from './secret.ts'

/** A credential as it was read, and the pair that its pointer names. */
export interface Seen {
  readonly stored: Stored<Credential>
  readonly current: VersionedSecret<OAuthSecret>
}

const MOVE_TRIES = 8

/**
 * Makes a stored pair the one that counts. False when another one does: one that did not come of the same grant, or that
 * was asked for later. Who lost the lease may still do this: the pair is proof that the grant was used.
 */
export async function movePointer(
  ports: CredentialPorts,
  stored: Stored<Credential>,
  pair: VersionedSecret<OAuthSecret>,
): Promise<boolean> {
  let at = stored
  for (let tried = 0; tried < MOVE_TRIES; tried += 1) {
    if (await replace(ports, at, refreshed(at.document, pair))) return true
    const { tenantId, id } = at.document
    const found = await ports.credentials.get([tenantId], id)
    if (!found || found.document.endedAt) return false
    if (!(await isOlder(ports, found.document, pair))) return false
    at = found
  }
  return false
}

/** Whether what the pointer names is older than the pair: its origin, or a sibling that was asked for before. */
async function isOlder(
  { vault }: CredentialPorts,
  { id, secretVersion }: Credential,
  { secret }: VersionedSecret<OAuthSecret>,
): Promise<boolean> {
  if (secretVersion === undefined) return false
  if (secretVersion === secret.from) return true
  const text = await vault.get(secretName(id), secretVersion)
  const present = text === undefined ? undefined : oauthSecret(text)
  return present?.from === secret.from && (present?.obtainedAt ?? '') < (secret.obtainedAt ?? '')
}

export function oauthSecret(text: string): OAuthSecret | undefined {
  const secret = parseSecret(text)
  return secret && secret.kind !== 'basic' && secret.kind !== 'api_key' ? secret : undefined
}

/** Lets the vault's latest version count, where it is another one and fits; false when there is none. */
export async function adoptLatest(
  ports: CredentialPorts,
  { stored, current }: Seen,
  fits: (secret: OAuthSecret) => boolean,
): Promise<boolean> {
  const latest = await ports.vault.latest(secretName(stored.document.id))
  if (!latest || latest.version === current.version) return false
  const secret = oauthSecret(latest.value)
  if (!secret || !fits(secret)) return false
  const pair = { secret, version: latest.version }
  // Whoever was faster has settled it: look again in either case.
  await replace(ports, stored, refreshed(stored.document, pair))
  return true
}
