import { attempt } from './explore.ts'
import type { PlannedFault } from './faults.ts'
import { worlds } from './worlds/index.ts'

/** A scenario of the design as a plan of faults; everything else still follows the seed, so a few are played. */
export interface Scenario {
  readonly id: string
  readonly title: string
  readonly world: string
  readonly plan: readonly PlannedFault[]
}

const SEEDS = 10

export const scenarios: readonly Scenario[] = [
  {
    id: 'S1',
    title: 'the process dies before the event is stored',
    world: 'webhook',
    plan: [{ site: 'webhook deliveries.write', kind: 'crash-before' }],
  },
  {
    id: 'S2',
    title: 'the process dies after the event is stored',
    world: 'webhook',
    plan: [{ site: 'webhook deliveries.write', kind: 'crash-after' }],
  },
  {
    id: 'S18',
    title: 'the scheduler dies between claim and message',
    world: 'inbound',
    plan: [{ site: 'scheduler tasks.write', kind: 'crash-after' }],
  },
  {
    id: 'S18',
    title: 'the scheduler dies after the message',
    world: 'inbound',
    plan: [{ site: 'scheduler queue.send', kind: 'crash-after' }],
  },
  {
    id: 'S19',
    title: 'the timer fires twice, then not at all',
    world: 'inbound',
    plan: [
      { site: 'scheduler timer', kind: 'twice' },
      { site: 'scheduler timer', nth: 2, kind: 'skipped' },
      { site: 'scheduler timer', nth: 3, kind: 'skipped' },
    ],
  },
  {
    id: 'S20',
    title: 'the message is lost to ten crashes; the claim is offered again',
    world: 'inbound',
    plan: Array.from({ length: 10 }, (_, index) => ({
      site: 'worker tasks.get',
      nth: index + 1,
      kind: 'crash-before' as const,
    })),
  },
  {
    id: 'S21',
    title: 'the lock ends while the first worker still works',
    world: 'inbound',
    plan: [
      { site: 'worker delivery', kind: 'lock-lost', size: 0 },
      { site: 'worker vendor.fetch', nth: 2, kind: 'delay', size: 0.99 },
    ],
  },
  {
    id: 'S23',
    title: 'the vendor asks to wait',
    world: 'inbound',
    plan: [{ site: 'worker vendor.fetch', nth: 2, kind: 'vendor-trouble', size: 0 }],
  },
  {
    id: 'S25',
    title: 'many rows to a second, the worker dies at every third page',
    world: 'inbound',
    plan: [2, 5, 8, 11].map((nth) => ({
      site: 'worker shards.write',
      nth,
      kind: 'crash-after' as const,
    })),
  },
  {
    id: 'S33',
    title: 'a lagging replica of the vendor answers after a newer one',
    world: 'inbound',
    plan: [3, 6, 9].map((nth) => ({
      site: 'worker vendor.fetch',
      nth,
      kind: 'stale' as const,
      size: 0.9,
    })),
  },
  {
    id: 'S59',
    title: 'the clock of one worker is an hour back, of another an hour ahead',
    world: 'inbound',
    plan: [
      { site: 'worker clock', kind: 'skew', size: 0 },
      { site: 'worker clock', nth: 3, kind: 'skew', size: 0.99 },
    ],
  },
  {
    id: 'S60',
    title: 'reads after a fail-over are stale',
    world: 'inbound',
    plan: ['tasks.get', 'shards.get', 'shards.getMany'].map((port) => ({
      site: `worker ${port}`,
      nth: 3,
      kind: 'stale' as const,
      size: 0.9,
    })),
  },
]

/** What the seeds themselves play, without a plan: the worlds cannot be set up without it. */
const always: readonly (readonly [string, string])[] = [
  ['S22', 'inbound: rows without a title are parked and their siblings go on'],
  ['S27', 'inbound: rows become visible up to 170 s after their stamp'],
  ['S28', 'inbound: the vendor’s clock is seven minutes ahead or behind'],
  ['S29', 'inbound: rows move to the end of the stream while it is paged'],
]

export function scenarioTable(): string {
  const rows = [
    ...scenarios.map(({ id, world, title }) => [id, `${world}: ${title}`] as const),
    ...always.map(([id, text]) => [id, `${text} (in every seed)`] as const),
  ]
  return rows.map(([id, text]) => `${id.padEnd(5)} ${text}`).join('\n')
}

/** How many of them broke an invariant. */
export async function playAll(
  chosen: readonly Scenario[],
  say: (line: string) => void,
): Promise<number> {
  let failures = 0
  for (const { id, title, world: name, plan } of chosen) {
    const world = worlds.find((one) => one.name === name)
    if (!world) throw new Error(`no world is called ${name}`)
    let struck = 0
    let problem: string | undefined
    for (let seed = 1; seed <= SEEDS && !problem; seed += 1) {
      const outcome = await attempt(world, { seed, plan })
      struck += outcome.struck.length
      if (outcome.violation) problem = `seed ${seed}: ${outcome.violation.message}`
    }
    // A plan that never strikes says nothing.
    if (struck < SEEDS) problem ??= `its faults struck ${struck} times in ${SEEDS} seeds`
    if (problem) failures += 1
    say(`${id}: ${title}: ${problem ?? `holds (${SEEDS} seeds, ${struck} faults)`}`)
  }
  return failures
}
