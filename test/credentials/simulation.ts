import { AppError } from '../../src/core/errors.ts'
import type { Log } from '../../src/core/log.ts'
import { credentialAccess } from '../../src/credentials/access.ts'
import type { Credential } from '../../src/credentials/credential.ts'
import type { CredentialAnswer, CredentialPorts } from '../../src/credentials/ports.ts'
import type { Rotation } from '../../src/credentials/provider.ts'
import { memoryCollection } from '../ports/memory-collection.ts'
import { memoryVault } from '../ports/memory-vault.ts'
import { memoryProvider } from './memory-provider.ts'

/** Numbers in [0, 1) that follow from the seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export interface Chances {
  /** That an instance dies at a call of a port, before or after its effect. */
  readonly crash: number
  /** That the effect happens and the caller hears of a failure. */
  readonly lostAnswer: number
  /** That the provider is slower than a lease is long. */
  readonly slow: number
  /** How far instances' clocks are off, at most. */
  readonly skewMs: number
}

export const silentLog: Log = { info() {}, warn() {}, error() {}, metric() {} }

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

const START = Date.parse('2026-03-01T10:00:00.000Z')

/** Virtual time: whatever is due next happens next, and what it causes settles before the one after. */
function timeline() {
  let nowMs = START
  let order = 0
  let events: Event[] = []
  return {
    now: () => nowMs,
    at: (delayMs: number, run: () => void) => {
      events.push({ at: nowMs + delayMs, order: (order += 1), run })
    },
    run: async (until: () => boolean) => {
      for (let steps = 0; !until(); steps += 1) {
        if (steps > 20_000) throw new Error('the schedule does not end')
        const next = events.reduce<Event | undefined>(
          (first, one) =>
            !first || one.at < first.at || (one.at === first.at && one.order < first.order)
              ? one
              : first,
          undefined,
        )
        if (!next) return
        events = events.filter((one) => one !== next)
        nowMs = Math.max(nowMs, next.at)
        next.run()
        await new Promise<void>((resolve) => {
          setImmediate(resolve)
        })
      }
    },
  }
}

export const key = { tenantId: 'tenant-1', credentialId: 'cred-1', integrationId: 'vendor' }

/**
 * A provider, a store and a vault, and instances that use them and die at any of their calls. Every call takes a time of
 * its own; its effect happens somewhere within.
 */
export function simulate(seed: number, rotation: Rotation, chances: Chances) {
  const random = randomFrom(seed)
  const time = timeline()
  const provider = memoryProvider(rotation, time.now)
  const credentials = memoryCollection<Credential>()
  const vault = memoryVault()
  const notices: string[] = []
  const happened = { crashes: 0, lost: 0 }
  let ids = 0

  const instance = (mortal: boolean) => {
    const life = { dead: false }
    const skewMs = (random() * 2 - 1) * chances.skewMs
    /** Runs an effect somewhere within a call that takes a while. */
    const through = <T>(
      work: () => Promise<T> | T,
      { tookMs, lost }: { readonly tookMs: number; readonly lost: () => Error },
    ): Promise<T> =>
      new Promise<T>((resolve, reject) => {
        if (life.dead) return
        const fate = mortal ? random() : 1
        const crashes = fate < chances.crash
        const isLost = !crashes && fate < chances.crash + chances.lostAnswer
        if (crashes) {
          life.dead = true
          happened.crashes += 1
          if (random() < 0.5) return
        }
        const effectMs = tookMs * random()
        time.at(effectMs, () => {
          void Promise.resolve(work()).then(
            (value) =>
              time.at(tookMs - effectMs, () => {
                if (life.dead) return
                if (isLost) {
                  happened.lost += 1
                  return reject(lost())
                }
                resolve(value)
              }),
            (error: unknown) => reject(error instanceof Error ? error : new Error(String(error))),
          )
        })
      })
    const quick = () => ({ tookMs: 2 + random() * 200 })
    const store = <T>(work: () => Promise<T>) =>
      through(work, { ...quick(), lost: () => new AppError('store_unavailable', 'no answer') })
    const secrets = <T>(work: () => Promise<T>) =>
      through(work, { ...quick(), lost: () => new AppError('vault_unavailable', 'no answer') })
    const ports: CredentialPorts = {
      credentials: {
        ...credentials,
        get: (...args) => store(() => credentials.get(...args)),
        write: (...args) => store(() => credentials.write(...args)),
      },
      vault: {
        ...vault,
        get: (...args) => secrets(() => vault.get(...args)),
        latest: (...args) => secrets(() => vault.latest(...args)),
        set: (...args) => secrets(() => vault.set(...args)),
      },
      fetch: async (_url, init) => {
        const form = new URLSearchParams(typeof init?.body === 'string' ? init.body : '')
        const tookMs = random() < chances.slow ? 5_000 + random() * 25_000 : 20 + random() * 2_000
        const { status, body } = await through(
          () => provider.refresh(form.get('refresh_token') ?? ''),
          {
            tookMs,
            lost: () => new TypeError('fetch failed', { cause: new Error('socket hang up') }),
          },
        )
        return Response.json(body, { status })
      },
      quota: { admit: async () => undefined, learnFrom: async () => {} },
      providerOf: () => vendor(rotation),
      clientOf: () => ({ clientId: 'client', clientSecret: 'secret' }),
      tellAdmins: async (_credential, notice) => {
        notices.push(notice.id)
      },
      pause: (ms, signal) =>
        new Promise((resolve) => {
          signal?.addEventListener('abort', () => resolve(), { once: true })
          time.at(ms, () => {
            if (!life.dead) resolve()
          })
        }),
      clock: () => new Date(time.now() + skewMs),
      random,
      newId: () => `id-${(ids += 1)}`,
      log: silentLog,
    }
    const access = credentialAccess(ports, {
      owner: `instance-${(ids += 1)}`,
      leaseMs: 10_000,
      patienceMs: 5_000,
      maxTries: 3,
      timeoutMs: 60_000,
    })
    const answers: CredentialAnswer[] = []
    /** Asks until there is an answer, as a message that comes back does. */
    const ask = async (): Promise<void> => {
      for (;;) {
        const answer = await access
          .getCredential({ ...key, origin: 'https://acme.vendor.example' })
          .catch(() => ({ kind: 'retry', reason: 'away', afterMs: 1_000 }) as const)
        if (answer.kind !== 'retry') return void answers.push(answer)
        await ports.pause(answer.afterMs)
      }
    }
    return { life, ask, answers, access }
  }

  return { random, time, provider, credentials, vault, notices, happened, instance }
}

export function vendor(rotation: Rotation) {
  return {
    integrationId: 'vendor',
    tokenUrl: '/token',
    domains: ['vendor.example'],
    rotation,
    killsOldAccess: false,
    clientAuthentication: 'body',
    encoding: 'form',
    lifetimeSeconds: 1_800,
    pkce: true,
    scopes: [],
    scopeSeparator: ' ',
  } as const
}

export const freshCredential: Credential = {
  id: key.credentialId,
  tenantId: key.tenantId,
  integrationId: key.integrationId,
  type: 'oauth2',
  expiryTime: null,
  enabled: true,
  needsReauth: false,
  refreshCount: 0,
}
