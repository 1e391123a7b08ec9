import topology from '../../src/topology.json' with { type: 'json' }
import { cosmosClient, demo } from '../../infra/local/demo.ts'
import { fireTimer, startRunning, type Running } from '../system/running.ts'
import type { Bench, Figure } from './harness.ts'

const ROWS = 10_000

/** Incidents from the instance into the store, through timer, queue, worker and database, all on this machine. */
export const inbound: Bench = {
  name: 'inbound',
  summary: `${ROWS} incidents pulled for the first time, then again with nothing changed, then all changed`,
  run: async (progress) => {
    await using running = await startRunning({ serviceNow: { count: ROWS } })
    let finished = Promise.withResolvers<void>()
    await using functions = await running.startFunctions({
      onLine: (line) => {
        if (line.includes('slice finished')) finished.resolve()
      },
    })
    const pull = async (name: string): Promise<readonly Figure[]> => {
      progress(`${name}: ${ROWS} rows`)
      await askForRun(running)
      running.stack.cosmos.control.resetCalls()
      finished = Promise.withResolvers()
      const before = performance.now()
      await fireTimer(running, functions, 'SyncScheduler')
      await finished.promise
      const seconds = (performance.now() - before) / 1_000
      const { total } = running.stack.cosmos.control.requestCharge()
      return [
        { name: `inbound_${name}`, value: ROWS / seconds, unit: 'rows/s' },
        { name: `inbound_${name}_charge`, value: total / ROWS, unit: 'RU/row' },
      ]
    }
    const first = await pull('new')
    touchEveryRow(running, () => ({ location: 'moved' }))
    const unchanged = await pull('unchanged')
    touchEveryRow(running, (index) => ({ short_description: `another text ${index}` }))
    const changed = await pull('changed')
    return [...first, ...unchanged, ...changed]
  },
}

/** Somebody edits every incident: all of them are read again, whatever was edited. */
function touchEveryRow(
  { stack }: Running,
  change: (index: number) => Record<string, string>,
): void {
  const { control } = stack.serviceNow
  for (const [index, row] of control.rows(demo.entityType).entries()) {
    control.update(demo.entityType, row['sys_id'] ?? '', change(index))
  }
}

async function askForRun({ stack }: Running): Promise<void> {
  using client = cosmosClient(stack)
  const task = client
    .database(topology.database)
    .container(topology.containers.tasks.name)
    .item(demo.taskId, demo.tenantId)
  await task.patch([{ op: 'set', path: '/status', value: 'pending' }])
}
