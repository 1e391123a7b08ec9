import type { Stored } from '../core/collection.ts'
import { prolonged, type Credential } from './credential.ts'
import type { CredentialOptions, CredentialPorts } from './ports.ts'

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
