import { setTimeout as delay } from 'node:timers/promises'
import { quantile } from '../bench/harness.ts'
import type { RecordDocument } from '../../src/sync/record.ts'
import { endTokens, strike } from './faults.ts'
import { keyOf, openLedger, type Kind, type Ledger, type Span } from './ledger.ts'
import { capacityOf, drained, pour, type Rate } from './load.ts'
import { connectPhones } from './phones.ts'
import { trafficOf } from './traffic.ts'
import type { Seen } from './verdict.ts'
import { memoryOf, queuesOf, watchArrivals } from './watch.ts'
import { entityType, recordsOf, startSoakWorld, type Role, type SoakWorld } from './world.ts'

export interface SoakOptions {
  readonly minutes: number
  readonly idleSeconds: number
  /** Things that are given to the stack at once, to see what it takes. */
  readonly burst: number
  /** Rows of each tenant. */
  readonly rows: number
  readonly lightTenants: number
  /** How long everything may take to arrive after the last thing has happened. */
  readonly patienceSeconds: number
  readonly mishapSeconds: number
}

/** A line of what goes on now. */
export type Tell = (line: string) => void

const SHARE = 0.8
const BURSTS = 3
const BURST_SENDERS = 24
const LIGHT_PER_SECOND = 2
const TOKEN_MS = 20_000
const LOOK_MS = 1_000
const MB = 1024 * 1024

/** Mixed traffic of many tenants, one of which floods, at four fifths of what the stack was seen to take. */
export async function soak(options: SoakOptions, tell: Tell): Promise<Seen> {
  const lights = Array.from({ length: options.lightTenants }, (): Role => 'light')
  tell('starting the stack, and reading every tenant for the first time')
  await using world = await startSoakWorld({
    roles: [...lights, 'faulty', 'flooding'],
    rows: options.rows,
  })
  const stop = new AbortController()
  const ledger = openLedger(() => performance.now())
  await using _watch = watchArrivals(world, ledger)
  const traffic = trafficOf(world, ledger, stop.signal)
  const of = (...roles: Role[]) => world.tenants.filter(({ role }) => roles.includes(role))
  await using phones = await connectPhones(world, of('light'))
  await using _tokens = endTokens(of('light', 'flooding'), TOKEN_MS)

  const capacities: number[] = []
  for (let burst = 1; burst <= BURSTS; burst += 1) {
    tell(`burst ${burst} of ${BURSTS}: what does the stack take?`)
    const tenants = of('flooding')
    const given = { tenants, size: options.burst, senders: BURST_SENDERS }
    capacities.push(await capacityOf(world, { traffic, ledger }, given))
  }
  // The first one has warmed everything up.
  const capacity = quantile(capacities.slice(1), 0)
  const everybodyElse = of('light', 'faulty')
  const light: Rate[] = everybodyElse.map((tenant) => ({ tenant, perSecond: LIGHT_PER_SECOND }))
  const pouring = { signal: stop.signal, backlog: () => queuesOf(world).waiting }
  const idle = await during(async () => {
    tell(`idle: the light tenants alone for ${options.idleSeconds} s`)
    await pour(traffic, light, { ...pouring, ms: options.idleSeconds * 1_000 })
    await drained(world, ledger, AbortSignal.timeout(options.patienceSeconds * 1_000))
  })

  const load = SHARE * capacity
  const flood = Math.max(LIGHT_PER_SECOND, load - light.length * LIGHT_PER_SECOND)
  const floods = of('flooding').map((tenant) => ({ tenant, perSecond: flood, yields: true }))
  const memory: number[] = []
  let mishaps = 0
  let things = 0
  const loaded = await during(async () => {
    const over = new AbortController()
    const looking = lookOn(world, {
      ledger,
      memory,
      tell,
      minutes: options.minutes,
      signal: over.signal,
    })
    {
      await using faults = strike(of('faulty', 'flooding'), options.mishapSeconds * 1_000)
      const ms = options.minutes * 60_000
      things = await pour(traffic, [...light, ...floods], { ...pouring, ms })
      mishaps = faults.count()
    }
    over.abort()
    await looking
  })
  tell('the last things are on their way')
  await phones.finish()
  await drained(world, ledger, AbortSignal.timeout(options.patienceSeconds * 1_000))

  const names = of('light').map(({ name }) => name)
  const kinds: readonly Kind[] = ['webhook', 'inbound', 'outbound']
  return {
    minutes: options.minutes,
    capacity,
    load,
    given: things / (options.minutes * 60),
    ...traffic.counts,
    mishaps,
    notifications: phones.counts(),
    memory,
    latencies: kinds.map((kind) => ({
      kind,
      idle: ledger.times(kind, names, idle),
      loaded: ledger.times(kind, names, loaded),
    })),
    ...(await lossesOf(world, ledger, traffic.counts.accepted)),
  }
}

async function during(work: () => Promise<void>): Promise<Span> {
  const from = performance.now()
  await work()
  return { from, to: performance.now() }
}

interface Looking {
  readonly ledger: Ledger
  readonly memory: number[]
  readonly tell: Tell
  readonly minutes: number
  readonly signal: AbortSignal
}

async function lookOn(
  world: SoakWorld,
  { ledger, memory, tell, minutes, signal }: Looking,
): Promise<void> {
  const startedAt = performance.now()
  while (!signal.aborted) {
    await delay(LOOK_MS, undefined, { signal }).catch(() => {})
    const bytes = await memoryOf(world.pid)
    memory.push(bytes)
    const seconds = (performance.now() - startedAt) / 1_000
    const share = Math.min(1, seconds / (minutes * 60))
    const bar = '#'.repeat(Math.round(share * 20)).padEnd(20, '.')
    const { waiting, dead } = queuesOf(world)
    tell(
      `[${bar}] ${seconds.toFixed(0)} s: ${ledger.waiting()} under way, ${waiting} messages, ${dead} dead letters, functions ${(bytes / MB).toFixed(0)} MB`,
    )
  }
}

/** Compares both sides row by row, and counts what should not be there. */
async function lossesOf(world: SoakWorld, { last }: Ledger, accepted: number) {
  const lost: string[] = []
  const parked: string[] = []
  let recorded = 0
  let undispatched = 0
  for (const { name, vendor } of world.tenants) {
    const records = await recordsOf(world.shards, name)
    for (const row of vendor.control.rows(entityType)) {
      const record = records.get(row['sys_id'] ?? '')
      lost.push(...differences(last, { tenant: name, row, record }))
    }
    const any = { field: 'id', is: '!=', value: '' } as const
    for await (const { document } of world.parked.query({ anyOf: [[any]] }, [name])) {
      parked.push(`${document.kind} of ${name}: ${document.reason.message}`)
    }
    for await (const { document } of world.deliveries.query({ anyOf: [[any]] }, [name])) {
      recorded += 1
      if (document.status === 'pending') undispatched += 1
    }
  }
  const unrecorded = Math.max(0, accepted - recorded)
  return { lost, parked, undispatched, unrecorded, deadLettered: queuesOf(world).dead }
}

interface Both {
  readonly tenant: string
  readonly row: Readonly<Record<string, string>>
  readonly record: RecordDocument | undefined
}

function differences(last: Ledger['last'], { tenant, row, record }: Both): string[] {
  const key = keyOf({ tenant, row: row['sys_id'] ?? '' })
  const sides = [
    ['title', last.inbound.get(key), record?.fields['shortDescription']],
    ['text', last.outbound.get(key), row['description']],
    ['text of our own', last.outbound.get(key), record?.fields['description']],
  ] as const
  return sides
    .filter(([, wanted, there]) => wanted !== undefined && wanted !== there)
    .map(([what, wanted, there]) => {
      return `${what} of ${key} is ${JSON.stringify(there)} instead of ${wanted}`
    })
}
