import { expect, test } from 'vitest'
import { attempt, search, shrink } from './explore.ts'
import { MOST_SEEDS, prove } from './prove.ts'
import { coverage, elsewhere } from './scenarios/coverage.ts'
import { playAll } from './scenarios/play.ts'
import { scenarios } from './scenarios/scripts.ts'
import { worlds } from './worlds/index.ts'

const SEEDS = 200

test.for(worlds)(
  'in the world $name every invariant holds for hundreds of seeds',
  { timeout: 120_000 },
  async (world) => {
    expect(await search(world, { from: 1, count: SEEDS })).toBeUndefined()
  },
)

test('every planted bug is found', { timeout: 120_000 }, async () => {
  const proofs = await prove(worlds)
  expect(proofs.length).toBeGreaterThanOrEqual(20)
  expect(proofs.filter(({ seeds }) => seeds === undefined)).toEqual([])
  expect(MOST_SEEDS).toBe(500)
})

test.for(scenarios)('$id: $title', { timeout: 60_000 }, async (scenario) => {
  const lines: string[] = []
  await playAll([scenario], (line) => lines.push(line))
  expect(lines).toEqual([expect.stringContaining(': holds (')])
})

test('one seed always makes the same run', async () => {
  for (const world of worlds) {
    const [one, two] = [
      await attempt(world, { seed: 7, traced: true }),
      await attempt(world, { seed: 7, traced: true }),
    ]
    expect(one.timeline.length).toBeGreaterThan(20)
    expect(one.timeline).toEqual(two.timeline)
  }
})

test('a failing run is cut down to what it needs', async () => {
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
