import { addMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../core/time.ts'
import type { SyncTarget } from './hand-over.ts'
import type { WebhookPorts } from './ports.ts'
import {
  isInForce,
  registrationId,
  schemeOf,
  secretName,
  type Registration,
  type SecretRef,
} from './registration.ts'
import type { Scheme } from './scheme.ts'

/** What a request of a registration is verified and handed over with. */
export interface Known {
  readonly registration: Registration
  readonly scheme: Scheme
  /** Every secret that the vault has, in the order of the registration. */
  readonly secrets: readonly HeldSecret[]
  readonly targets: readonly SyncTarget[]
}

export interface HeldSecret extends SecretRef {
  readonly value: string
}

export interface Registry {
  /** Undefined for a registration that there is not (any more). Throws `store_unavailable`, `vault_unavailable`. */
  find(id: string): Promise<Known | undefined>
  /** The next request reads it anew. */
  forget(id: string): void
}

/** After so long a registration is read again: how long a revoked secret may still pass elsewhere. */
const FRESH_MS = 10 * SECOND_MS
/** While the store is away what was read last stands for so long. */
const STALE_MS = 5 * MINUTE_MS
/** A secret's value never changes under its id. */
const SECRET_MS = HOUR_MS
const MAX_KNOWN = 1_000

interface Entry {
  readonly readAt: Date
  readonly known: Known | undefined
}

type RegistryPorts = Pick<WebhookPorts, 'registrations' | 'vault' | 'targetsOf' | 'clock'>

/** Registrations as they were at most ten seconds ago; callers that come while one is read share that reading. */
export function openRegistry(ports: RegistryPorts): Registry {
  const entries = new Map<string, Entry>()
  const readings = new Map<string, Promise<Known | undefined>>()
  const secretOf = openSecrets(ports)

  const read = async (id: string): Promise<Known | undefined> => {
    const readAt = ports.clock()
    const known = await load(ports, id, secretOf)
    keep(entries, id, { readAt, known })
    return known
  }
  const share = (id: string): Promise<Known | undefined> => {
    const reading = readings.get(id) ?? read(id).finally(() => readings.delete(id))
    readings.set(id, reading)
    return reading
  }
  return {
    find: async (id) => {
      if (!registrationId.test(id)) return undefined
      const entry = entries.get(id)
      const ageMs = entry ? ports.clock().getTime() - entry.readAt.getTime() : Infinity
      if (entry && ageMs < FRESH_MS) return entry.known
      if (!entry?.known || ageMs >= STALE_MS) return share(id)
      return share(id).catch(() => entry.known)
    },
    forget: (id) => {
      entries.delete(id)
      readings.delete(id)
    },
  }
}

async function load(
  ports: RegistryPorts,
  id: string,
  secretOf: (name: string) => Promise<string | undefined>,
): Promise<Known | undefined> {
  const registration = (await ports.registrations.get([id], id))?.document
  if (!registration || registration.state === 'retired') return undefined
  const scheme = schemeOf(registration)
  if (!scheme) return undefined
  const now = ports.clock()
  const wanted = registration.secrets.filter((secret) => isInForce(secret, now))
  const [values, targets] = await Promise.all([
    Promise.all(wanted.map((secret) => secretOf(secretName(id, secret.id)))),
    ports.targetsOf(registration.tenantId, registration.connectionId),
  ])
  const secrets = wanted.flatMap((secret, index) => {
    const value = values[index]
    return value === undefined ? [] : [{ ...secret, value }]
  })
  return { registration, scheme, secrets, targets }
}

/** Values of the vault; one that is missing is asked for again. */
function openSecrets({ vault, clock }: RegistryPorts) {
  const held = new Map<string, { readonly value: string; readonly until: Date }>()
  return async (name: string): Promise<string | undefined> => {
    const known = held.get(name)
    if (known && known.until > clock()) return known.value
    const value = await vault.get(name)
    if (value !== undefined) keep(held, name, { value, until: addMs(clock(), SECRET_MS) })
    return value
  }
}

/** The oldest goes when there are too many: ids in URLs are anybody's. */
function keep<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key)
  map.set(key, value)
  const oldest = map.keys().next().value
  if (map.size > MAX_KNOWN && oldest !== undefined) map.delete(oldest)
}
