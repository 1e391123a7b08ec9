import type { Stored } from '../core/collection.ts'
import { explain } from '../core/errors.ts'
import { retryDelayMs } from '../core/retry-delay.ts'
import { addMs, MINUTE_MS, SECOND_MS } from '../core/time.ts'
import { claimed, type Credential, type Intent } from './credential.ts'
import {
  isAbandoned,
  replace,
  whileHolding,
  type Held,
  adoptLatest,
  movePointer,
  type Seen,
} from './lease.ts'
import type { CredentialPorts } from './ports.ts'
import { mayReplay } from './provider.ts'
import { revokeGrant } from './disconnect.ts'
import { secretName, type OAuthSecret, type VersionedSecret } from './secret.ts'
import type { GrantOutcome, Token } from './token-answer.ts'
import { askOnce, type Refreshing } from './token-call.ts'
import { coolDown, flag, type Trouble } from './trouble.ts'

export type Refreshed =
  | { readonly kind: 'refreshed'; readonly pair: VersionedSecret<OAuthSecret> }
  | Trouble

const again = { kind: 'again' } as const

/**
 * Asks the provider for a new token, once among all instances. What is about to be done stands in the document before the
 * call; the new pair lies in the vault before anybody uses it; the pointer moves to it on condition. Whoever finds the
 * document of one who died in between settles it (`settleIntent`).
 */
export async function refreshOAuthToken(work: Refreshing, seen: Seen): Promise<Refreshed> {
  const { ports, options } = work
  const { stored, current } = seen
  const inherited = stored.document.intent ?? undefined
  const claim = {
    owner: options.owner,
    attempt: ports.newId(),
    version: current.version,
    leaseMs: options.leaseMs,
    now: ports.clock(),
  }
  const taken = await take(ports, stored, claimed(stored.document, claim))
  if (!taken) return again
  const held: Held = { stored: taken, lost: false }
  const result = await whileHolding(ports, { held, leaseMs: options.leaseMs }, async () => {
    const { outcome, askedAt, isUncertain } = await askProvider(work, current, held)
    if (outcome.kind !== 'token') return { kind: 'failed', outcome, isUncertain } as const
    const secret = renewed(current, outcome.token, askedAt)
    return { kind: 'stored', pair: { secret, version: await store(ports, held, secret) } } as const
  })
  if (result.kind === 'stored') {
    const isOurs = await movePointer(ports, held.stored, result.pair)
    if (!isOurs) await endIfEnded(work, held, result.pair)
    return isOurs ? { kind: 'refreshed', pair: result.pair } : again
  }
  const isUncertain = result.isUncertain || inherited !== undefined
  return settle(work, { held, current, outcome: result.outcome, isUncertain })
}

/** A credential that was ended while its provider was slow: what came of it is ended as well. */
async function endIfEnded(
  work: Refreshing,
  { stored }: Held,
  { secret }: VersionedSecret<OAuthSecret>,
): Promise<void> {
  const { ports } = work
  const { tenantId, id } = stored.document
  const found = await ports.credentials.get([tenantId], id)
  if (found && !found.document.endedAt) return
  const { kind } = await revokeGrant(work, secret)
  if (kind !== 'told')
    ports.log.warn('a grant was removed without its vendor knowing', { credentialId: id })
  await ports.vault.remove(secretName(id))
}

/** A claim of which only the answer was lost is held all the same: nothing was done with it yet. */
async function take(
  ports: CredentialPorts,
  stored: Stored<Credential>,
  claim: Credential,
): Promise<Stored<Credential> | undefined> {
  try {
    return await replace(ports, stored, claim)
  } catch (error) {
    const found = await ports.credentials.get([claim.tenantId], claim.id)
    if (found?.document.intent?.attempt !== claim.intent?.attempt) throw error
    return found
  }
}

interface Asked {
  readonly outcome: GrantOutcome
  readonly askedAt: Date
  /** One of the calls may have been done although we had no answer. */
  readonly isUncertain: boolean
}

const backoff = { baseMs: 250, capMs: SECOND_MS }

/** Calls the token endpoint, again after a fault that allows it. */
async function askProvider(
  work: Refreshing,
  { secret }: VersionedSecret<OAuthSecret>,
  held: Held,
): Promise<Asked> {
  const { ports, options, asking } = work
  const since = new Date(intentOf(held).since)
  let isUncertain = false
  for (let tried = 1; ; tried += 1) {
    const askedAt = ports.clock()
    const outcome = await askOnce(work, secret, askedAt)
    isUncertain ||= outcome.kind === 'unknown'
    const isFault = outcome.kind === 'unavailable' || outcome.kind === 'unknown'
    const replayable =
      !isUncertain || mayReplay(asking.provider, secret, { since, now: ports.clock() })
    if (!isFault || !replayable || held.lost || tried >= options.maxTries) {
      return { outcome, askedAt, isUncertain }
    }
    await ports.pause(retryDelayMs(tried, ports.random(), backoff))
  }
}

function intentOf({ stored }: Held): Intent {
  const { intent } = stored.document
  if (!intent) throw new Error('a claimed credential has no intent')
  return intent
}

function renewed(
  { secret, version }: VersionedSecret<OAuthSecret>,
  { accessToken, lifetimeSeconds, refreshToken, instanceUrl }: Token,
  askedAt: Date,
): OAuthSecret {
  const pair = {
    accessToken,
    obtainedAt: askedAt.toISOString(),
    expiresAt: addMs(askedAt, lifetimeSeconds * SECOND_MS).toISOString(),
    from: version,
    ...(instanceUrl === undefined ? {} : { instanceUrl }),
  }
  if (secret.kind !== 'refresh_token') return { ...secret, ...pair }
  const rotates = refreshToken !== undefined && refreshToken !== secret.refreshToken
  return { ...secret, ...pair, refreshToken: refreshToken ?? secret.refreshToken, rotates }
}

/** The pair is all there is of the grant now: the vault is asked longer than usual. */
const STORE_TRIES = 20

async function store(ports: CredentialPorts, held: Held, secret: OAuthSecret): Promise<string> {
  const { document } = held.stored
  for (let tried = 1; ; tried += 1) {
    try {
      return await ports.vault.set(
        secretName(document.id),
        JSON.stringify(secret),
        expiryOf(document, ports.clock()),
      )
    } catch (error) {
      if (tried >= STORE_TRIES) throw error
      ports.log.warn(`a new token could not be stored yet: ${explain(error)}`, {
        credentialId: document.id,
      })
      await ports.pause(SECOND_MS)
    }
  }
}

const DEVICE_SECRET_DAYS = 90

/** Secrets of phones end ninety days after their last use. */
export function expiryOf({ type }: Credential, now: Date): Date | undefined {
  return type === 'device' ? addMs(now, DEVICE_SECRET_DAYS * 24 * 60 * MINUTE_MS) : undefined
}

interface Settling {
  readonly held: Held
  readonly current: VersionedSecret<OAuthSecret>
  readonly outcome: Exclude<GrantOutcome, { kind: 'token' }>
  readonly isUncertain: boolean
}

const OPERATOR_COOLDOWN_MS = 15 * MINUTE_MS

/** Writes down why there is no new token. Every write is on condition: who lost the lease flags nothing. */
async function settle(work: Refreshing, settling: Settling): Promise<Trouble> {
  const { ports, asking } = work
  const { held, current, outcome, isUncertain } = settling
  const { stored } = held
  const now = ports.clock()
  const since = new Date(intentOf(held).since)
  const { reason } = outcome
  switch (outcome.kind) {
    case 'dead':
      if (await adoptLatest(ports, { stored, current }, () => true)) return again
      return flag(ports, stored, reason)
    case 'unknown':
      if (!mayReplay(asking.provider, current.secret, { since, now })) {
        return flag(ports, stored, `${reason}; its token works only once and may be used up`)
      }
      return coolDown(ports, stored, { reason, now, keepsIntent: true })
    case 'operator':
      return coolDown(ports, stored, {
        reason,
        now,
        afterMs: OPERATOR_COOLDOWN_MS,
        keepsIntent: isUncertain,
        notice: 'client_refused',
      })
    case 'throttled':
      return coolDown(ports, stored, {
        reason,
        now,
        afterMs: outcome.afterMs,
        keepsIntent: isUncertain,
      })
    case 'limited':
      return coolDown(ports, stored, {
        reason,
        now,
        afterMs: outcome.afterMs,
        limited: true,
        keepsIntent: isUncertain,
      })
    case 'unavailable':
      return coolDown(ports, stored, { reason, now, keepsIntent: isUncertain })
  }
}

/**
 * Settles a use of the grant that somebody began and did not end. What was stored of it counts; else the grant is used
 * again where the provider allows that ('free'); else a person must connect again. 'held': somebody is still at it.
 */
export async function settleIntent(
  { ports, options, asking }: Refreshing,
  seen: Seen,
): Promise<Trouble | 'free' | 'held'> {
  const { stored, current } = seen
  const { intent } = stored.document
  if (!intent) return 'free'
  if (!(await isAbandoned(ports, stored, options))) return 'held'
  if (await adoptLatest(ports, seen, ({ from }) => from === intent.version)) return again
  const since = new Date(intent.since)
  if (mayReplay(asking.provider, current.secret, { since, now: ports.clock() })) {
    return 'free'
  }
  return flag(
    ports,
    stored,
    'a refresh was interrupted, and the token that it used works only once',
  )
}

/** After a person was asked to connect again, a late answer may have reached the vault: then nobody needs to. */
export async function healFlagged(ports: CredentialPorts, seen: Seen): Promise<boolean> {
  const { intent } = seen.stored.document
  if (!intent) return false
  return adoptLatest(ports, seen, ({ from }) => from === intent.version)
}
