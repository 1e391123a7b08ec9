import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Json } from '../../src/core/canonical-json.ts'
import { canonicalOf, isSame, type Equality } from '../../src/sync/change.ts'
import { resolveConflict, type Contest, type Resolution } from '../../src/sync/conflict.ts'

const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 10, minute)).toISOString()

describe('a contest', () => {
  const contest = (more: Partial<Contest> = {}): Contest => ({
    base: 'b',
    local: 'l',
    external: 'e',
    localAt: at(1),
    externalAt: at(2),
    ...more,
  })
  const resolution = (more: Partial<Resolution> = {}): Resolution => ({
    strategy: 'newest_wins',
    tieBreak: 'manual',
    skewMs: 5_000,
    ...more,
  })

  test.for<[string, string, string]>([
    [at(1), at(2), 'external'],
    [at(2), at(1), 'local'],
    ['2026-03-01T10:00:04.000Z', '2026-03-01T10:00:00.000Z', 'nobody'],
    ['2026-03-01T10:00:00.000Z', '2026-03-01T10:00:05.000Z', 'nobody'],
    ['2026-03-01T10:00:00.000Z', 'never', 'nobody'],
  ])(
    'S44: of changes at %s here and %s there, %s wins by time',
    ([localAt, externalAt, winner]) => {
      expect(resolveConflict(contest({ localAt, externalAt }), resolution())).toEqual({ winner })
    },
  )

  test('texts that only grew are put together in the order of their times, from either side', () => {
    const grown = { base: 'log.', local: 'log. here.', external: 'log. there.' }
    const by = resolution({ strategy: 'merge', merge: 'append' })
    expect(resolveConflict(contest(grown), by)).toEqual({
      winner: 'merged',
      value: 'log. here. there.',
    })
    const mirrored = {
      base: 'log.',
      local: grown.external,
      external: grown.local,
      localAt: at(2),
      externalAt: at(1),
    }
    expect(resolveConflict(contest(mirrored), by)).toEqual({
      winner: 'merged',
      value: 'log. here. there.',
    })
    expect(resolveConflict(contest({ ...grown, local: 'rewritten' }), by)).toEqual({
      winner: 'nobody',
    })
  })

  test.for<[string, Json, Json, string]>([
    ['highest', 3, 5, 'external'],
    ['lowest', 3, 5, 'local'],
    ['filled', null, 'x', 'external'],
    ['filled', 'x', null, 'local'],
    ['longest', 'same', 'size', 'nobody'],
    ['unheard of', 1, 2, 'nobody'],
  ])('custom %s of %j and %j: %s', ([custom, local, external, winner]) => {
    expect(
      resolveConflict(contest({ local, external }), resolution({ strategy: 'custom', custom })),
    ).toEqual({ winner })
  })
})

test('what a field does not distinguish is the same, and saying so twice changes nothing', () => {
  const equalities: readonly Equality[] = [
    {},
    { trim: true, ignoreCase: true },
    { decimals: 2 },
    { set: true },
    { length: 3 },
    { precisionMs: 1_000 },
  ]
  expect(isSame(' A ', 'a', { trim: true, ignoreCase: true })).toBe(true)
  expect(isSame(1.004, 1, { decimals: 2 })).toBe(true)
  expect(isSame(['b', 'a', 'a'], ['a', 'b'], { set: true })).toBe(true)
  expect(isSame('2026-01-01T00:00:00.900Z', '2026-01-01T00:00:00Z', { precisionMs: 1_000 })).toBe(
    true,
  )
  expect(isSame('', null, {})).toBe(true)
  expect(isSame('a', 'A', {})).toBe(false)
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...equalities), (json, equality) => {
      const value = json as Json // what fast-check makes is JSON
      const once = canonicalOf(value, equality)
      expect(canonicalOf(once, equality)).toEqual(once)
    }),
  )
})
