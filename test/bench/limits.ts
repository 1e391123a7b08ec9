import { Redis } from 'ioredis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import { openRedisLimits } from '../../src/adapters/redis.ts'
import { sharing, type Take } from '../../src/rate-limit/bucket.ts'
import { learning } from '../../src/rate-limit/learned.ts'
import { limitOverridesShape, takeOutgoing } from '../../src/rate-limit/limits.ts'
import { startRedisServer } from '../ports/redis-server.ts'
import { percentile, runModel, type Load } from '../simulation/limits/model.ts'
import { median, quantile, summarize, type Bench, type Figure } from './harness.ts'

const ROUNDS = 5
/** Calls under way at once, and decisions in a round of so many. */
const concurrencies = [
  [1, 4_000],
  [16, 12_000],
  [64, 15_000],
  [256, 15_000],
] as const
const TENANTS = 50
const PER_MINUTE = 1_000_000

type Decide = (tenant: string) => Promise<unknown>

interface Round {
  readonly perSecond: number
  readonly p99Ms: number
}

/** Decides as fast as it goes with so many calls under way. */
async function measure(
  decide: Decide,
  { atOnce, decisions }: { readonly atOnce: number; readonly decisions: number },
): Promise<Round> {
  const tookMs: number[] = []
  let next = 0
  const worker = async () => {
    while (next < decisions) {
      const tenant = `tenant-${next % TENANTS}`
      next += 1
      const before = performance.now()
      await decide(tenant)
      tookMs.push(performance.now() - before)
    }
  }
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: atOnce }, worker))
  const seconds = (performance.now() - startedAt) / 1_000
  return { perSecond: decisions / seconds, p99Ms: quantile(tookMs, 0.99) }
}

/** The neighbour that wants a thousand times as much, and what a light tenant waits with it and without it. */
async function neighbour(): Promise<readonly Figure[]> {
  const light: Load = { tenant: 'light', lane: 'incremental', everyMs: 5_000 }
  const heavy: Load = { tenant: 'heavy', lane: 'incremental', jobs: 1_000 }
  const options = {
    instances: 20,
    perMinute: 300,
    minutes: 60,
    window: 'sliding',
    seed: 1,
  } as const
  const waits = async (loads: readonly Load[]) =>
    (await runModel({ ...options, loads })).tenants.get('light')?.waitsMs ?? []
  // A call takes its time as well: half of a tenth to the vendor, and the answer.
  const CALL_MS = 200
  const [alone, beside] = [await waits([light]), await waits([light, heavy])]
  return [
    {
      name: 'limits: p95 of a light tenant, wait and call, beside a neighbour 1000:1',
      value: CALL_MS + percentile(beside, 0.95),
      unit: 'ms',
      floor: CALL_MS + percentile(alone, 0.95),
    },
    {
      name: 'limits: p99 of its wait beside the neighbour',
      value: percentile(beside, 0.99),
      unit: 'ms',
    },
  ]
}

/** The cloud on paper: 200 instances, 1,000 tenants, one quota. */
async function cloud(): Promise<readonly Figure[]> {
  const loads = Array.from({ length: 1_000 }, (_, index): Load => ({
    tenant: `t${index}`,
    lane: 'incremental',
    jobs: 1,
  }))
  const report = await runModel({
    instances: 200,
    perMinute: 6_000,
    minutes: 10,
    window: 'sliding',
    seed: 1,
    loads,
  })
  return [
    {
      name: 'limits: quota used, 200 instances, 1000 tenants',
      value: report.utilisation * 100,
      unit: '%',
    },
    { name: 'limits: calls answered 429', value: (report.refused / report.calls) * 100, unit: '%' },
    { name: "limits: Jain's index", value: report.fairness, unit: '' },
    { name: 'limits: questions for each call', value: report.questionsPerCall, unit: '' },
  ]
}

/** Three limits in one step, against three steps of the usual package on the same server. */
export const limits: Bench = {
  name: 'limits',
  summary: 'decisions on three limits against rate-limiter-flexible, fairness, use of a quota',
  run: async (progress) => {
    await using server = await startRedisServer()
    using store = openRedisLimits({
      url: server.url,
      numbers: { sharing, learning },
      patienceMs: 10_000,
    })
    const client = new Redis(server.url)
    await using closing = new AsyncDisposableStack()
    closing.defer(() => client.disconnect())
    const limiterOf = (keyPrefix: string) =>
      new RateLimiterRedis({ storeClient: client, keyPrefix, points: PER_MINUTE, duration: 60 })
    const [integration, operation, tenants] = ['int', 'op', 'tenant'].map(limiterOf)
    const takes = new Map<string, Take>()
    const full = (tenant: string) => {
      const take = takes.get(tenant) ?? takeFor(tenant)
      takes.set(tenant, take)
      return take
    }
    const ways: Readonly<Record<string, Decide>> = {
      three: (tenant) => {
        const take = full(tenant)
        return store.take({ ...take, gates: take.gates.slice(0, 3), tenant: '' })
      },
      all: (tenant) => store.take(full(tenant)),
      theirs: async (tenant) => {
        await integration?.consume('provider')
        await operation?.consume('provider:fetch')
        await tenants?.consume(tenant)
      },
      ping: () => client.ping(),
    }
    const runs = concurrencies.flatMap(([atOnce, decisions]) =>
      Object.entries(ways).map(([name, decide]) => ({
        key: `${name} ${atOnce}`,
        decide,
        atOnce,
        decisions,
      })),
    )
    const rounds = new Map<string, Round[]>()
    for (let round = 0; round <= ROUNDS; round += 1) {
      progress(`round ${round} of ${ROUNDS}`)
      for (const { key, decide, ...load } of runs) {
        const result = await measure(decide, load)
        // The first round warms up.
        if (round > 0) rounds.set(key, [...(rounds.get(key) ?? []), result])
      }
    }
    const of = (name: string, atOnce: number) => rounds.get(`${name} ${atOnce}`) ?? []
    const perSecond = (name: string, atOnce: number) => of(name, atOnce).map((one) => one.perSecond)
    const p99 = (name: string, atOnce: number) => of(name, atOnce).map((one) => one.p99Ms)
    progress('the model')
    const against = (atOnce: number) => [
      summarize(
        {
          name: `limits: three limits, ${atOnce} at once (against rate-limiter-flexible)`,
          unit: '1/s',
          floor: median(perSecond('theirs', atOnce)),
        },
        perSecond('three', atOnce),
      ),
      summarize(
        {
          name: `limits: p99 of them, ${atOnce} at once (against rate-limiter-flexible)`,
          unit: 'ms',
          floor: median(p99('theirs', atOnce)),
        },
        p99('three', atOnce),
      ),
      summarize(
        { name: `limits: all five, with shares, ${atOnce} at once`, unit: '1/s' },
        perSecond('all', atOnce),
      ),
      summarize(
        { name: `limits: PING on the same connection, ${atOnce} at once`, unit: '1/s' },
        perSecond('ping', atOnce),
      ),
    ]
    return [
      ...concurrencies.flatMap(([atOnce]) => against(atOnce)),
      ...(await neighbour()),
      ...(await cloud()),
    ]
  },
}

function takeFor(tenantId: string): Take {
  const operations = { fetch: PER_MINUTE, update: PER_MINUTE, create: PER_MINUTE }
  const provider = { integration: PER_MINUTE, operations, connection: PER_MINUTE, day: 1e9 }
  return takeOutgoing(
    {
      integrationId: 'provider',
      operation: 'fetch',
      tenantId,
      connectionId: `conn-${tenantId}`,
      lane: 'person',
    },
    limitOverridesShape.parse({ tenant: PER_MINUTE, integrations: { provider } }),
    { part: 1 },
  )
}
