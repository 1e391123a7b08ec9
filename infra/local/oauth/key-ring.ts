import { randomUUID } from 'node:crypto'
import {
  createLocalJWKSet,
  decodeJwt,
  errors,
  exportJWK,
  generateKeyPair,
  jwtVerify,
  SignJWT,
  type CryptoKey,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
} from 'jose'

export type SigningAlgorithm = 'RS256' | 'ES256'

/** What a check of a bearer token found. */
export type TokenVerdict =
  | { readonly valid: true; readonly claims: JWTPayload }
  | { readonly valid: false; readonly reason: 'malformed' | 'signature' | 'expired' }
  | { readonly valid: false; readonly reason: 'audience'; readonly audience: string }

export interface KeyRing {
  /** Public keys that verifiers should accept, the signing one first (RFC 7517 §5). */
  keySet(): JSONWebKeySet
  sign(claims: JWTPayload): Promise<string>
  /** Signs with a new key from now on. The former keys stay published unless they are to be forgotten. */
  rotate(options?: { readonly forgetFormer?: boolean }): Promise<void>
  verify(token: string, audience: string): Promise<TokenVerdict>
}

interface SigningKey {
  readonly publicKey: JWK
  readonly privateKey: CryptoKey
}

/** Keys of a token issuer. `now` (milliseconds since the epoch) decides what has expired. */
export async function createKeyRing(
  algorithm: SigningAlgorithm,
  now: () => number,
): Promise<KeyRing> {
  let current = await createKey(algorithm)
  let former: readonly JWK[] = []
  const keySet = () => ({ keys: [current.publicKey, ...former] })
  let findKey = createLocalJWKSet(keySet())
  return {
    keySet,
    sign: (claims) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: algorithm, typ: 'JWT', kid: current.publicKey.kid ?? '' })
        .sign(current.privateKey),
    rotate: async ({ forgetFormer = false } = {}) => {
      const next = await createKey(algorithm)
      former = forgetFormer ? [] : [current.publicKey, ...former]
      current = next
      findKey = createLocalJWKSet(keySet())
    },
    verify: async (token, audience) => {
      try {
        const { payload } = await jwtVerify(token, findKey, {
          algorithms: [algorithm],
          currentDate: new Date(now()),
          audience: [audience, `${audience}/`],
          requiredClaims: ['exp'],
        })
        return { valid: true, claims: payload }
      } catch (error) {
        return explain(error, token)
      }
    },
  }
}

async function createKey(algorithm: SigningAlgorithm): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { modulusLength: 2048 })
  const jwk = await exportJWK(publicKey)
  return { privateKey, publicKey: { ...jwk, kid: randomUUID(), alg: algorithm, use: 'sig' } }
}

function explain(error: unknown, token: string): TokenVerdict {
  if (error instanceof errors.JWTExpired) return { valid: false, reason: 'expired' }
  if (error instanceof errors.JWTClaimValidationFailed) {
    const expired = error.claim === 'nbf' || error.claim === 'exp'
    if (expired) return { valid: false, reason: 'expired' }
    return { valid: false, reason: 'audience', audience: String(decodeJwt(token).aud) }
  }
  const forged =
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JWKSNoMatchingKey
  return { valid: false, reason: forged ? 'signature' : 'malformed' }
}
