import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { algorithms, keyOf } from './algorithms.ts'
import { decodeStrictly } from './encoding.ts'
import { deliveryIdAt, parseJson, valuesAt } from './places.ts'
import { invalid } from './scheme.ts'
import type {
  InvalidReason,
  JwtScheme,
  SignatureAlgorithm,
  Verdict,
  VerificationKey,
  WebhookRequest,
} from './scheme.ts'

type Claims = Readonly<Record<string, unknown>>

/** The names of RFC 7518 §3.1. */
export const signatureAlgorithms: Readonly<Record<JwtScheme['algorithm'], SignatureAlgorithm>> = {
  RS256: 'rsa-sha256',
  ES256: 'ecdsa-sha256-raw',
  HS256: 'hmac-sha256',
}

/**
 * Verifies compact JWTs (RFC 7519) at the scheme's place: every one of them must hold. The algorithm is the scheme's,
 * never the token's, so a public key cannot be offered as an HMAC secret (RFC 8725 §3.1).
 */
export function verifyJwt(scheme: JwtScheme, request: WebhookRequest): Verdict {
  const tokens = valuesAt(scheme.at, request)
  if (tokens.length === 0) return invalid('missing_signature')
  const missing = scheme.claims.some(
    ({ setting, required }) => required && request.expected?.[setting] === undefined,
  )
  if (missing) return invalid('expectation_not_configured')

  const verdicts = tokens.map((token) => verifyOne(scheme, request, token))
  return verdicts.find((verdict) => !verdict.valid) ?? verdicts[0] ?? invalid('missing_signature')
}

function verifyOne(scheme: JwtScheme, request: WebhookRequest, token: string): Verdict {
  const [head = '', payload = '', tail = '', ...more] = token.split('.')
  const header = decodeObject(head)
  const signature = decodeStrictly(tail, 'base64url')
  if (header === undefined || signature === undefined || more.length > 0) {
    return invalid('malformed_signature')
  }
  if (header['alg'] !== scheme.algorithm || 'crit' in header) return invalid('malformed_signature')

  const keys = keysFor(scheme, request, header['kid'])
  if (keys.every((key) => key === undefined)) {
    return invalid(scheme.algorithm === 'HS256' ? 'no_usable_secret' : 'unknown_key')
  }
  const { check } = algorithms[signatureAlgorithms[scheme.algorithm]]
  const message = Buffer.from(`${head}.${payload}`, 'ascii')
  const matches = keys.map((key) => key !== undefined && check(key, message, signature))
  const secretIndex = matches.indexOf(true)
  if (secretIndex < 0) return invalid('signature_mismatch')

  const claims = decodeObject(payload)
  if (claims === undefined) return invalid('malformed_signature')
  const problem = timeProblem(scheme, claims, request.now) ?? claimProblem(scheme, claims, request)
  if (problem !== undefined) return invalid(problem)
  const deliveryId = deliveryIdAt(scheme.id, request)
  const issuedAt = claims['iat']
  return {
    valid: true,
    secretIndex,
    ...(deliveryId === undefined ? {} : { deliveryId }),
    ...(typeof issuedAt === 'number' ? { timestamp: new Date(issuedAt * 1_000) } : {}),
  }
}

function keysFor(
  scheme: JwtScheme,
  request: WebhookRequest,
  kid: unknown,
): readonly (KeyObject | undefined)[] {
  if (scheme.algorithm === 'HS256') {
    return request.secrets.map((secret) => keyOf(secret, { encoding: 'utf8' }))
  }
  return (request.keys ?? []).map((key) =>
    kid === undefined || key.kid === undefined || key.kid === kid ? fromJwk(key) : undefined,
  )
}

function fromJwk(key: VerificationKey): KeyObject | undefined {
  if (key['use'] === 'enc') return undefined
  try {
    return createPublicKey({ key, format: 'jwk' })
  } catch {
    return undefined
  }
}

/** A JSON object in base64url. The signature covers the text, so its decoding need not be strict. */
function decodeObject(part: string): Claims | undefined {
  const value = parseJson(Buffer.from(part, 'base64url'))
  return isObject(value) ? value : undefined
}

function isObject(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `exp` is demanded; `nbf` and `iat` must not lie in the future (RFC 7519 §4.1.4–4.1.6). */
function timeProblem(
  { clockSkewSeconds }: JwtScheme,
  claims: Claims,
  now: Date,
): InvalidReason | undefined {
  const seconds = now.getTime() / 1_000
  const { exp, nbf, iat } = claims
  if (typeof exp !== 'number' || seconds >= exp + clockSkewSeconds) return 'token_expired'
  const starts = [nbf, iat].filter((start) => start !== undefined)
  const begun = starts.every(
    (start) => typeof start === 'number' && start <= seconds + clockSkewSeconds,
  )
  return begun ? undefined : 'timestamp_out_of_tolerance'
}

function claimProblem(
  scheme: JwtScheme,
  claims: Claims,
  { expected = {} }: WebhookRequest,
): InvalidReason | undefined {
  const issuerHolds = scheme.issuers?.some((issuer) => issuer === claims['iss']) ?? true
  const fixedHold = Object.entries(scheme.fixedClaims ?? {}).every(
    ([claim, value]) => claims[claim] === value,
  )
  const expectedHold = scheme.claims.every(({ claim, setting }) => {
    const value = expected[setting]
    return value === undefined || matches(claims[claim], value)
  })
  return issuerHolds && fixedHold && expectedHold ? undefined : 'claim_mismatch'
}

/** `aud` may be a list (RFC 7519 §4.1.3). */
function matches(actual: unknown, expected: string): boolean {
  return Array.isArray(actual) ? actual.includes(expected) : actual === expected
}
