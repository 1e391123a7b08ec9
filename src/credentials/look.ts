import type { Stored } from '../core/collection.ts'
import { SECOND_MS } from '../core/time.ts'
import {
  authorized,
  foreign,
  missing,
  reauth,
  refuse,
  unchanging,
  WAITS_FOR_PERSON,
} from './answer.ts'
import {
  isAlive,
  isForeign,
  standingOf,
  type Credential,
  type Standing,
  type Wish,
} from './credential.ts'
import { askingFor } from './grant.ts'
import type {
  CredentialAnswer,
  CredentialOptions,
  CredentialPorts,
  CredentialRequest,
} from './ports.ts'
import { healFlagged, refreshOAuthToken, settleIntent } from './refresh.ts'
import { parseSecret, secretName, type OAuthSecret, type VersionedSecret } from './secret.ts'
import { tokenCallOf } from './token-call.ts'
import { tellLeftBehind } from './trouble.ts'

interface Looking {
  readonly ports: CredentialPorts
  readonly options: CredentialOptions
  readonly request: CredentialRequest
  /** What this process read last. */
  readonly memory: VersionedSecret | undefined
}

export interface Found {
  readonly answer: CredentialAnswer
  readonly pair?: VersionedSecret
}

const STEPS_MS = [100, 250, 500, SECOND_MS] as const
/** Whoever is overtaken so often comes back later. */
const MAX_ROUNDS = 50

/** One look at a credential, until it has an answer. Owns the time that it has waited. */
export class Look {
  readonly #looking: Looking
  #waitedMs = 0
  #steps = 0

  constructor(looking: Looking) {
    this.#looking = looking
  }

  async run(): Promise<Found> {
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const found = await this.#round()
      if (found) return found
    }
    return { answer: { kind: 'retry', reason: 'it keeps changing', afterMs: SECOND_MS } }
  }

  /** Undefined: look again. */
  async #round(): Promise<Found | undefined> {
    const { ports, request } = this.#looking
    const { tenantId, credentialId } = request
    const stored = await ports.credentials.get([tenantId], credentialId)
    if (!stored?.document.enabled) return { answer: missing }
    if (isForeign(stored.document, request.origin)) return { answer: foreign }
    const pair = await this.#read(stored.document)
    if (!pair) return { answer: refuse('credential_not_found', 'the vault holds no usable secret') }
    const { secret, version } = pair
    if (secret.kind === 'basic' || secret.kind === 'api_key') {
      return { answer: unchanging(stored.document, secret, request), pair }
    }
    const now = ports.clock()
    const wish = wishOf(request)
    const standing = standingOf(stored.document, secret, { now, wish })
    const current = { secret, version }
    switch (standing.kind) {
      case 'usable':
        return { answer: authorized(secret), pair }
      case 'reauth':
        return this.#parked(stored, current)
      case 'cooling':
      case 'busy':
        // Somebody refreshes already, or will later: until then the token that still works is good enough.
        if (isAlive(secret, now, wish) && !this.#diesSoon(standing)) {
          return { answer: authorized(secret), pair }
        }
        return this.#wait(standing, now)
      case 'unsettled':
      case 'free':
        return this.#refresh(stored, current)
    }
  }

  /** Whether the vendor ends the present token as soon as it gives another, which somebody is asking for. */
  #diesSoon({ kind }: Standing): boolean {
    const { ports, options, request } = this.#looking
    const { killsOldAccess = false } = ports.providerOf(request.integrationId) ?? {}
    return killsOldAccess && kind === 'busy' && this.#waitedMs < options.patienceMs
  }

  /** The pair that the pointer names. One that is gone is looked for under the pointer's present place. */
  async #read({ id, secretVersion }: Credential): Promise<VersionedSecret | undefined> {
    const { ports, memory } = this.#looking
    if (memory && memory.version === secretVersion) return memory
    const name = secretName(id)
    const text =
      secretVersion === undefined ? undefined : await ports.vault.get(name, secretVersion)
    const found =
      text === undefined || secretVersion === undefined
        ? await ports.vault.latest(name)
        : { value: text, version: secretVersion }
    const secret = found && parseSecret(found.value)
    return found && secret && { secret, version: found.version }
  }

  async #parked(
    stored: Stored<Credential>,
    current: VersionedSecret<OAuthSecret>,
  ): Promise<Found | undefined> {
    const { ports } = this.#looking
    await tellLeftBehind(ports, stored)
    if (await healFlagged(ports, { stored, current })) return undefined
    return { answer: reauth(WAITS_FOR_PERSON) }
  }

  async #wait(
    standing: Extract<Standing, { kind: 'busy' | 'cooling' }>,
    now: Date,
  ): Promise<Found | undefined> {
    const { ports, options } = this.#looking
    const left = standing.until.getTime() - now.getTime()
    if (standing.kind === 'cooling') {
      const { reason, limited } = standing
      return { answer: { kind: 'retry', reason, afterMs: left, ...(limited ? { limited } : {}) } }
    }
    if (this.#waitedMs >= options.patienceMs) {
      const afterMs = Math.min(Math.max(left, SECOND_MS), options.leaseMs)
      return { answer: { kind: 'retry', reason: 'another instance refreshes it', afterMs } }
    }
    const stepMs = STEPS_MS[this.#steps] ?? SECOND_MS
    this.#steps += 1
    this.#waitedMs += stepMs
    await ports.pause(stepMs)
    return undefined
  }

  async #refresh(
    stored: Stored<Credential>,
    current: VersionedSecret<OAuthSecret>,
  ): Promise<Found | undefined> {
    const { ports, options, request } = this.#looking
    const asking = askingFor(ports, request, current.secret)
    if (!asking) {
      const reason = `no OAuth client is set for ${request.integrationId}, or not for this host`
      return { answer: refuse('credential_not_found', reason) }
    }
    const call = tokenCallOf(asking.provider.tokenUrl, request)
    const work = { ports, options, asking, call }
    const seen = { stored, current }
    const settled = await settleIntent(work, seen)
    // By our clock its lease has ended, yet it lives.
    if (settled === 'held') return this.#wait({ kind: 'busy', until: ports.clock() }, ports.clock())
    const outcome = settled === 'free' ? await refreshOAuthToken(work, seen) : settled
    switch (outcome.kind) {
      case 'again':
        return undefined
      case 'refreshed':
        return { answer: authorized(outcome.pair.secret), pair: outcome.pair }
      case 'retry':
        return { answer: this.#stillGood(current) ?? outcome }
      case 'reauth':
        return { answer: reauth(outcome.reason) }
    }
  }

  /** A refresh ahead of time that failed is no reason to stop while the old token works. */
  #stillGood({ secret }: VersionedSecret<OAuthSecret>): CredentialAnswer | undefined {
    const wish = wishOf(this.#looking.request)
    const now = this.#looking.ports.clock()
    return wish.lastingMs === undefined && isAlive(secret, now, wish)
      ? authorized(secret)
      : undefined
  }
}

export function wishOf({ refused, lastingMs }: CredentialRequest): Wish {
  const header = refused?.['authorization']
  return { refused: header?.replace(/^Bearer /, ''), lastingMs }
}
