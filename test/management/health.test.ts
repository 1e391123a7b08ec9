import { expect, test } from 'vitest'
import { healthCheck, type Probe } from '../../src/management/health.ts'

const probe = (service: string, essential: boolean, ping: Probe['ping']): Probe => ({
  service,
  essential,
  ping,
})
const up = async () => {}
const down = async () => {
  throw new Error('away')
}

test.for<[string, Probe[], string, Record<string, string>]>([
  ['all answer', [probe('a', true, up), probe('b', false, up)], 'healthy', { a: 'up', b: 'up' }],
  [
    'one that can wait is away',
    [probe('a', true, up), probe('b', false, down)],
    'degraded',
    { a: 'up', b: 'down' },
  ],
  [
    'one that all needs is away',
    [probe('a', true, down), probe('b', false, up)],
    'unhealthy',
    { a: 'down', b: 'up' },
  ],
])('%s', async ([, probes, status, services]) => {
  const check = healthCheck(probes, '1.2.3', () => new Date(0))
  expect(await check()).toEqual({
    status,
    services,
    version: '1.2.3',
    timestamp: '1970-01-01T00:00:00.000Z',
  })
})

test('callers within two seconds share one round of questions; later ones do not', async () => {
  let asked = 0
  let nowMs = 0
  const count = async () => {
    asked += 1
  }
  const check = healthCheck([probe('a', true, count)], '1', () => new Date(nowMs))
  await Promise.all([check(), check(), check()])
  nowMs = 1_999
  await check()
  expect(asked).toBe(1)
  nowMs = 2_000
  await check()
  expect(asked).toBe(2)
})
