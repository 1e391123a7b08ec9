import { createApp } from '../../src/app.ts'
import { readSettings } from '../../src/settings.ts'
import { inboundMessageShape } from '../../src/sync/task.ts'
import type { Sample } from './memory.ts'

// Started with --expose-gc: what is left after a collection is what is held.
const silent = { info() {}, warn() {}, error() {}, metric() {} }
const settings = readSettings(process.env)
await using app = createApp({ settings, log: silent, version: 'bench' })

async function pull(tenantId: string): Promise<Sample> {
  const { tasks } = await app.ports()
  await app.scheduleDueTasks()
  const task = (await tasks.get([tenantId], tenantId))?.document
  const message = inboundMessageShape.parse({
    ...task,
    correlationId: task?.claim?.runId,
    enqueuedAt: new Date().toISOString(),
    taskId: tenantId,
  })
  const outcome = await app.executeSync(message)
  if (outcome.kind !== 'finished') throw new Error(`the run ended as ${outcome.kind}`)
  globalThis.gc?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rows: outcome.result.recordsProcessed, rss, held: heapUsed + external }
}

for (const tenantId of process.argv.slice(2)) process.send?.(await pull(tenantId))
