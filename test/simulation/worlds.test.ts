import { expect, test } from 'vitest'
import { attempt, search, shrink } from './explore.ts'
import { invariants, invariantTable } from './invariants.ts'
import { worlds } from './worlds/index.ts'

const SEEDS = 200

test.for(worlds)(
  'in the world $name every invariant holds for hundreds of seeds',
  { timeout: 240_000 },
  async (world) => {
    expect(await search(world, { from: 1, count: SEEDS })).toBeUndefined()
  },
)

test('every invariant is checked by some world', () => {
  const checked = new Set(worlds.flatMap(({ checks }) => checks))
  expect([...checked].sort((a, b) => a - b)).toEqual(Object.keys(invariants).map(Number))
  expect(invariantTable(worlds)).toMatch(/^ 7 one refresh +refresh$/m)
})

test('one seed always makes the same run', { timeout: 60_000 }, async () => {
  for (const world of worlds) {
    const [one, two] = [
      await attempt(world, { seed: 7, traced: true }),
      await attempt(world, { seed: 7, traced: true }),
    ]
    expect(one.timeline.length).toBeGreaterThan(20)
    expect(one.timeline).toEqual(two.timeline)
  }
})

test('a failing run is cut down to what it needs', { timeout: 60_000 }, async () => {
  const world = worlds.find(({ name }) => name === 'inbound')
  if (!world) throw new Error('no such world')
  const bug = 'parked-dropped'
  const found = await search(world, { from: 1, count: 200, bug })
  if (!found) throw new Error('it was not found')
  const { labels, outcome, from } = await shrink(world, { ...found, bug })
  expect(outcome.violation?.invariant).toBe(found.violation.invariant)
  expect(labels.length).toBeLessThan(from)
  expect(labels.length).toBeLessThanOrEqual(2)
})
