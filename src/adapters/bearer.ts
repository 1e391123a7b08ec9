import {
  createRemoteJWKSet,
  decodeJwt,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose'
import { z } from 'zod'
import type { Caller } from '../core/caller.ts'
import { AppError } from '../core/errors.ts'

export interface BearerOptions {
  /** Issuers whose tokens we accept, as their URLs. */
  readonly issuers: readonly string[]
  readonly audience: string
  readonly fetch: typeof globalThis.fetch
}

const discoveryShape = z.object({ jwks_uri: z.url() })
const claimsShape = z.object({
  sub: z.string().min(1),
  tenantId: z.string().min(1),
  roles: z.array(z.string()).default([]),
  userSysId: z.string().min(1).optional(),
})
const TIMEOUT_MS = 5_000
const CLOCK_TOLERANCE_SECONDS = 30

/** Says who holds a bearer token. Throws `unauthenticated` for any token that is not good; never says more than that. */
export function bearerVerifier({ issuers, audience, fetch }: BearerOptions) {
  const keySets = new Map<string, Promise<JWTVerifyGetKey>>()
  const keysOf = (issuer: string) => {
    const known = keySets.get(issuer)
    if (known) return known
    const found = discoverKeys(issuer, fetch)
    keySets.set(issuer, found)
    // A failed discovery is tried again by the next caller.
    found.catch(() => keySets.delete(issuer))
    return found
  }
  return async (token: string): Promise<Caller> => {
    const issuer = trustedIssuerOf(token, issuers)
    const payload = await verify(token, await keysOf(issuer.trusted), {
      issuer: issuer.claimed,
      audience,
    })
    const claims = claimsShape.safeParse(payload)
    if (!claims.success) throw refused('the token lacks sub or tenantId')
    const { sub, tenantId, roles, userSysId } = claims.data
    return { subject: sub, tenantId, roles, userId: userSysId ?? sub }
  }
}

function trustedIssuerOf(token: string, issuers: readonly string[]) {
  const claimed = unverifiedIssuer(token)
  const trusted = issuers.find((issuer) => issuer === claimed.replace(/\/+$/, ''))
  if (trusted === undefined) throw refused('the token is of an issuer that is not trusted here')
  return { claimed, trusted }
}

function unverifiedIssuer(token: string): string {
  try {
    return decodeJwt(token).iss ?? ''
  } catch (cause) {
    throw refused('the bearer token is not a JWT', cause)
  }
}

/** OpenID Connect Discovery 1.0 §4. */
async function discoverKeys(
  issuer: string,
  fetch: typeof globalThis.fetch,
): Promise<JWTVerifyGetKey> {
  try {
    const response = await fetch(`${issuer}/.well-known/openid-configuration`, {
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const { jwks_uri } = discoveryShape.parse(await response.json())
    return createRemoteJWKSet(new URL(jwks_uri), { timeoutDuration: TIMEOUT_MS })
  } catch (cause) {
    throw new AppError('issuer_unavailable', 'the keys of a trusted issuer could not be read', {
      cause,
    })
  }
}

async function verify(
  token: string,
  keys: JWTVerifyGetKey,
  expected: { readonly issuer: string; readonly audience: string },
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      ...expected,
      algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp'],
    })
    return payload
  } catch (cause) {
    throw refused('the bearer token is expired, not for us, or not signed by its issuer', cause)
  }
}

function refused(message: string, cause?: unknown): AppError {
  return new AppError('unauthenticated', message, { cause })
}
