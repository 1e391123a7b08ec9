import type { Bench, Figure } from './harness.ts'
import { beside } from './harness.ts'
import { startFloor, type Floor } from './floor.ts'
import {
  seedTenant,
  spent,
  startMeasured,
  touchEveryRow,
  type Measured,
  type Spent,
} from './tenants.ts'

const ROWS = 10_000
const kinds = ['new', 'unchanged', 'changed'] as const

interface Pair {
  readonly ours: Spent
  readonly floor: Spent
}

/** Incidents from the instance into the store, through timer, queue, worker and database, all on this machine. */
export const inbound: Bench = {
  name: 'inbound',
  summary: `${ROWS} incidents pulled for the first time, then again with nothing changed, then all changed; rates, request units, messages`,
  run: async (progress, rounds) => {
    await using measured = await startMeasured({ serviceNow: { count: ROWS } })
    using floor = startFloor(measured.stack)
    const pairs = { new: [], unchanged: [], changed: [] } as Record<(typeof kinds)[number], Pair[]>
    // The first round warms both processes up.
    for (let round = 0; round <= rounds; round += 1) {
      await seedTenant(measured, `ours-${round}`, 'pull')
      for (const kind of kinds) {
        progress(`${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}: ${kind}`)
        if (kind === 'unchanged') touchEveryRow(measured, () => ({ location: `moved ${round}` }))
        if (kind === 'changed') {
          touchEveryRow(measured, (row) => ({ short_description: `text ${row} of ${round}` }))
        }
        const pair = await measure(measured, floor, round)
        if (round > 0) pairs[kind].push(pair)
      }
    }
    return kinds.flatMap((kind) => figuresOf(kind, pairs[kind]))
  },
}

async function measure(measured: Measured, floor: Floor, round: number): Promise<Pair> {
  let processed: unknown
  const ours = await spent(measured, async () => {
    processed = (await measured.pull(`ours-${round}`))['recordsProcessed']
  })
  if (processed !== ROWS) throw new Error(`${String(processed)} rows came instead of ${ROWS}`)
  let rows = 0
  const bare = await spent(measured, async () => {
    rows = await floor.run({ kind: 'pull', tenantId: `floor-${round}` })
  })
  if (rows !== ROWS) throw new Error(`the floor read ${rows} rows instead of ${ROWS}`)
  return { ours, floor: bare }
}

function figuresOf(kind: string, pairs: readonly Pair[]): readonly Figure[] {
  const both = (name: string, unit: string, value: (spent: Spent) => number): Figure =>
    beside(
      { name, unit },
      {
        values: pairs.map(({ ours }) => value(ours)),
        floors: pairs.map(({ floor }) => value(floor)),
      },
    )
  return [
    both(`inbound_${kind}`, 'rows/s', ({ ms }) => ROWS / (ms / 1_000)),
    both(`inbound_${kind}_charge`, 'RU/row', ({ requestUnits }) => requestUnits / ROWS),
    {
      name: `inbound_${kind}_messages`,
      value: Math.max(...pairs.map(({ ours }) => ours.messages)),
      unit: 'messages/run',
      floor: 1,
    },
  ]
}
