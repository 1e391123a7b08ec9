import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { readOptions } from './command.ts'
import { seedDemo } from './demo.ts'
import { connectSystems } from './demo-systems.ts'
import { runDemo } from './demo-run.ts'
import { startFunctionsProcess } from './functions-process.ts'
import { hostLine } from './host-line.ts'
import { startStack } from './stack.ts'
import { readIncidentLog, type ServiceNowOptions } from './vendors/servicenow.ts'

const options = readOptions({
  usage: 'npm start --',
  summary:
    'Runs the cloud on this machine: every emulator, a ServiceNow instance, and the functions. Ctrl-C stops all of it.',
  options: {
    port: { type: 'number', default: 7071, help: 'port of the functions; 0 takes a free one' },
    'no-demo': { type: 'switch', help: 'nothing seeded: no tenant, no task, no incidents' },
    count: {
      type: 'number',
      help: 'how many incidents to make up; 2,500, or 100 of each where there are other systems',
    },
    seed: { type: 'number', default: 1, help: 'decides which incidents are made up' },
    incidents: { type: 'text', help: 'a real incident log instead (CSV, also gzipped)' },
    speed: {
      type: 'number',
      default: 4_000,
      help: 'events of the log that happen in a second; 0: all before the start',
    },
    salesforce: {
      type: 'switch',
      help: 'a Salesforce organisation besides, whose cases are the incidents, both ways',
    },
    github: {
      type: 'switch',
      help: 'a GitHub repository besides, whose issues are the incidents, both ways',
    },
    data: { type: 'text', help: 'folder that keeps documents and secrets for the next start' },
    settings: {
      type: 'text',
      default: 'local.settings.json',
      help: 'where to write the settings for the functions',
    },
  },
})

/** Stands in every settings file that this command wrote, and in none that a person did. */
const MARK = '"LOCAL_CONTROL_URL"'

const count = options.count ?? (options.salesforce || options.github ? 100 : 2_500)

const say = (line: string) => process.stdout.write(`${line}\n`)

const stopping = new AbortController()
process.once('SIGINT', () => stopping.abort())
process.once('SIGTERM', () => stopping.abort())

try {
  await run()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

async function run(): Promise<void> {
  const withDemo = !options['no-demo']
  if (options.data !== undefined) mkdirSync(options.data, { recursive: true })
  await using stack = await startStack({
    storage: true,
    ...(withDemo ? { serviceNow: await records() } : {}),
    ...(options.salesforce ? { salesforce: { count } } : {}),
    ...(options.github ? { github: { count } } : {}),
    ...(options.data === undefined ? {} : { dataFolder: path.resolve(options.data) }),
  })
  for (const { name, settings } of stack.emulators) {
    say(`${name.padEnd(12)} ${Object.entries(settings).map(describe).join(' ')}`)
  }
  if (withDemo) {
    await seedDemo(stack)
    await connectSystems(stack)
  }
  // Some senders sign the address that they call.
  const publicUrl = options.port === 0 ? {} : { PUBLIC_URL: `http://localhost:${options.port}` }
  using _settings = writeSettings({ ...publicUrl, ...stack.settings })
  await using functions = await startFunctionsProcess({
    settingsFile: options.settings,
    port: options.port,
    onLine: (line) => {
      const readable = hostLine(line)
      if (readable !== undefined) say(readable)
    },
  })
  say(`control      ${stack.settings['LOCAL_CONTROL_URL']}`)
  say(`settings     ${options.settings}`)
  say(`ready ${functions.url}`)
  const stopped = new Promise<void>((resolve) => {
    stopping.signal.addEventListener('abort', () => resolve())
    if (stopping.signal.aborted) resolve()
  })
  const broken = functions.ended.then((code) => {
    if (!stopping.signal.aborted) throw new Error(`the functions ended with ${String(code)}`)
  })
  const demo = withDemo
    ? runDemo(stack, functions, { say, speed: options.speed, signal: stopping.signal })
    : undefined
  await Promise.race([stopped, broken, Promise.resolve(demo).then(() => stopped)])
  say('stopping')
}

async function records(): Promise<ServiceNowOptions> {
  const { incidents, seed, speed } = options
  if (incidents === undefined) return { count, seed }
  if (!existsSync(incidents)) throw new Error(`--incidents: there is no file ${incidents}`)
  say(`reading ${incidents}`)
  const log = await readIncidentLog(incidents)
  return { incidents: { log, mode: speed > 0 ? 'replay' : 'final' } }
}

/** The file that `npm run functions:start`, `npm run token` and `func start` read; gone when the stack is. */
function writeSettings(values: Readonly<Record<string, string>>): Disposable {
  const file = options.settings
  if (existsSync(file) && !readFileSync(file, 'utf8').includes(MARK)) {
    throw new Error(
      `${file} is not of npm start: move it away, or name another file with --settings`,
    )
  }
  const content = {
    IsEncrypted: false,
    Values: { FUNCTIONS_WORKER_RUNTIME: 'node', SYNC_SCHEDULE: '*/5 * * * * *', ...values },
    Host: { LocalHttpPort: options.port },
  }
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
  return { [Symbol.dispose]: () => rmSync(file, { force: true }) }
}

/** Keys are in the settings file; a terminal is read over shoulders. */
function describe([name, value]: [string, string]): string {
  const secret = /KEY$|SECRET$|HEADER$/.test(name)
  return `${name}=${secret ? '…' : value.replace(/((?:Access)?Key|SharedAccessKey)=[^;]+/g, '$1=…')}`
}
