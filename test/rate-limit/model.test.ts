import { expect, test } from 'vitest'
import { jain, percentile, runModel, type Load } from '../simulation/limits/model.ts'
import { randomFrom } from '../simulation/limits/timeline.ts'

const tenants = (count: number, jobs: (index: number) => number = () => 1): Load[] =>
  Array.from({ length: count }, (_, index) => ({
    tenant: `t${index}`,
    lane: 'incremental',
    jobs: jobs(index),
  }))

const cloud = { instances: 200, perMinute: 6_000, minutes: 4 }

test.for<[string, 'fixed' | 'sliding', Load[]]>([
  ['all want the same', 'sliding', tenants(1_000)],
  ['the provider counts by its clock', 'fixed', tenants(1_000)],
  [
    'ten of them have fifty times as much work',
    'sliding',
    tenants(1_000, (index) => (index < 10 ? 50 : 1)),
  ],
])(
  'two hundred instances share a quota among a thousand tenants fairly and use it up: %s',
  async ([, window, loads]) => {
    const report = await runModel({ ...cloud, window, loads, seed: 1 })
    expect(report.utilisation).toBeGreaterThanOrEqual(0.97)
    expect(report.refused / report.calls).toBeLessThanOrEqual(0.001)
    expect(report.fairness).toBeGreaterThanOrEqual(0.99)
    expect(report.messagesPerCall).toBeLessThan(6)
  },
)

test('what tenants who leave do not need goes to those who stay', async () => {
  const loads = tenants(400).map((load, index) =>
    index % 2 === 0 ? load : { ...load, untilMinute: 4 },
  )
  const report = await runModel({ ...cloud, window: 'sliding', loads, seed: 2 })
  expect(report.utilisation).toBeGreaterThanOrEqual(0.97)
  expect(report.refused).toBe(0)
})

test('S54: with a neighbour that wants a thousand times as much a light tenant waits at most twice as long', async () => {
  const light: Load = { tenant: 'light', lane: 'incremental', everyMs: 5_000 }
  const flood: Load = { tenant: 'heavy', lane: 'incremental', jobs: 1_000 }
  const options = {
    instances: 20,
    perMinute: 300,
    minutes: 20,
    window: 'sliding',
    seed: 3,
  } as const
  const p95 = async (loads: Load[]) => {
    const report = await runModel({ ...options, loads })
    return percentile(report.tenants.get('light')?.waitsMs ?? [], 0.95)
  }
  // What a call costs by itself, there and back.
  const callMs = 200
  const [alone, beside] = [await p95([light]), await p95([light, flood])]
  expect(callMs + beside).toBeLessThan(2 * (callMs + alone))
  // Room is kept for it: it does not even wait for the next call that the quota allows.
  expect(beside).toBeLessThan(50)
})

test('a provider that has less than we were told is found out by its answers', async () => {
  const report = await runModel({
    instances: 20,
    perMinute: 300,
    toldPerMinute: 450,
    minutes: 30,
    window: 'sliding',
    loads: tenants(20),
    seed: 4,
  })
  expect(report.utilisation).toBeGreaterThan(0.6)
  expect(report.refused / report.calls).toBeLessThan(0.05)
})

test.for<[number[], number]>([
  [[1, 1, 1, 1], 1],
  [[1, 0, 0, 0], 0.25],
  [[0, 0], 1],
])('the index of %o is %d', ([shares, index]) => {
  expect(jain(shares)).toBe(index)
})

test('random numbers follow from their seed', () => {
  const [a, b] = [randomFrom(7), randomFrom(7)]
  const numbers = Array.from({ length: 1_000 }, () => a())
  expect(numbers).toEqual(numbers.map(() => b()))
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...numbers)).toBeLessThan(1)
  expect(randomFrom(8)()).not.toBe(numbers[0])
})
