import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/canonical-json.ts'
import { keysOf } from '../../src/sync/dedupe/blocking.ts'
import { compare, prepare, type Comparison } from '../../src/sync/dedupe/compare.ts'
import { candidateOf } from '../../src/sync/dedupe/match.ts'
import { duplicatesShape, matchRow, type Duplicates } from '../../src/sync/dedupe/strategy.ts'
import { learnWeights, probabilityOf } from '../../src/sync/dedupe/weights.ts'
import { resolveOpenConflict } from '../../src/sync/review.ts'
import type { ConflictDocument } from '../../src/sync/record.ts'
import type { Task } from '../../src/sync/task.ts'
import { ringOf, workAMinute, type Ring } from '../simulation/ring.ts'

const byName = (strategy: Duplicates['strategy'], more: object = {}): Duplicates =>
  duplicatesShape.parse({
    strategy,
    keys: [{ parts: [{ field: 'name', by: strategy === 'exact' ? 'exact' : 'sound' }] }],
    fields: [
      { field: 'name', by: 'name' },
      { field: 'phone', by: 'digits' },
      { field: 'city', by: 'text' },
    ],
    ...more,
  })

function verdict(row: JsonObject, known: readonly JsonObject[], by: Duplicates) {
  const keys = keysOf(row, by.keys)
  const candidates = known.flatMap((fields, index) =>
    keysOf(fields, by.keys).some((key) => keys.includes(key))
      ? [candidateOf(String(index), fields, by.fields)]
      : [],
  )
  return matchRow(candidateOf('', row, by.fields), candidates, by).verdict
}

describe('a row', () => {
  const stephen = { name: 'Stephen Meyer', phone: '+49 30 1234', city: 'Berlin' }
  test.for<[Duplicates, JsonObject, string]>([
    [byName('exact'), { name: ' stephen  MEYER. ' }, 'sure'],
    [byName('exact'), { name: 'Steven Maier' }, 'new'],
    [byName('phonetic'), { name: 'Steven Maier', phone: '0049301234' }, 'likely'],
    [byName('phonetic'), { name: 'Peter Schulz' }, 'new'],
    [byName('fuzzy'), { name: 'Stephen Meyer', phone: '+49-30-1234', city: 'Berlin' }, 'sure'],
    [byName('fuzzy'), { name: 'Steven Maier', phone: '99', city: 'Hamburg' }, 'new'],
    [byName('custom', { custom: 'always_ask' }), { name: 'Stephen Meyer' }, 'likely'],
    [byName('custom', { custom: 'unheard_of' }), { name: 'Stephen Meyer' }, 'new'],
  ])('%j of %j is %s', ([by, row, expected]) => {
    expect(verdict(row, [stephen, { name: 'Anna Lang' }], by)).toBe(expected)
  })

  test('that fits two records alike is for a person', () => {
    expect(verdict({ name: 'Stephen Meyer' }, [stephen, stephen], byName('exact'))).toBe('likely')
    expect(verdict(stephen, [stephen, { ...stephen }], byName('fuzzy'))).toBe('likely')
  })

  test('that is sure to be one record and likely to be another is for a person', () => {
    const other = { ...stephen, phone: '99', city: 'Bern' }
    const by = byName('fuzzy')
    expect(verdict(stephen, [stephen], by)).toBe('sure')
    expect(verdict(stephen, [other], by)).toBe('likely')
    expect(verdict(stephen, [stephen, other], by)).toBe('likely')
    expect(verdict(stephen, [stephen, { ...stephen, name: 'Anna Lang' }], by)).toBe('sure')
  })
})

test.for<[Comparison, string, string, number | undefined]>([
  ['exact', 'A b', 'a-B', 1],
  ['name', 'Müller', 'Mueller', 3],
  ['name', 'Catherine', 'Kathryn', 3],
  ['digits', '030/123', '030124', 1],
  ['digits', '030/123', '030 123', 2],
  ['date', '2001-02-03', '2001-03-02', 0],
  ['date', '2001-02-03', '2001-02-30', 1],
  ['words', 'Smith & Sons Ltd', 'ltd smith sons', 3],
  ['text', '', 'x', undefined],
])('%s compares %s and %s to level %j', ([by, a, b, level]) => {
  expect(compare(by, prepare(by, a), prepare(by, b))).toBe(level)
})

test('weights are learned from pairs of which nobody said whether they match', () => {
  const match = Array.from({ length: 60 }, (_, nth) => [
    nth % 10 === 0 ? 0 : 2,
    nth % 7 === 0 ? undefined : 2,
    2,
  ])
  const other = Array.from({ length: 400 }, (_, nth) => [
    nth % 20 === 0 ? 2 : 0,
    nth % 25 === 0 ? 2 : 0,
    nth % 3,
  ])
  const weights = learnWeights([2, 2, 2], [...match, ...other])
  expect(weights.prior).toBeGreaterThan(0.08)
  expect(weights.prior).toBeLessThan(0.2)
  expect(probabilityOf(weights, [2, 2, 2])).toBeGreaterThan(0.99)
  expect(probabilityOf(weights, [0, 0, 2])).toBeLessThan(0.01)
  expect(probabilityOf(weights, [undefined, undefined, undefined])).toBeCloseTo(weights.prior, 5)
})

const keys = [{ parts: [{ field: 'title', by: 'exact' as const }] }]
const duplicates = (strategy: Duplicates['strategy']): Partial<Task> => ({
  duplicates: duplicatesShape.parse({ strategy, keys, custom: 'always_ask' }),
})

/** Two systems that have the same three things already, and one thing each of their own. */
async function meet(policy: Partial<Task>): Promise<Ring> {
  const ring = ringOf({ seed: 3, policy })
  const [snow, force] = ring.vendors
  for (const title of ['one', 'two', 'three']) {
    snow?.create({ short_description: title, state: 1, comments: 'c', location: 'here' })
    force?.create({ Subject: title, Status: 'New', Description: 'c' })
  }
  snow?.create({ short_description: 'only here', state: 1, comments: 'c', location: 'here' })
  force?.create({ Subject: 'only there', Status: 'New', Description: 'c' })
  await ring.addTasks()
  for (let minute = 0; minute < 12; minute += 1) await workAMinute(ring)
  return ring
}

const living = (ring: Ring) => ring.records().filter(({ deleted }) => !deleted)
const sizes = (ring: Ring) => ring.vendors.map((vendor) => vendor.alive().length)

test('systems that have the same things already are linked, and nothing is created twice', async () => {
  const ring = await meet(duplicates('exact'))
  expect(living(ring)).toHaveLength(5)
  expect(sizes(ring)).toEqual([5, 5, 5])
})

test('without the rule both keep their own, each in all systems', async () => {
  const ring = await meet({})
  expect(sizes(ring)).toEqual([8, 8, 8])
})

test('what is likely the same goes nowhere until a person has said so, and then where it belongs', async () => {
  const ring = await meet(duplicates('custom'))
  const open = () =>
    ring
      .conflicts()
      .filter(
        (one): one is ConflictDocument =>
          one.reason === 'likely_duplicate' && one.status === 'open',
      )
  expect(open()).toHaveLength(3)
  expect(sizes(ring)).toEqual([5, 5, 5])
  const [same, another, last] = open()
  const decide = (conflict: ConflictDocument | undefined, choice: 'local' | 'external') =>
    resolveOpenConflict(
      ring.ports,
      { tenantId: 'tenant-1', entityType: 'incident', id: conflict?.id ?? '' },
      { by: 'op', choose: { choice } },
    )
  await decide(same, 'local')
  await decide(another, 'external')
  await decide(last, 'local')
  await expect(decide(last, 'external')).rejects.toMatchObject({ code: 'conflict' })
  for (let minute = 0; minute < 6; minute += 1) await workAMinute(ring)
  expect(living(ring)).toHaveLength(6)
  expect(sizes(ring)).toEqual([6, 6, 6])
})
