import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import topology from '../../src/topology.json' with { type: 'json' }
import { demo } from '../../infra/local/demo.ts'
import { cosmosClient } from '../../infra/local/seed.ts'
import { fireTimer, startRunning } from './running.ts'

const AHEAD_MS = 600_000
/** The emulator takes calls that are signed up to a quarter of an hour off, as the service does. */
const ahead = `
const Real = Date
globalThis.Date = class extends Real {
  constructor(...given) { if (given.length === 0) super(Real.now() + ${AHEAD_MS}); else super(...given) }
  static now() { return Real.now() + ${AHEAD_MS} }
}`

test('S59: an instance whose clock is ten minutes ahead works by the time of the store, and says so', async () => {
  await using running = await startRunning({ serviceNow: { count: 5 } })
  const { NODE_OPTIONS } = process.env
  process.env['NODE_OPTIONS'] = `--import=data:text/javascript,${encodeURIComponent(ahead)}`
  const lines: string[] = []
  const starting = running.startFunctions({ onLine: (line) => lines.push(line) })
  process.env['NODE_OPTIONS'] = NODE_OPTIONS ?? ''
  await using functions = await starting
  await fireTimer(running, functions, 'SyncScheduler')
  using client = cosmosClient(running.stack)
  const shards = client.database(topology.database).container(topology.containers.shards.name)
  const query = "SELECT VALUE c.updatedAt FROM c WHERE c.kind = 'record'"
  const partitionKey = [demo.tenantId, demo.entityType]
  for (;;) {
    const { resources } = await shards.items.query<string>(query, { partitionKey }).fetchAll()
    if (resources.length < 5) {
      await delay(50)
      continue
    }
    for (const at of resources) expect(Date.parse(at)).toBeLessThan(Date.now() + AHEAD_MS / 10)
    break
  }
  expect(lines.join('\n')).toMatch(/the clock of this instance is (599|600) s ahead/)
})
