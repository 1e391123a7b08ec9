import type { Collection, Stored } from '../core/collection.ts'
import { instanceOrigin, type Connection } from '../core/connection.ts'
import { AppError, rateLimited } from '../core/errors.ts'
import { addMs, HOUR_MS, SECOND_MS } from '../core/time.ts'
import type { Purpose } from './authorization.ts'
import { pairOf, type Credential } from './credential.ts'
import { askingFor, revocationRequest } from './grant.ts'
import { replace, oauthSecret } from './lease.ts'
import type { CredentialOptions, CredentialPorts } from './ports.ts'
import { askOnce, post, tokenCallOf, type Refreshing } from './token-call.ts'
import { secretName, type OAuthSecret, type RefreshSecret } from './secret.ts'
import { revokeSessions, type DeviceSession } from './session.ts'

export interface DisconnectPorts extends CredentialPorts {
  readonly sessions: Collection<DeviceSession>
  readonly connections: Collection<Connection>
}

export type Ending = Pick<Purpose, 'tenantId' | 'credentialId' | 'integrationId' | 'origin'> & {
  readonly connectionId?: string
}

/** A vendor that cannot be told for so long is not waited for: an instance may be gone for good. */
const PATIENCE_MS = 24 * HOUR_MS
const TRIES = 5

/**
 * Ends a connection's credential, and with the last connection to an instance the phones there: nobody gets a token any
 * more, the provider is told, the secrets and the documents are removed, the phones' sessions are revoked. In an order in
 * which every step can be repeated, after a crash at any of them too. Throws `rate_limited`, and `vendor_failed` when a provider could not be
 * told: that secret is still there for the next try, until a day has passed.
 */
export async function disconnect(
  ports: DisconnectPorts,
  options: CredentialOptions,
  of: Ending,
): Promise<void> {
  const { tenantId, integrationId, origin } = of
  await end(ports, options, of)
  if (await isUsedElsewhere(ports, of)) return
  await revokeSessions(ports, { tenantId, origin })
  const devices = { anyOf: [[{ field: 'type', is: '=', value: 'device' }]] } as const
  for await (const { document } of ports.credentials.query(devices, [tenantId])) {
    if (document.device?.origin !== origin) continue
    await end(ports, options, { tenantId, integrationId, origin, credentialId: document.id })
  }
}

/** Whether another connection of the tenant leads to the same instance. */
async function isUsedElsewhere(
  { connections }: DisconnectPorts,
  { tenantId, credentialId, origin }: Ending,
): Promise<boolean> {
  const others = {
    anyOf: [[{ field: 'credentialId', is: '!=', value: credentialId }]],
  } as const
  for await (const { document } of connections.query(others, [tenantId])) {
    if (instanceOrigin(document) === origin) return true
  }
  return false
}

async function end(ports: DisconnectPorts, options: CredentialOptions, of: Ending): Promise<void> {
  const name = secretName(of.credentialId)
  const off = await switchOff(ports, of)
  // Not the one that the pointer names: a refresh that was interrupted may have stored a younger one.
  const latest = off && (await ports.vault.latest(name))
  const secret = latest && oauthSecret(latest.value)
  if (off && secret) await tellVendor({ ports, options, of }, off.document, secret)
  await ports.vault.remove(name)
  if (off) await remove(ports, off)
}

interface Ended {
  readonly ports: DisconnectPorts
  readonly options: CredentialOptions
  readonly of: Ending
}

async function tellVendor(
  { ports, options, of }: Ended,
  { endedAt }: Credential,
  secret: OAuthSecret,
): Promise<void> {
  const asking = askingFor(ports, of, secret)
  if (!asking) return
  const call = tokenCallOf(asking.provider.revocation?.url, { ...of, isAwaited: true })
  const answer = await revokeGrant({ ports, options, asking, call }, secret)
  if (answer.kind === 'told') return
  if (answer.kind === 'limited') throw rateLimited(answer.afterMs)
  const waited = ports.clock().getTime() - Date.parse(endedAt ?? '')
  if (waited < PATIENCE_MS) {
    throw new AppError('vendor_failed', 'the vendor could not be told; try again')
  }
  const { tenantId, credentialId } = of
  ports.log.warn('a grant was removed without its vendor knowing', { tenantId, credentialId })
}

/** From here on nobody gets it. A refresh that is under way finds it ended, and ends what it got (`refreshOAuthToken`). */
async function switchOff(
  ports: DisconnectPorts,
  { tenantId, credentialId }: Ending,
): Promise<Stored<Credential> | undefined> {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const stored = await ports.credentials.get([tenantId], credentialId)
    if (!stored || stored.document.endedAt) return stored
    const endedAt = ports.clock().toISOString()
    const off = { ...stored.document, enabled: false, notice: null, endedAt }
    const written = await replace(ports, stored, off)
    if (written) return written
  }
  throw new AppError('conflict', `the credential ${credentialId} kept changing`)
}

/** A document that has changed meanwhile is removed by the next try. */
async function remove({ credentials }: DisconnectPorts, { document, etag }: Stored<Credential>) {
  await credentials.write([document.tenantId], [{ kind: 'remove', document, etag }])
}

const TIMEOUT_MS = 30 * SECOND_MS
/** A vendor that takes an access token needs one that outlives the call. */
const LASTING_MS = 60 * SECOND_MS

const told = { kind: 'told' } as const

interface Limited {
  readonly afterMs: number
}

type Told =
  | { readonly kind: 'told' | 'untold' }
  | { readonly kind: 'limited'; readonly afterMs: number }

/** Ends a grant at its vendor, where the limits allow the call now. */
export async function revokeGrant(work: Refreshing, secret: OAuthSecret): Promise<Told> {
  if (secret.kind !== 'refresh_token') return told
  const live = await liveSecret(work, secret)
  if (live === 'unknown') return { kind: 'untold' }
  if (live && 'afterMs' in live) return { kind: 'limited', afterMs: live.afterMs }
  const request = live && revocationRequest(work.asking, live)
  if (!request) return told
  const { ports, call } = work
  const afterMs = await ports.quota.admit(call)
  if (afterMs !== undefined) return { kind: 'limited', afterMs }
  try {
    const { status } = await post(ports, { request, call, timeoutMs: TIMEOUT_MS })
    // RFC 7009 §2.2: 200 says that it is done or that there was nothing to do. What a vendor refuses is dead already.
    const isDone = status < 500 && status !== 429 && status !== 408
    return isDone ? told : { kind: 'untold' }
  } catch {
    return { kind: 'untold' }
  }
}

/**
 * The secret as the vendor's revocation takes it: with an access token that lives, where it wants one. Such a token is
 * stored nowhere; should we die here, the grant is one of which nobody has a token. Undefined: the grant is dead already.
 */
async function liveSecret(
  work: Refreshing,
  secret: RefreshSecret,
): Promise<RefreshSecret | Limited | 'unknown' | undefined> {
  const { ports, asking } = work
  const now = ports.clock()
  const pair = pairOf(secret)
  const isLive = pair !== undefined && pair.expiresAt > addMs(now, LASTING_MS)
  if (asking.provider.revocation?.token !== 'access' || isLive) return secret
  const outcome = await askOnce(work, secret, now)
  if (outcome.kind === 'token') return { ...secret, accessToken: outcome.token.accessToken }
  if (outcome.kind === 'limited') return { afterMs: outcome.afterMs }
  return outcome.kind === 'dead' ? undefined : 'unknown'
}
