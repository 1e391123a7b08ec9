import { readFile } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import tls from 'node:tls'
import { readOptions } from './command.ts'
import { serveControl } from './control-server.ts'
import { startFunctionsHost } from './functions-host/functions-host.ts'
import { readLocalSettings } from './functions-host/local-settings.ts'

const DEFAULT_PORT = 7071

/** Signals that end the command; a second one is left to Node, which ends it at once. */
function untilStopped(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  process.once('SIGINT', () => resolve())
  process.once('SIGTERM', () => resolve())
  // A parent that opened a channel and is gone will not send a signal any more.
  if (process.channel) process.once('disconnect', () => resolve())
  return promise
}

/** Node reads NODE_EXTRA_CA_CERTS only when it starts; a file that comes with the settings is added here instead. */
async function trustExtra(file: string | undefined): Promise<void> {
  if (!file) return
  const pem = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`NODE_EXTRA_CA_CERTS names ${file}, which cannot be read`, { cause })
  })
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), pem])
}

/** As Core Tools do: what the environment says already stands. */
function withoutInherited(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter(([name]) => process.env[name] === undefined),
  )
}

async function run(): Promise<void> {
  const options = readOptions({
    usage: 'npm run functions:start --',
    summary:
      'Runs the functions of an app on this machine, with the settings of local.settings.json.',
    options: {
      port: {
        type: 'number',
        help: `TCP port, 0 for any (default LocalHttpPort or ${DEFAULT_PORT})`,
      },
      settings: { type: 'text', help: 'settings file (default local.settings.json of the app)' },
      root: { type: 'text', help: 'folder of the app', default: '.' },
      'control-port': { type: 'number', help: 'port of the control channel (default: none)' },
      state: { type: 'text', help: 'file that remembers when timers ran (default: memory only)' },
    },
  })
  const root = path.resolve(options.root)
  const local = await readLocalSettings(
    path.resolve(options.settings ?? path.join(root, 'local.settings.json')),
  )
  const settings = withoutInherited(local.values)
  // Also when the environment names a file of its own: Node has read that one already.
  await trustExtra(local.values['NODE_EXTRA_CA_CERTS'])
  const stopped = untilStopped()
  const functionKey = process.env['FUNCTIONS_KEY'] ?? settings['FUNCTIONS_KEY']
  const masterKey = process.env['FUNCTIONS_MASTER_KEY'] ?? settings['FUNCTIONS_MASTER_KEY']
  await using host = await startFunctionsHost({
    root,
    settings,
    cors: local.cors,
    port: options.port ?? local.port ?? DEFAULT_PORT,
    ...(functionKey ? { functionKey } : {}),
    ...(masterKey ? { masterKey } : {}),
    ...(options.state ? { stateFile: path.resolve(options.state) } : {}),
  })
  const controlPort = options['control-port']
  await using control =
    controlPort === undefined ? undefined : await serveControl([host], controlPort)
  const { keys } = host.control
  const generated = [
    ...(functionKey ? [] : [`FUNCTIONS_KEY=${keys.functionKey}\n`]),
    ...(masterKey ? [] : [`FUNCTIONS_MASTER_KEY=${keys.masterKey}\n`]),
  ]
  if (control) process.stdout.write(`control ${control.origin}/${host.name}\n`)
  process.stdout.write(`${generated.join('')}ready ${host.settings['FUNCTIONS_URL']}\n`)
  await stopped
}

try {
  await run()
  // What the app itself left open must not keep a stopped host alive.
  process.exit(0)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
