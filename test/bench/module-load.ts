import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import manifest from '../../package.json' with { type: 'json' }
import { bundle } from '../../infra/bundle.ts'
import { beside, type Bench } from './harness.ts'

const run = promisify(execFile)
const RUNS = 9

/** Stands in for what the Functions worker gives an app while it loads. */
const worker = `
import Module from 'node:module'
const core = { registerFunction: () => ({ dispose() {} }), registerHook: () => ({ dispose() {} }), setProgrammingModel() {}, log() {} }
const load = Module._load
Module._load = function (name, ...rest) { return name === '@azure/functions-core' ? core : load.call(this, name, ...rest) }
const before = performance.now()
await import(process.argv[2])
process.stdout.write(JSON.stringify({ ms: performance.now() - before, mb: process.memoryUsage().rss / 1048576 }))
process.exit(0)
`

const environment = {
  COSMOS_ENDPOINT: 'http://127.0.0.1:1',
  COSMOS_KEY: 'none',
  SERVICE_BUS_CONNECTION_STRING:
    'Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=none;SharedAccessKey=none',
  KEY_VAULT_NAME: 'none',
  WEBHOOK_SECRET: 'none',
  SIGNALR_CONNECTION_STRING: 'Endpoint=http://127.0.0.1:1;AccessKey=x',
  AUTH_ISSUERS: 'http://127.0.0.1:1',
}

/**
 * What every cold start pays before the first call: the deployed bundle, and the sources for comparison. Their floor is a
 * bare function that talks to the same store and queue through the same packages, bundled alike.
 */
export const moduleLoad: Bench = {
  name: 'module-load',
  summary:
    'loading the deployed bundle in fresh processes, beside a bare function with the same packages',
  run: async (progress) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'syncline-bench-'))
    await using cleanup = new AsyncDisposableStack()
    cleanup.defer(() => rm(folder, { recursive: true, force: true }))
    const root = path.join(import.meta.dirname, '../..')
    await bundle(path.join(root, manifest.main), path.join(folder, 'main.mjs'))
    await bundle(
      path.join(import.meta.dirname, 'webhook-floor-app/main.ts'),
      path.join(folder, 'floor.mjs'),
    )
    await writeFile(path.join(folder, 'worker.mjs'), worker)
    const entries = {
      floor: 'floor.mjs',
      bundle: 'main.mjs',
      sources: path.join(root, 'src/main.ts'),
    }
    const took: Record<keyof typeof entries, { ms: number; mb: number }[]> = {
      floor: [],
      bundle: [],
      sources: [],
    }
    for (let index = 0; index < RUNS; index += 1) {
      progress(`round ${index + 1} of ${RUNS}`)
      for (const [name, entry] of Object.entries(entries)) {
        const { stdout } = await run(
          process.execPath,
          [path.join(folder, 'worker.mjs'), path.resolve(folder, entry)],
          { env: { ...process.env, ...environment } },
        )
        took[name as keyof typeof entries].push(JSON.parse(stdout) as { ms: number; mb: number }) // printed above
      }
    }
    const both = (name: 'bundle' | 'sources') => [
      beside(
        { name: `module_load_${name}`, unit: 'ms' },
        { values: took[name].map(({ ms }) => ms), floors: took.floor.map(({ ms }) => ms) },
      ),
      beside(
        { name: `module_load_${name}_memory`, unit: 'MB' },
        { values: took[name].map(({ mb }) => mb), floors: took.floor.map(({ mb }) => mb) },
      ),
    ]
    return [...both('bundle'), ...both('sources')]
  },
}
