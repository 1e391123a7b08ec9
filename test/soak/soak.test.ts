import { expect, test } from 'vitest'
import { spawnCommand } from '../system/spawned.ts'
import { soak } from './soak.ts'
import { checksOf } from './verdict.ts'

test('a short soak loses nothing, though a tenant floods and vendors fail', async () => {
  const lines: string[] = []
  const seen = await soak(
    {
      minutes: 0.08,
      idleSeconds: 2,
      burst: 40,
      rows: 30,
      lightTenants: 1,
      patienceSeconds: 90,
      mishapSeconds: 1,
    },
    (line) => lines.push(line),
  )
  expect(checksOf(seen, { judgesTime: false }).filter(({ holds }) => !holds)).toEqual([])
  expect(seen.mishaps).toBeGreaterThan(0)
  expect(seen.edits).toBeGreaterThan(0)
  expect(seen.notifications.accepted).toBeGreaterThan(0)
  expect(lines.some((line) => line.includes('under way'))).toBe(true)
}, 120_000)

test('the command tells what it takes', async () => {
  await using help = spawnCommand('test/soak/main.ts', ['--help'])
  expect(await help.ended).toBe(0)
  expect(help.output()).toMatch(/--minutes N +how long the load lasts \(default 10\)/)
})
