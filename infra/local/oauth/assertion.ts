import { importSPKI, jwtVerify } from 'jose'
import type { Profile } from './profiles.ts'

/** A key that an administrator of the vendor's side has registered, and whom it may speak for. */
export interface TrustedKey {
  /** SPKI, PEM. */
  readonly publicKey: string
  readonly algorithm: string
  readonly subject: string
}

export interface AssertionCheck {
  readonly assertion: string
  readonly profile: Profile
  readonly clientId: string
  readonly origin: string
  readonly now: Date
  readonly keys: readonly TrustedKey[]
  /** The `jti`s that were used; a good one is added. */
  readonly used: Set<string>
}

/** Whether an assertion is good (RFC 7523 §3): signature, `iss`, `aud`, `sub`, `exp`, and `jti` where it counts. */
export async function isGoodAssertion(check: AssertionCheck): Promise<boolean> {
  const { profile, keys, now, used } = check
  const rules = profile.assertion
  if (!rules) return false
  for (const key of keys) {
    const claims = await claimsOf(check, rules, key)
    if (!claims) continue
    const isShort = (claims.exp ?? 0) - now.getTime() / 1_000 <= rules.longestSeconds
    const jti = claims.jti ?? ''
    if (!isShort || (rules.once && (jti === '' || used.has(jti)))) return false
    used.add(jti)
    return true
  }
  return false
}

async function claimsOf(
  { assertion, clientId, origin, now }: AssertionCheck,
  { audience, skewSeconds }: NonNullable<Profile['assertion']>,
  { publicKey, algorithm, subject }: TrustedKey,
) {
  try {
    const key = await importSPKI(publicKey, algorithm)
    const { payload } = await jwtVerify(assertion, key, {
      algorithms: [algorithm],
      issuer: clientId,
      audience: audience === 'origin' ? origin : clientId,
      subject,
      currentDate: now,
      clockTolerance: skewSeconds,
      requiredClaims: ['exp', 'iss', 'aud', 'sub'],
    })
    return payload
  } catch {
    return undefined
  }
}
