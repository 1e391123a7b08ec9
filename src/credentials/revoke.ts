import { addMs, SECOND_MS } from '../core/time.ts'
import { pairOf } from './credential.ts'
import { revocationRequest } from './grant.ts'
import type { OAuthSecret, RefreshSecret } from './secret.ts'
import { askOnce, post, type Refreshing } from './token-call.ts'

const TIMEOUT_MS = 30 * SECOND_MS
/** A vendor that takes an access token needs one that outlives the call. */
const LASTING_MS = 60 * SECOND_MS

/** Ends a grant at its vendor; false when the vendor could not be told. */
export async function revokeGrant(work: Refreshing, secret: OAuthSecret): Promise<boolean> {
  if (secret.kind !== 'refresh_token') return true
  const live = await liveSecret(work, secret)
  if (live === 'unknown') return false
  const request = live && revocationRequest(work.asking, live)
  if (!request) return true
  try {
    const { status } = await post(work.ports, request, TIMEOUT_MS)
    // RFC 7009 §2.2: 200 says that it is done or that there was nothing to do. What a vendor refuses is dead already.
    return status < 500 && status !== 429 && status !== 408
  } catch {
    return false
  }
}

/**
 * The secret as the vendor's revocation takes it: with an access token that lives, where it wants one. Such a token is
 * stored nowhere; should we die here, the grant is one of which nobody has a token. Undefined: the grant is dead already.
 */
async function liveSecret(
  work: Refreshing,
  secret: RefreshSecret,
): Promise<RefreshSecret | 'unknown' | undefined> {
  const { ports, asking } = work
  const now = ports.clock()
  const pair = pairOf(secret)
  const isLive = pair !== undefined && pair.expiresAt > addMs(now, LASTING_MS)
  if (asking.provider.revocation?.token !== 'access' || isLive) return secret
  const outcome = await askOnce(work, secret, now)
  if (outcome.kind === 'token') return { ...secret, accessToken: outcome.token.accessToken }
  return outcome.kind === 'dead' ? undefined : 'unknown'
}
