import { equalInConstantTime } from './algorithms.ts'
import { deliveryIdAt, valueAt, valuesAt } from './places.ts'
import { invalid } from './scheme.ts'
import type { TokenScheme, Verdict, WebhookRequest } from './scheme.ts'

/**
 * Verifies a shared token that the sender repeats: in a header, in the URL, or in every item of the body. It proves who
 * sends, not what is sent.
 */
export function verifyToken(scheme: TokenScheme, request: WebhookRequest): Verdict {
  const values = scheme.at
    .map((place) => valuesAt(place, request))
    .find((found) => found.length > 0)
  if (values === undefined) return invalid('missing_signature')
  if (values.includes('')) return invalid('malformed_signature')
  if (request.secrets.every((secret) => secret === '')) return invalid('no_usable_secret')

  // All values against all secrets before anything is decided.
  const matches = values.map((value) => matchingSecret(value, request.secrets))
  if (matches.includes(-1)) return invalid('signature_mismatch')

  const bound = scheme.bindings ?? []
  if (!bound.every(({ at, setting }) => holds(request.expected?.[setting], valueAt(at, request)))) {
    return invalid('claim_mismatch')
  }
  const deliveryId = deliveryIdAt(scheme.id, request)
  return {
    valid: true,
    secretIndex: matches[0] ?? -1,
    ...(deliveryId === undefined ? {} : { deliveryId }),
  }
}

/** The place of the secret that equals the value; -1 when none does. Every secret is compared. */
export function matchingSecret(value: string, secrets: readonly string[]): number {
  const equal = secrets.map((secret) => equalInConstantTime(secret, value) && secret !== '')
  return equal.indexOf(true)
}

function holds(expected: string | undefined, actual: string | undefined): boolean {
  return expected === undefined || (actual !== undefined && equalInConstantTime(expected, actual))
}
