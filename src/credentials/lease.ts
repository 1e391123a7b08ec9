import type { Stored } from '../core/collection.ts'
import { prolonged, refreshed, type Credential } from './credential.ts'
import type { CredentialOptions, CredentialPorts } from './ports.ts'
import { parseSecret, secretName, type OAuthSecret, type VersionedSecret } from './secret.ts'

/** A refresh in this process's hands. The tag changes with every write: it is the fence. */
export interface Held {
  stored: Stored<Credential>
  /** Somebody else has written the document: nothing more may be begun. */
  lost: boolean
}

type LeasePorts = Pick<CredentialPorts, 'credentials' | 'pause' | 'clock' | 'log'>

/** Replaces the document on condition that it is still the one that was read; undefined when it is not. */
export async function replace(
  { credentials }: Pick<CredentialPorts, 'credentials'>,
  { etag }: Stored<Credential>,
  document: Credential,
): Promise<Stored<Credential> | undefined> {
  const written = await credentials.write(
    [document.tenantId],
    [{ kind: 'replace', document, etag }],
  )
  return written.committed ? { document, etag: written.etags[0] ?? '' } : undefined
}

/** A holder writes this often while its lease lasts. */
const WRITES_PER_LEASE = 3
const STEP_MS = 1_000

/** Works, and prolongs the lease until the work is done or the lease is lost. */
export async function whileHolding<T>(
  ports: LeasePorts,
  { held, leaseMs }: { readonly held: Held; readonly leaseMs: number },
  work: () => Promise<T>,
): Promise<T> {
  const done = new AbortController()
  const prolonging = keep(ports, { held, leaseMs }, done.signal)
  try {
    return await work()
  } finally {
    done.abort()
    await prolonging
  }
}

async function keep(
  ports: LeasePorts,
  { held, leaseMs }: { readonly held: Held; readonly leaseMs: number },
  done: AbortSignal,
): Promise<void> {
  while (!held.lost) {
    const dueAt = ports.clock().getTime() + leaseMs / WRITES_PER_LEASE
    for (let left = dueAt; left > 0 && !done.aborted;) {
      left = dueAt - ports.clock().getTime()
      if (left > 0) await ports.pause(Math.min(STEP_MS, left), done)
    }
    if (done.aborted) return
    try {
      const next = prolonged(held.stored.document, leaseMs, ports.clock())
      const stored = await replace(ports, held.stored, next)
      if (stored) held.stored = stored
      else held.lost = true
    } catch {
      // The store is away: the lease has still most of its time, and the next write may reach it.
      ports.log.warn('a lease could not be prolonged', { credentialId: held.stored.document.id })
    }
  }
}

/**
 * Whether the holder of a lease that has ended, by our clock, shows no life. Clocks of instances differ; one that lives
 * writes three times in a lease.
 */
export async function isAbandoned(
  ports: LeasePorts,
  seen: Stored<Credential>,
  { leaseMs }: Pick<CredentialOptions, 'leaseMs'>,
): Promise<boolean> {
  const { document, etag } = seen
  if (!document.lease) return true
  let left = leaseMs / 2
  while (left > 0) {
    await ports.pause(Math.min(STEP_MS, left))
    left -= STEP_MS
    const now = await ports.credentials.get([document.tenantId], document.id)
    if (now?.etag !== etag) return false
  }
  return true
}

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
