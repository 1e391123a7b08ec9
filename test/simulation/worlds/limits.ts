import { AppError } from '../../../src/core/errors.ts'
import { limiter, type Limiter, type LimiterPorts } from '../../../src/rate-limit/limiter.ts'
import type { Lane, LimitOverrides, OutgoingCall } from '../../../src/rate-limit/limits.ts'
import { localLimits } from '../../../src/rate-limit/local.ts'
import type { LimitStore } from '../../../src/rate-limit/ports.ts'
import type { Answer } from '../../../src/rate-limit/refusals.ts'
import { silentLog } from '../../credentials/simulation.ts'
import { provider } from '../limits/provider.ts'
import { tongues, type Tongue } from '../limits/tongues.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { between, pick, START_MS, type Stage, type World } from '../world.ts'
import { limitsBugs, type LimitsBug } from './limits-bugs.ts'
import { limitsLaws, type LimitsLaws } from './limits-laws.ts'

const MINUTE_MS = 60_000
const FAULTS_MS = 4 * MINUTE_MS
/** Nobody waits longer than an hour, and those who waited so long shall be seen to go on. */
const REST_MS = 70 * MINUTE_MS
const PART_ALONE = 0.1
/** Calls that a connection may make in a day, of which light tenants need few. */
const SCARCE_DAY = 120
/** The commands of the shared store end after so long. */
const LONGEST_COMMAND_MS = 500
/** A message whose worker died comes again after so long. */
const REDELIVERY_MS = 30_000

/** Instances that share one quota for many tenants, one of whom wants far more than there is. */
export const limits: World = {
  name: 'limits',
  summary: 'the limiter on several instances over one shared store, one tenant flooding',
  checks: [8, 9],
  faultsMs: FAULTS_MS,
  restMs: REST_MS,
  bugs: Object.fromEntries(Object.entries(limitsBugs).map(([name, { what }]) => [name, what])),
  setUp: (sim, { bug: bugName }): Stage => {
    const bug: LimitsBug =
      bugName === undefined ? { what: '' } : (limitsBugs[bugName] ?? { what: '' })
    const { faults } = sim
    const perMinute = pick(faults, 'quota', [30, 60])
    const window = pick<'fixed' | 'sliding'>(faults, 'window', ['fixed', 'sliding'])
    const instances = between(faults, 'instances', [2, 4])
    const others = faults.chance('others') < 0.75
    const tongue = pick<Tongue>(faults, 'refusal', others ? tongues : [tongues[0]])
    const isLong = tongue.name === 'of a day'
    const endMs = START_MS + (isLong ? 73 : others ? 20 : 9) * MINUTE_MS
    const calmMs = endMs - (others ? 4 : 2) * MINUTE_MS
    // In some runs the flood is a backfill that would use up the whole day of its connection.
    const isScarce = !others && faults.chance('scarce') < 0.4
    const laws = limitsLaws(sim, {
      perMinute,
      partAlone: PART_ALONE,
      others,
      calmMs,
      endMs,
      isScarce,
    })
    const vendor = provider({ perMinute, window })
    sim.note('provider', `refuses ${tongue.name}`)
    let asking = sim.date
    let replica = localLimits(() => asking())
    const store: LimitStore = {
      take: (take) => replica.take(take),
      learn: (learning) => replica.learn(learning),
    }
    const outage = playOutages(sim, () => {
      replica = localLimits(() => asking())
      laws.storeEmptied()
    })
    const overrides = overridesFor(perMinute, isScarce ? SCARCE_DAY : 100_000_000)
    const open = (actor: Actor): Limiter => {
      const ports: LimiterPorts = {
        shared: storeOver(sim, actor, {
          store,
          isAway: () => outage.away,
          reached: () => {
            asking = bug.clientTime ? actor.clock : sim.date
          },
          failed: laws.storeFailed,
        }),
        overrides,
        partAlone: PART_ALONE,
        clock: actor.clock,
        sleep: (ms) =>
          new Promise((resolve) => {
            laws.slept(actor, ms)
            sim.at(sim.now() + ms, () => {
              if (actor.alive()) resolve()
            })
          }),
        log: silentLog,
      }
      const opened = limiter(bug.ports ? bug.ports(ports) : ports)
      return bug.limiter ? bug.limiter(opened, ports) : opened
    }
    const living = playInstances(sim, { count: instances, open, born: laws.instanceBorn })
    const call = (nowMs: number): Refusal | undefined => {
      const { status, headers } = vendor.call(nowMs)
      if (status === 200) return undefined
      const freeMs = Number(headers.get('retry-after')) * 1_000
      const date = new Date(nowMs).toUTCString()
      const told = new Headers({ date, ...tongue.headers(nowMs, freeMs) })
      return { answer: { status, headers: told }, pauseMs: tongue.pauseMs(freeMs) }
    }
    const working = { sim, living, laws, call, isLong, endMs, isScarce }
    playTenants(working)
    if (others) playOthers(sim, () => vendor.call(sim.now()))
    sim.at(endMs, laws.examine)
    return { examine: () => {} }
  },
}

function overridesFor(perMinute: number, day: number): LimitOverrides {
  const operations = { fetch: perMinute, update: perMinute, create: perMinute }
  const shared = { integration: perMinute, operations, quotaOf: 'integration' } as const
  const own = { connection: perMinute, day }
  return { tenant: 1_000_000, incoming: {}, integrations: { provider: { ...shared, ...own } } }
}

interface Reaching {
  readonly store: LimitStore
  readonly isAway: () => boolean
  readonly reached: () => void
  readonly failed: () => void
}

function storeOver(sim: Simulation, actor: Actor, reaching: Reaching): LimitStore {
  const { store, isAway, reached, failed } = reaching
  const away = () => new AppError('limits_unavailable', 'the shared limits are away')
  const through = <R>(site: string, work: () => Promise<R>): Promise<R> =>
    sim
      .call<R | AppError>(actor, `limits.${site}`, {
        place: 'limits call',
        longestMs: LONGEST_COMMAND_MS,
        failure: away,
        effect: () => {
          reached()
          return isAway() ? away() : work()
        },
      })
      .then((answer) => {
        if (answer instanceof AppError) throw answer
        return answer
      })
      .catch((error: unknown) => {
        failed()
        throw error
      })
  return {
    take: (take) => through('take', () => store.take(take)),
    learn: (learning) => through('learn', () => store.learn(learning)),
  }
}

/** Now and then the store is away for a while, and what is there afterwards may be an empty replica. */
function playOutages(sim: Simulation, emptied: () => void) {
  const outage = { away: false }
  const count = between(sim.faults, 'outages', [0, 2])
  for (let index = 0; index < count; index += 1) {
    const label = `outage ${index}`
    const fromMs = START_MS + sim.faults.chance(`${label} from`) * FAULTS_MS * 0.7
    const longMs = 5_000 + sim.faults.chance(`${label} long`) * 90_000
    sim.act(fromMs, `act ${label}`, () => {
      outage.away = true
      sim.at(sim.now() + longMs, () => {
        outage.away = false
        const isEmpty = sim.faults.chance(`${label} empty`) < 0.5
        if (isEmpty) emptied()
        sim.note('world', `${label} is over${isEmpty ? ': everything is forgotten' : ''}`)
      })
    })
  }
  return outage
}

interface Instances {
  readonly count: number
  readonly open: (actor: Actor) => Limiter
  readonly born: () => void
}

type Living = readonly { actor?: Actor; limiter?: Limiter }[]

function playInstances(sim: Simulation, { count, open, born }: Instances): Living {
  const living: { actor?: Actor; limiter?: Limiter }[] = Array.from({ length: count }, () => ({}))
  const start = (index: number, life: number) =>
    sim.spawn({
      kind: 'instance',
      name: `instance ${index}/${life}`,
      work: (actor) =>
        new Promise<void>((resolve) => {
          born()
          living[index] = Object.assign(living[index] ?? {}, { actor, limiter: open(actor) })
          sim.at(START_MS + FAULTS_MS + REST_MS, resolve)
        }),
      ended: ({ kind }) => {
        if (kind !== 'died') return
        delete living[index]?.limiter
        sim.at(sim.now() + 2_000, () => start(index, life + 1))
      },
    })
  for (let index = 0; index < count; index += 1) start(index, 1)
  return living
}

interface Working {
  readonly sim: Simulation
  readonly living: Living
  readonly laws: LimitsLaws
  readonly call: (nowMs: number) => Refusal | undefined
  /** The provider is left alone for an hour. */
  readonly isLong: boolean
  /** Nobody wants anything after. */
  readonly endMs: number
  /** There is less for a day than is wanted. */
  readonly isScarce: boolean
}

interface Refusal {
  readonly answer: Answer
  readonly pauseMs: number
}

/** Somebody else uses the same account. */
function playOthers(sim: Simulation, call: () => void): void {
  const bursts = between(sim.faults, 'bursts', [1, 3])
  for (let index = 0; index < bursts; index += 1) {
    const label = `burst ${index}`
    const fromMs = START_MS + MINUTE_MS / 2 + sim.faults.chance(`${label} at`) * 2 * MINUTE_MS
    sim.act(fromMs, `act ${label}`, () => {
      for (let one = 0; one < 40; one += 1) sim.at(sim.now() + one * 100, call)
    })
  }
}

/** One tenant with work without end, and some who want a call now and then. */
function playTenants(working: Working): void {
  const { sim } = working
  const { faults } = sim
  const { isLong, endMs, isScarce } = working
  const lane = isScarce ? 'backfill' : 'incremental'
  const jobs = between(faults, 'flood', [3, 8])
  const flood = async (name: string): Promise<void> => {
    for (let turn = 0; sim.now() < endMs; turn += 1) {
      await callOnce(working, { tenant: 'heavy', name: `${name} ${turn}`, lane })
    }
  }
  for (let job = 0; job < jobs; job += 1) {
    sim.act(START_MS + job * 50, `act job ${job}`, () => void flood(`job ${job}`))
  }
  if (isScarce) {
    // People of the flooding tenant write now and then.
    for (let person = 0; person < 6; person += 1) {
      const name = `person ${person}`
      const atMs = START_MS + 2 * MINUTE_MS + faults.chance(name) * 6 * MINUTE_MS
      sim.at(atMs, () => void callOnce(working, { tenant: 'heavy', name, lane: 'person' }))
    }
  }
  const light = between(faults, 'light tenants', [1, 3])
  for (let tenant = 0; tenant < light; tenant += 1) {
    let atMs = START_MS
    for (let turn = 0; atMs < endMs - 2 * MINUTE_MS; turn += 1) {
      const name = `light ${tenant} ${turn}`
      atMs += 5_000 + faults.chance(`${name} gap`) * 25_000
      if (isLong && isIdle(atMs, endMs)) continue
      sim.at(
        atMs,
        () => void callOnce(working, { tenant: `light-${tenant}`, name, lane: 'incremental' }),
      )
    }
  }
}

/** In between nobody wants anything: the hour would be long. */
function isIdle(atMs: number, endMs: number): boolean {
  return atMs > START_MS + 5 * MINUTE_MS && atMs < endMs - 7 * MINUTE_MS
}

/** A message until its call was answered with more than "later". */
async function callOnce(
  { sim, living, laws, call }: Working,
  { tenant, name, lane }: { readonly tenant: string; readonly name: string; readonly lane: Lane },
): Promise<void> {
  const outgoing: OutgoingCall = {
    integrationId: 'provider',
    operation: 'fetch',
    tenantId: tenant,
    connectionId: `conn-${tenant}`,
    lane,
  }
  const wait = (ms: number) =>
    new Promise<void>((resolve) => {
      sim.at(sim.now() + ms, resolve)
    })
  const wanted = laws.wanted(tenant)
  for (let turn = 0; ; turn += 1) {
    const which = Math.floor(sim.faults.chance(`${name} instance ${turn}`) * living.length)
    const { limiter: instance, actor } = living[which] ?? {}
    if (!instance || !actor) {
      await wait(1_000)
      continue
    }
    laws.asked(actor)
    const askedMs = sim.now()
    const asked = instance.checkRateLimit(outgoing)
    const decision = await Promise.race([asked, wait(REDELIVERY_MS)])
    if (!decision) continue
    if (decision.kind !== 'allowed') {
      laws.sentAway(decision, lane)
      await wait(decision.waitMs + sim.faults.chance(`${name} back ${turn}`) * 500)
      continue
    }
    laws.allowed(actor, askedMs)
    await wait(5 + sim.faults.chance(`${name} there ${turn}`) * 40)
    const refusal = call(sim.now())
    const answer = refusal?.answer ?? { status: 200, headers: new Headers() }
    laws.called(refusal === undefined)
    sim.note(actor.name, `${tenant} calls (${lane}), the provider answers ${answer.status}`)
    const refusedMs = sim.now()
    const learned = instance.learnFrom(outgoing, answer).then(() => true)
    const isKnown = await Promise.race([learned, wait(2_000)])
    if (!refusal) return wanted()
    if (isKnown === true) laws.refused(refusedMs, refusal.pauseMs)
  }
}
