import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { knownSeeds } from './known-seeds.ts'
import { MOST_SEEDS, prove } from './prove.ts'
import { coverage, elsewhere } from './scenarios/coverage.ts'
import { playAll } from './scenarios/play.ts'
import { scenarios } from './scenarios/scripts.ts'
import { worlds } from './worlds/index.ts'

test.for(worlds)(
  'every bug that is planted in the world $name is found',
  { timeout: 240_000 },
  async (world) => {
    const proofs = await prove([world], { known: knownSeeds })
    expect(proofs.filter(({ seeds }) => seeds === undefined)).toEqual([])
    // A world says of itself which invariants it checks.
    expect(proofs.filter(({ invariant = 0 }) => !world.checks.includes(invariant))).toEqual([])
  },
)

test('many bugs are planted, and each is to be found soon', () => {
  const count = worlds.reduce((sum, { bugs }) => sum + Object.keys(bugs).length, 0)
  expect(count).toBeGreaterThanOrEqual(90)
  expect(MOST_SEEDS).toBe(500)
})

test.for(scenarios)('$id: $title', { timeout: 60_000 }, async (scenario) => {
  const lines: string[] = []
  await playAll([scenario], (line) => lines.push(line))
  expect(lines).toEqual([expect.stringContaining(': holds (')])
})

test('of every scenario it is said who holds it, or why nobody does', async () => {
  expect(coverage().filter(({ by }) => by.length === 0)).toEqual([])
  for (const [id, where] of Object.entries(elsewhere)) {
    if ('not' in where) continue
    expect(await readFile(where.test, 'utf8')).toMatch(new RegExp(`\\b${id}\\b`))
  }
})
