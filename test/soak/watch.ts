import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { z } from 'zod'
import topology from '../../src/topology.json' with { type: 'json' }
import { cosmosClient } from '../../infra/local/seed.ts'
import type { Ledger } from './ledger.ts'
import { entityType, type SoakWorld, type Tenant } from './world.ts'

const LOOK_MS = 100
/** A write may be seen a little after the time that it carries. */
const OVERLAP_MS = 2_000
const PAGE_BYTES = 4_096
const run = promisify(execFile)

const changeShape = z.object({ links: z.unknown(), title: z.unknown() })
const linksShape = z.record(z.string(), z.object({ externalId: z.string().nullable() }))

/** Tells the ledger what arrives at the vendors, at once, and in the store, by looking every tenth of a second. */
export function watchArrivals(world: SoakWorld, ledger: Ledger): AsyncDisposable {
  const stop = new AbortController()
  for (const { name, vendor } of world.tenants) {
    vendor.control.parts.instance.onChange(({ table, row }) => {
      if (table !== entityType) return
      const of = { tenant: name, row: row['sys_id'] ?? '', value: row['description'] ?? '' }
      ledger.arrive('outbound', of, performance.now())
    })
  }
  const looking = Promise.all(world.tenants.map((tenant) => look(world, tenant, { ledger, stop })))
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await looking
    },
  }
}

async function look(
  { running }: SoakWorld,
  { name }: Tenant,
  { ledger, stop }: { readonly ledger: Ledger; readonly stop: AbortController },
): Promise<void> {
  using client = cosmosClient(running.stack)
  const container = client.database(topology.database).container(topology.containers.shards.name)
  const query =
    "SELECT c.links, c.fields.shortDescription AS title FROM c WHERE c.kind = 'record' AND c.updatedAt >= @since"
  while (!stop.signal.aborted) {
    await delay(LOOK_MS, undefined, { signal: stop.signal }).catch(() => {})
    if (ledger.waiting(name) === 0) continue
    const since = new Date(Date.now() - OVERLAP_MS).toISOString()
    const parameters = [{ name: '@since', value: since }]
    const { resources } = await container.items
      .query<unknown>({ query, parameters }, { partitionKey: [name, entityType] })
      .fetchAll()
    for (const resource of resources) {
      const { links, title } = changeShape.parse(resource)
      const row = linksShape.parse(links)[name]?.externalId ?? ''
      ledger.arrive('inbound', { tenant: name, row, value: String(title) }, performance.now())
    }
  }
}

/** What a process has in memory, in bytes; NaN when it is gone. */
export async function memoryOf(pid: number): Promise<number> {
  const statm = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => undefined)
  if (statm !== undefined) return Number(statm.split(' ')[1]) * PAGE_BYTES
  const listed = await run('ps', ['-o', 'rss=', '-p', String(pid)]).catch(() => undefined)
  return listed ? Number(listed.stdout.trim()) * 1_024 : Number.NaN
}

/** Messages that wait or are worked on, and those that were given up. */
export function queuesOf({ running }: SoakWorld): {
  readonly waiting: number
  readonly dead: number
} {
  const shape = z.record(
    z.string(),
    z.object({
      active: z.number(),
      locked: z.number(),
      scheduled: z.number(),
      deadLettered: z.number(),
    }),
  )
  const queues = Object.values(shape.parse(running.stack.serviceBus.control.inspect()))
  return {
    waiting: queues.reduce((sum, one) => sum + one.active + one.locked, 0),
    dead: queues.reduce((sum, { deadLettered }) => sum + deadLettered, 0),
  }
}
