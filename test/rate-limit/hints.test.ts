import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lessonOf, readHint } from '../../src/rate-limit/hints.ts'
import { HOUR, inSeconds, now, samples, type Sample } from './vendor-answers.ts'

const hintOf = ({ status = 200, headers, body }: Omit<Sample, 'hint'>) =>
  readHint({ status, headers: new Headers(headers), body }, now)

test.for(Object.keys(samples))('%s', (name) => {
  const sample = samples[name]
  expect(hintOf(sample ?? { headers: {} })).toEqual(sample?.hint)
})

describe('what a hint teaches', () => {
  test('a limit without what remains is a pace until its reset', () => {
    const hint = { refused: false, limit: 500, windowMs: HOUR, resetAt: inSeconds(1_800) }
    expect(lessonOf(hint, now)).toEqual({
      refused: false,
      pace: { intervalMs: 7_200, forMs: 1_800_000 },
    })
  })

  test('what little remains is spread over the time until the reset', () => {
    const hint = { refused: false, limit: 100, remaining: 10, resetAt: inSeconds(40) }
    expect(lessonOf(hint, now).pace).toEqual({ intervalMs: 4_000, forMs: 40_000 })
  })

  test('plenty teaches nothing', () => {
    const hint = { refused: false, limit: 100, remaining: 51, resetAt: inSeconds(40) }
    expect(lessonOf(hint, now)).toEqual({ refused: false })
  })

  test('nothing left means a pause until the reset, though this call was answered', () => {
    const headers = { 'ratelimit-limit': '9', 'ratelimit-remaining': '0', 'ratelimit-reset': '20' }
    expect(lessonOf(hintOf({ headers }), now)).toMatchObject({
      refused: false,
      pauseMs: 20_000,
    })
  })

  test('whatever headers say, waits are finite, not in the past and not beyond a day', () => {
    const names = [
      'retry-after',
      'x-ratelimit-limit',
      'x-ratelimit-remaining',
      'x-ratelimit-reset',
      'x-ratelimit-rule',
      'x-ratelimit-used',
      'ratelimit',
      'ratelimit-remaining',
      'ratelimit-reset',
      'x-hubspot-ratelimit-interval-milliseconds',
      'sforce-limit-info',
    ]
    const value = fc.oneof(
      fc.integer().map(String),
      fc.double().map(String),
      fc.constantFrom('', '1e400', 'NaN', '-0', '0x10', 'Infinity', '99999999999999999999'),
      fc.string().filter((text) => /^[\x20-\x7e]*$/.test(text)),
      fc.constantFrom('limit=0, remaining=0, reset=0', 'api-usage=1/0', 'r=9;t=99999999999'),
    )
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...names), value),
        fc.constantFrom(200, 403, 429, 503, 529),
        (headers, status) => {
          const { pauseMs = 1, pace, day } = lessonOf(hintOf({ status, headers }), now)
          const { intervalMs = 0, forMs = 1 } = pace ?? {}
          expect(pauseMs).toBeGreaterThan(0)
          expect(pauseMs).toBeLessThanOrEqual(HOUR)
          expect(intervalMs).toBeGreaterThanOrEqual(0)
          expect(intervalMs).toBeLessThanOrEqual(HOUR)
          expect(forMs).toBeGreaterThan(0)
          expect(forMs).toBeLessThanOrEqual(24 * HOUR)
          expect(day?.limit ?? 1).toBeGreaterThan(0)
        },
      ),
    )
  })
})
