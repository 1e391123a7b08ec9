import { createHash } from 'node:crypto'
import { algorithms, equalInConstantTime, keyOf } from './algorithms.ts'
import { decodeStrictly } from './encoding.ts'
import { messageForms, renderMessage } from './message.ts'
import type { MessageForm, MessageValues } from './message.ts'
import { deliveryIdAt, headerOf, queryOf } from './places.ts'
import { invalid } from './scheme.ts'
import type { SignedScheme, Verdict, WebhookRequest } from './scheme.ts'
import { isTimely, readTimestamp } from './timestamp.ts'
import type { TimestampReading } from './timestamp.ts'

/** A sender has one secret, or two while it changes them; more signatures than this are an attempt to make us work. */
const MAX_SIGNATURES = 8

/**
 * Verifies a signature over a base string. Every secret is tried on every form and every signature of the header, and
 * nothing ends early, so the time tells neither which secret came near nor how far a signature was right.
 */
export function verifySigned(scheme: SignedScheme, request: WebhookRequest): Verdict {
  const header = headerOf(request.headers, scheme.signature.header)
  if (header === undefined) return invalid('missing_signature')

  const elements = elementsOf(scheme, header)
  const signatures = signaturesOf(scheme, elements)
  if (signatures === undefined) return invalid('malformed_signature')

  const timestamp = timestampOf(scheme, request, elements)
  if (timestamp !== undefined && 'problem' in timestamp) return invalid(timestamp.problem)

  const signedId = scheme.signed.includes('{id}') ? deliveryIdAt(scheme.id, request) : ''
  if (signedId === undefined) return invalid('missing_id')

  const values = { signatures, timestamp: timestamp?.text, id: signedId }
  const match = firstMatch(scheme, request, values)
  if (match === 'no_usable_secret') return invalid(match)
  if (match === undefined) return invalid('signature_mismatch')

  const tolerance = scheme.timestamp?.toleranceSeconds ?? 0
  if (timestamp !== undefined && !isTimely(timestamp.instant, request, tolerance)) {
    return invalid('timestamp_out_of_tolerance')
  }
  if (!bodyIsTimely(scheme, request)) return invalid('timestamp_out_of_tolerance')
  if (!bodyHashHolds(scheme, request)) return invalid('body_digest_mismatch')
  // Only now: an id in the body is parsed after the body is known to be the sender's.
  const id = deliveryIdAt(scheme.id, request)
  return {
    valid: true,
    secretIndex: match.secretIndex,
    ...(id === undefined ? {} : { deliveryId: id }),
    ...(timestamp === undefined ? {} : { timestamp: timestamp.instant }),
    ...(match.form.name === undefined ? {} : { form: match.form.name }),
  }
}

/** The members of a list, or the header as one. Blanks after a comma are no part of a member (RFC 9110 §5.6.1). */
function elementsOf({ signature: { list } }: SignedScheme, header: string): readonly string[] {
  if (list === undefined) return [header]
  return header.split(list).map((element) => (list === ',' ? element.replace(/^ +/, '') : element))
}

/**
 * The signatures of a header; undefined when one is not written exactly as the scheme says. In a list, elements of
 * another version are passed over, but one of ours that cannot be read, or stands there twice, spoils the header: no
 * sender signs twice with one secret, but a header that came twice looks so.
 */
function signaturesOf(scheme: SignedScheme, elements: readonly string[]): Buffer[] | undefined {
  const { prefix = '' } = scheme.signature
  const ours = elements.filter((element) => element.startsWith(prefix))
  if (ours.length === 0 || elements.length > MAX_SIGNATURES * 2) return undefined
  if (new Set(ours).size < ours.length) return undefined
  const decoded = ours
    .map((element) => decodeOne(scheme, element.slice(prefix.length)))
    .filter((bytes) => bytes !== undefined)
  return decoded.length === ours.length && decoded.length <= MAX_SIGNATURES ? decoded : undefined
}

function decodeOne({ algorithm, signature }: SignedScheme, text: string): Buffer | undefined {
  const { length } = algorithms[algorithm]
  return signature.encodings
    .map((encoding) => decodeStrictly(text, encoding))
    .find((bytes) => bytes !== undefined && (length === undefined || bytes.length === length))
}

function timestampOf(
  scheme: SignedScheme,
  request: WebhookRequest,
  elements: readonly string[],
): TimestampReading | undefined {
  return scheme.timestamp === undefined
    ? undefined
    : readTimestamp(scheme.timestamp, request, elements)
}

interface Match {
  readonly secretIndex: number
  readonly form: MessageForm
}

function firstMatch(
  scheme: SignedScheme,
  request: WebhookRequest,
  { signatures, ...values }: MessageValues & { readonly signatures: readonly Buffer[] },
): Match | 'no_usable_secret' | undefined {
  const algorithm = algorithms[scheme.algorithm]
  const forms = messageForms(scheme, request)
  const keys = request.secrets.map((secret) => keyOf(secret, scheme.key))
  if (keys.every((key) => key === undefined)) return 'no_usable_secret'

  const matches: Match[] = []
  for (const [secretIndex, key] of keys.entries()) {
    if (key === undefined) continue
    const secret = request.secrets[secretIndex] ?? ''
    for (const form of forms) {
      const message = renderMessage(scheme, form, { ...values, method: request.method, secret })
      const checks = signatures.map((signature) => algorithm.check(key, message, signature))
      if (checks.includes(true)) matches.push({ secretIndex, form })
    }
  }
  return matches[0]
}

/** What is not there cannot have been taken away: the body is signed. */
function bodyIsTimely({ bodyTimestamp: rule }: SignedScheme, request: WebhookRequest): boolean {
  if (rule === undefined) return true
  const reading = readTimestamp(rule, request, [])
  if ('problem' in reading) return reading.problem === 'missing_timestamp'
  return isTimely(reading.instant, request, rule.toleranceSeconds)
}

/** Twilio signs only the URL of a JSON post; the URL then carries the hash of the body. */
function bodyHashHolds(scheme: SignedScheme, request: WebhookRequest): boolean {
  if (scheme.bodyHashQuery === undefined) return true
  const hashes = queryOf(request.url).getAll(scheme.bodyHashQuery)
  if (hashes.length === 0) return true
  const actual = createHash('sha256').update(request.rawBody).digest('hex')
  return hashes.length === 1 && equalInConstantTime(hashes[0] ?? '', actual)
}
