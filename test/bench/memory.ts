import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { median, type Bench } from './harness.ts'
import { seedTenant } from './tenants.ts'
import { startRunning } from '../system/running.ts'

export interface Sample {
  readonly rows: number
  /** Bytes, after a collection. */
  readonly rss: number
  /** Bytes of the heap and outside of it that something still refers to. */
  readonly held: number
}

const ROWS = 10_000
const TENANTS = 10
const MB = 1024 * 1024
/** Samples at either end that are compared; before the first of them everything is loaded. */
const AT_EACH_END = 3
/** Less than a hundred bytes for each row between the two ends. */
const MAX_HELD_GROWTH = 6 * MB
/** The young generation takes its full size once; after that a leak of half a kilobyte a row would show. */
const MAX_RSS_GROWTH = 16 * MB

const worker = fileURLToPath(new URL('memory-worker.ts', import.meta.url))

/** What the worker holds after each ten thousand rows of another tenant. */
export const memory: Bench = {
  name: 'memory',
  summary: `${TENANTS} tenants' ${ROWS} rows pulled by one process, memory after each; fails when it grows`,
  run: async (progress) => {
    await using running = await startRunning({
      serviceNow: { count: ROWS },
      settings: { SYNC_SLICE_SECONDS: '3600' },
    })
    const tenants = Array.from({ length: TENANTS }, (_, index) => `tenant-${index}`)
    for (const tenant of tenants) await seedTenant(running, tenant, 'pull')
    const { settings } = running.stack
    const child = fork(worker, tenants, {
      execArgv: ['--expose-gc'],
      env: { ...process.env, ...settings },
    })
    const samples: Sample[] = []
    child.on('message', (message) => {
      const sample = message as Sample // as the worker sends it
      samples.push(sample)
      progress(`${samples.length} of ${TENANTS}: ${text(sample)}`)
    })
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0 || samples.length !== TENANTS) throw new Error(`the worker ended with ${code}`)
    const short = samples.find(({ rows }) => rows !== ROWS)
    if (short) throw new Error(`a run read ${short.rows} rows instead of ${ROWS}`)
    const held = growthOf(samples.slice(1).map(({ held: one }) => one))
    const rss = growthOf(samples.slice(TENANTS / 2).map(({ rss: one }) => one))
    if (held > MAX_HELD_GROWTH || rss > MAX_RSS_GROWTH) {
      throw new Error(`memory grows: ${samples.map(text).join('; ')}`)
    }
    const total = ROWS * TENANTS
    return [
      { name: `memory_${total}_rows_rss`, value: (samples.at(-1)?.rss ?? 0) / MB, unit: 'MB' },
      { name: `memory_${total}_rows_rss_growth`, value: rss / MB, unit: 'MB' },
      { name: `memory_${total}_rows_held_growth`, value: held / MB, unit: 'MB' },
    ]
  },
}

function text({ rss, held }: Sample): string {
  return `RSS ${(rss / MB).toFixed(0)} MB, held ${(held / MB).toFixed(1)} MB`
}

/** What the last of some values are above the first. */
function growthOf(values: readonly number[]): number {
  return median(values.slice(-AT_EACH_END)) - median(values.slice(0, AT_EACH_END))
}
