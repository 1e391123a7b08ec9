import { algorithms, keyOf } from './algorithms.ts'
import { decodeStrictly } from './encoding.ts'
import { digestHolds, httpSignaturesOf, signatureBase } from './http-signature.ts'
import type { HttpSignature } from './http-signature.ts'
import { deliveryIdAt, headerOf } from './places.ts'
import { invalid } from './scheme.ts'
import type { HttpSignatureScheme, Verdict, WebhookRequest } from './scheme.ts'
import { isTimely } from './timestamp.ts'

/** A request may carry signatures of proxies beside the sender's. */
const MAX_SIGNATURES = 4

/** What a signature may call the configured algorithm (RFC 9421 §6.2.2, draft-cavage §E.2). */
const algorithmNames: Readonly<Record<HttpSignatureScheme['algorithm'], readonly string[]>> = {
  'hmac-sha256': ['hmac-sha256', 'hs2019'],
  'rsa-sha256': ['rsa-v1_5-sha256', 'rsa-sha256', 'hs2019'],
  'rsa-pss-sha512': ['rsa-pss-sha512', 'hs2019'],
  'ecdsa-sha256-raw': ['ecdsa-p256-sha256', 'hs2019'],
  ed25519: ['ed25519', 'hs2019'],
}

/** Verifies HTTP Message Signatures (RFC 9421) and their draft (draft-cavage-http-signatures-12). */
export function verifyHttpSignature(scheme: HttpSignatureScheme, request: WebhookRequest): Verdict {
  const signatures = httpSignaturesOf(scheme, request.headers)
  if (signatures === undefined) return invalid('missing_signature')
  if (signatures.length === 0 || signatures.length > MAX_SIGNATURES) {
    return invalid('malformed_signature')
  }
  const verdicts = signatures.map((signature) => verifyOne(scheme, request, signature))
  return verdicts.find(({ valid }) => valid) ?? verdicts[0] ?? invalid('malformed_signature')
}

function verifyOne(
  scheme: HttpSignatureScheme,
  request: WebhookRequest,
  found: HttpSignature,
): Verdict {
  const { alg, algorithm = alg } = found.parameters
  const bytes = decodeStrictly(found.signature, 'base64')
  const base = signatureBase(scheme, request, found)
  const named = algorithm === undefined || algorithmNames[scheme.algorithm].includes(algorithm)
  if (bytes === undefined || base === undefined || !named) return invalid('malformed_signature')

  const covered = new Set(found.components.map((name) => name.replaceAll('"', '')))
  if (!scheme.covers.every((name) => covered.has(name))) return invalid('component_not_covered')

  const keys = request.secrets.map((secret) => keyOf(secret, scheme.key))
  if (keys.every((key) => key === undefined)) return invalid('no_usable_secret')
  const { check } = algorithms[scheme.algorithm]
  const message = Buffer.from(base, 'utf8')
  const matches = keys.map((key) => key !== undefined && check(key, message, bytes))
  const secretIndex = matches.indexOf(true)
  if (secretIndex < 0) return invalid('signature_mismatch')

  const timestamp = timestampOf(scheme, request, { ...found, covered })
  if (timestamp === undefined) return invalid('missing_timestamp')
  if (Number.isNaN(timestamp.getTime())) return invalid('malformed_timestamp')
  const timely = isTimely(timestamp, request, scheme.toleranceSeconds)
  if (!timely || hasExpired(found, request.now)) return invalid('timestamp_out_of_tolerance')
  const digest = scheme.style === 'rfc9421' ? 'content-digest' : 'digest'
  if (covered.has(digest) && !digestHolds(scheme, request)) return invalid('body_digest_mismatch')

  const deliveryId = deliveryIdAt(scheme.id, request)
  return {
    valid: true,
    secretIndex,
    timestamp,
    ...(deliveryId === undefined ? {} : { deliveryId }),
  }
}

/** A timestamp counts only where the signature covers it; RFC 9421 covers its parameters always. */
function timestampOf(
  { style }: HttpSignatureScheme,
  request: WebhookRequest,
  { parameters, covered }: HttpSignature & { readonly covered: ReadonlySet<string> },
): Date | undefined {
  const { created } = parameters
  if (created !== undefined && (style === 'rfc9421' || covered.has('(created)'))) {
    return new Date(/^[1-9]\d{9}$/.test(created) ? Number(created) * 1_000 : Number.NaN)
  }
  const date =
    style === 'cavage' && covered.has('date') ? headerOf(request.headers, 'date') : undefined
  return date === undefined ? undefined : new Date(Date.parse(date))
}

function hasExpired({ parameters: { expires } }: HttpSignature, now: Date): boolean {
  return expires !== undefined && !(now.getTime() < Number(expires) * 1_000)
}
