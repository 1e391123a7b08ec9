import { z } from 'zod'
import { AppError } from '../core/errors.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../core/time.ts'
import type { WebhookPorts } from './ports.ts'
import type { VerificationKey } from './scheme.ts'

/** The only addresses that keys are fetched from, by the scheme that they verify. */
const addresses: Readonly<Record<string, string>> = {
  'google-pubsub': 'https://www.googleapis.com/oauth2/v3/certs',
  'microsoft-graph-rich': 'https://login.microsoftonline.com/common/discovery/v2.0/keys',
}

const keySetShape = z.object({
  keys: z.array(z.looseObject({ kty: z.string(), kid: z.string().optional() })).max(200),
})
const FRESH_MS = HOUR_MS
/** An unknown key id may be of anybody's making: it causes one fetch in a minute. */
const AGAIN_MS = MINUTE_MS
const TIMEOUT_MS = 5 * SECOND_MS
const MAX_BYTES = 256 * 1024

export interface KeySets {
  /** Undefined where the scheme has no key set. Throws `issuer_unavailable` when none could be fetched yet. */
  keysFor(scheme: string): Promise<readonly VerificationKey[] | undefined>
  /** The keys once more, for one that is not among them; what is known when they were fetched a moment ago. */
  refetch(scheme: string): Promise<readonly VerificationKey[] | undefined>
}

interface Held {
  readonly keys: readonly VerificationKey[]
  readonly fetchedAt: number
}

export function openKeySets({ fetch, clock }: Pick<WebhookPorts, 'fetch' | 'clock'>): KeySets {
  const held = new Map<string, Held>()
  const fetches = new Map<string, Promise<Held>>()
  const fresh = (scheme: string, address: string): Promise<Held> => {
    const running =
      fetches.get(scheme) ??
      fetchKeys(fetch, address)
        .then((keys) => {
          const found = { keys, fetchedAt: clock().getTime() }
          held.set(scheme, found)
          return found
        })
        .finally(() => fetches.delete(scheme))
    fetches.set(scheme, running)
    return running
  }
  const within = async (scheme: string, maxAgeMs: number) => {
    const address = Object.hasOwn(addresses, scheme) ? addresses[scheme] : undefined
    if (address === undefined) return undefined
    const known = held.get(scheme)
    if (known && clock().getTime() - known.fetchedAt < maxAgeMs) return known.keys
    if (!known) return (await fresh(scheme, address)).keys
    return (await fresh(scheme, address).catch(() => known)).keys
  }
  return {
    keysFor: (scheme) => within(scheme, FRESH_MS),
    refetch: (scheme) => within(scheme, AGAIN_MS),
  }
}

async function fetchKeys(
  fetch: typeof globalThis.fetch,
  address: string,
): Promise<readonly VerificationKey[]> {
  try {
    const answer = await fetch(address, {
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const text = await answer.text()
    if (!answer.ok || text.length > MAX_BYTES) throw new Error(`it answered ${answer.status}`)
    return keySetShape.parse(JSON.parse(text)).keys as readonly VerificationKey[] // members of RFC 7517
  } catch (cause) {
    throw new AppError('issuer_unavailable', 'the keys of a sender could not be fetched', { cause })
  }
}
