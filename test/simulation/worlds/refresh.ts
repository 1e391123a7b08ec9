import { AppError } from '../../../src/core/errors.ts'
import type { Vault } from '../../../src/core/vault.ts'
import { credentialAccess } from '../../../src/credentials/access.ts'
import type { Credential, Notice } from '../../../src/credentials/credential.ts'
import type { CredentialAnswer, CredentialPorts } from '../../../src/credentials/ports.ts'
import type { Rotation } from '../../../src/credentials/provider.ts'
import { secretName } from '../../../src/credentials/secret.ts'
import { memoryProvider } from '../../credentials/memory-provider.ts'
import { freshCredential, key, silentLog, vendor } from '../../credentials/simulation.ts'
import { memoryVault } from '../../ports/memory-vault.ts'
import { sharedCollection } from '../simulated-ports.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { between, pick, START_MS, type Stage, type World } from '../world.ts'
import { refreshBugs, type RefreshBug } from './refresh-bugs.ts'
import { refreshLaws } from './refresh-laws.ts'

const MINUTE_MS = 60_000
const FAULTS_MS = 90 * MINUTE_MS
const REST_MS = 180 * MINUTE_MS
const OPTIONS = { leaseMs: 10_000, patienceMs: 5_000, maxTries: 3, timeoutMs: 60_000 }
/** The provider is given so long to answer; the vault and the store a little less. */
const SLOWEST_PROVIDER_MS = 55_000
const SLOWEST_CALL_MS = 30_000

const rotations = [
  { kind: 'none' },
  { kind: 'single_use' },
  { kind: 'reuse_window', windowMs: 600_000 },
] as const satisfies Rotation[]

/** Instances whose callers share one grant, a provider that is slow or rotates, a vault and a store that fail. */
export const refresh: World = {
  name: 'refresh',
  summary: 'many callers on many instances, one grant, with and without rotation',
  checks: [5, 7, 9, 10],
  faultsMs: FAULTS_MS,
  restMs: REST_MS,
  bugs: Object.fromEntries(Object.entries(refreshBugs).map(([name, { what }]) => [name, what])),
  setUp: async (sim, { bug: bugName }): Promise<Stage> => {
    const bug: RefreshBug =
      bugName === undefined ? { what: '' } : (refreshBugs[bugName] ?? { what: '' })
    const rotation: Rotation = pick<Rotation>(sim.faults, 'rotation', [...rotations])
    sim.note('world', `rotation ${rotation.kind}`)
    const provider = memoryProvider(rotation, sim.now)
    const backing = memoryVault()
    const laws = refreshLaws(sim, { rotation, provider, vault: backing })
    const credentials = sharedCollection<Credential>(sim, 'credentials', {
      committed: laws.committed,
    })
    const refreshToken = provider.connect()
    const secret = JSON.stringify({ kind: 'refresh_token', refreshToken })
    await backing.set(secretName(key.credentialId), secret)
    await credentials.backing.write([key.tenantId], [{ kind: 'create', document: freshCredential }])
    let ids = 0
    const portsOf = (actor: Actor): CredentialPorts => {
      const ports: CredentialPorts = {
        credentials: credentials.as(actor),
        vault: vaultOver(sim, actor, backing),
        fetch: (_url, init) => {
          const form = new URLSearchParams(typeof init?.body === 'string' ? init.body : '')
          return askProvider(sim, actor, () => {
            laws.asked(actor)
            return provider.refresh(form.get('refresh_token') ?? '')
          })
        },
        quota: { admit: async () => undefined, learnFrom: async () => {} },
        providerOf: () => vendor(rotation),
        clientOf: () => ({ clientId: 'client', clientSecret: 'secret' }),
        tellAdmins: async (_credential: Credential, notice: Notice) => laws.told(actor, notice),
        pause: (ms, signal) =>
          new Promise((resolve) => {
            signal?.addEventListener('abort', () => resolve(), { once: true })
            sim.at(sim.now() + ms, () => {
              if (actor.alive()) resolve()
            })
          }),
        clock: actor.clock,
        random: actor.random,
        newId: () => `id-${(ids += 1)}`,
        log: silentLog,
      }
      return bug.ports ? bug.ports(ports) : ports
    }
    const spawnInstance = (name: string, asks: readonly number[]) =>
      sim.spawn({
        kind: 'instance',
        name,
        mostSkewMs: 420_000,
        work: (actor) =>
          serve({ sim, actor, ports: portsOf(actor), answered: laws.answered }, asks),
        ended: ({ kind }) => {
          const left = asks.filter((atMs) => atMs > sim.now())
          if (kind === 'died' && left.length > 0) spawnInstance(`${name}'`, left)
        },
      })
    playInstances(sim, spawnInstance)
    return {
      examine: () => laws.examine(credentials.all()[0]),
    }
  },
}

/** Callers on several instances, often all at once; at the end somebody who asks twice, an expiry apart. */
function playInstances(
  sim: Simulation,
  spawn: (name: string, asks: readonly number[]) => void,
): void {
  const { faults } = sim
  const rushes = between(faults, 'rushes', [1, 4])
  const instances = between(faults, 'instances', [2, 5])
  for (let instance = 0; instance < instances; instance += 1) {
    const asks: number[] = []
    for (let rush = 0; rush < rushes; rush += 1) {
      const fromMs = START_MS + faults.chance(`rush ${rush}`) * FAULTS_MS * 0.9
      const callers = between(faults, `callers ${instance} ${rush}`, [1, 3])
      for (let caller = 0; caller < callers; caller += 1) {
        asks.push(fromMs + faults.chance(`caller ${instance} ${rush} ${caller}`) * 15_000)
      }
    }
    sim.act(START_MS, `act instance ${instance}`, () =>
      spawn(
        `instance ${instance}`,
        asks.toSorted((a, b) => a - b),
      ),
    )
  }
  const laterMs = START_MS + FAULTS_MS + 10 * MINUTE_MS
  sim.at(laterMs, () => spawn('last instance', [laterMs, laterMs + 60 * MINUTE_MS]))
}

interface Serving {
  readonly sim: Simulation
  readonly actor: Actor
  readonly ports: CredentialPorts
  readonly answered: (actor: Actor, answer: CredentialAnswer) => void
}

/** One process: each caller asks until there is an answer, as a message that comes back does. */
async function serve(
  { sim, actor, ports, answered }: Serving,
  asks: readonly number[],
): Promise<void> {
  const access = credentialAccess(ports, { ...OPTIONS, owner: actor.name })
  const ask = async (atMs: number): Promise<void> => {
    await ports.pause(Math.max(0, atMs - sim.now()))
    for (;;) {
      const answer = await access
        .getCredential({ ...key, origin: 'https://acme.vendor.example' })
        .catch(away)
      sim.note(actor.name, `answer ${answer.kind}`)
      if (answer.kind !== 'retry') return answered(actor, answer)
      await ports.pause(answer.afterMs)
    }
  }
  await Promise.all(asks.map(ask))
}

function away(error: unknown): CredentialAnswer {
  if (!(error instanceof AppError)) throw error
  return { kind: 'retry', reason: 'away', afterMs: 1_000 }
}

function vaultOver(sim: Simulation, actor: Actor, backing: Vault): Vault {
  const through = <R>(site: string, effect: () => Promise<R>) =>
    sim.call(actor, `vault.${site}`, {
      place: 'vault call',
      longestMs: SLOWEST_CALL_MS,
      failure: () => new AppError('vault_unavailable', 'the vault is throttled'),
      effect,
    })
  return {
    ...backing,
    get: (name, version) => through('get', () => backing.get(name, version)),
    latest: (name) => through('latest', () => backing.latest(name)),
    set: (...args) =>
      through('set', async () => {
        const version = await backing.set(...args)
        sim.note(actor.name, `vault.set ${version}`)
        return version
      }),
  }
}

const failures: readonly (readonly [number, string])[] = [
  [503, 'try later'],
  [429, '{}'],
  [200, '<html>maintenance</html>'],
  [500, '{"error":"server_error"}'],
]

async function askProvider(
  sim: Simulation,
  actor: Actor,
  refresh: () => { readonly status: number; readonly body: object },
): Promise<Response> {
  return sim.call(actor, 'provider.token', {
    place: 'token endpoint',
    longestMs: SLOWEST_PROVIDER_MS,
    failure: () => new TypeError('fetch failed', { cause: new Error('socket hang up') }),
    effect: (fault) => {
      if (fault?.kind === 'vendor-trouble') {
        const [status, text] = failures[Math.floor(fault.size * failures.length)] ?? [503, '']
        return new Response(text, { status })
      }
      const { status, body } = refresh()
      sim.note(actor.name, `the provider answers ${status}`)
      return Response.json(body, { status })
    },
  })
}
