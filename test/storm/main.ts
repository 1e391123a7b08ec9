import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { readOptions } from '../../infra/local/command.ts'
import { readIncidentLog, type ServiceNowOptions } from '../../infra/local/vendors/servicenow.ts'
import { chanceOf, type Chance } from '../simulation/random.ts'
import { resender } from './messages.ts'
import { peopleOf } from './people.ts'
import { verdictOf, type Finding } from './verdict.ts'
import { startWorld, type World } from './world.ts'

const options = readOptions({
  usage: 'npm run storm --',
  summary:
    'Keeps a ServiceNow instance and a Salesforce organisation in step while people edit both, calls fail, messages come twice and the functions are killed; then says whether all agree and nothing was lost.',
  options: {
    edits: { type: 'number', default: 10_000, help: 'how many things people do' },
    seed: { type: 'number', default: 1, help: 'decides what they do and what fails' },
    count: { type: 'number', default: 1_000, help: 'how many incidents there are at first' },
    incidents: { type: 'text', help: 'a real incident log instead (CSV, also gzipped)' },
    kills: { type: 'number', default: 10, help: 'how often the functions are killed' },
    patience: { type: 'number', default: 600, help: 'seconds until all must agree again' },
  },
})

const EDITS_PER_STEP = 10
const STEP_MS = 40
const POLL_MS = 1_000
/** Nothing moves for so many looks: it is over. */
const STILL_LOOKS = 6

const say = (line: string) => process.stdout.write(`${line}\n`)

async function incidents(): Promise<ServiceNowOptions> {
  const file = options.incidents
  if (file === undefined) return { count: options.count, seed: options.seed }
  if (!existsSync(file)) throw new Error(`--incidents: there is no file ${file}`)
  say(`reading ${file}`)
  return { incidents: { log: await readIncidentLog(file), mode: 'final' } }
}

async function run(): Promise<readonly Finding[]> {
  await using world = await startWorld(await incidents())
  const chance = chanceOf(options.seed)
  const people = peopleOf(chance, `s${options.seed}`)
  const running = { functions: await world.startFunctions() }
  try {
    say('first run: everything of the instance becomes a case of the organisation')
    await quiesce(world, 'synchronising')
    say(`storm: ${options.edits} edits, ${options.kills} kills, every tenth call fails`)
    await storm({ world, chance, people, running })
    for (const system of world.systems) system.clearFaults()
    await quiesce(world, 'settling')
    const writes = world.systems.map((system) => system.ourWrites())
    await delay(POLL_MS * STILL_LOOKS)
    const after = world.systems.map((system) => system.ourWrites())
    return await verdictOf(world, people, {
      pushesInPeace: sum(after) - sum(writes),
      edits: options.edits,
    })
  } finally {
    await running.functions[Symbol.asyncDispose]()
  }
}

interface Storming {
  readonly world: World
  readonly chance: Chance
  readonly people: ReturnType<typeof peopleOf>
  readonly running: { functions: Awaited<ReturnType<World['startFunctions']>> }
}

async function storm({ world, chance, people, running }: Storming): Promise<void> {
  const [one, other] = world.systems
  await using messages = resender(world.stack)
  let done = 0
  let killed = 0
  while (done < options.edits) {
    for (let nth = 0; nth < EDITS_PER_STEP && done < options.edits; nth += 1, done += 1) {
      people.act(chance.is(0.5) ? one : other)
    }
    // Calls come by the dozen in a step: one of each system's ways to fail strikes about a tenth of them.
    for (const system of world.systems) if (chance.is(0.4)) chance.pick(system.faults)?.()
    if (chance.is(0.2)) await messages.resend(chance)
    if (done >= ((killed + 1) * options.edits) / (options.kills + 1)) {
      killed += 1
      await running.functions.kill()
      running.functions = await world.startFunctions()
    }
    progress('storm', { done, all: options.edits }, `${killed} kills`)
    await delay(STEP_MS)
  }
  process.stdout.write('\n')
}

/** Until nothing waits and nothing is written any more. */
async function quiesce(world: World, label: string): Promise<void> {
  const startedAt = performance.now()
  let still = 0
  let before = ''
  while (still < STILL_LOOKS) {
    if (performance.now() - startedAt > options.patience * 1_000) {
      throw new Error(`after ${options.patience} s changes are still waiting`)
    }
    await delay(POLL_MS)
    const pending = await world.pending()
    const [one, other] = world.systems.map((system) => system.rows().size)
    const now = JSON.stringify([pending, one, other, ...world.systems.map((s) => s.ourWrites())])
    still = now === before && pending === 0 ? still + 1 : 0
    before = now
    const sizes = [one ?? 0, other ?? 0]
    const share = { done: Math.min(...sizes), all: Math.max(...sizes) }
    progress(label, share, `${pending} waiting`)
  }
  process.stdout.write('\n')
}

function progress(
  label: string,
  { done, all }: { readonly done: number; readonly all: number },
  more: string,
): void {
  const share = all === 0 ? 1 : done / all
  const bar = '#'.repeat(Math.round(share * 30)).padEnd(30, '.')
  process.stdout.write(`\r${label} [${bar}] ${done} of ${all} ${more}      `)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

try {
  const findings = await run()
  const width = Math.max(...findings.map(({ name }) => name.length))
  for (const { name, value, holds } of findings) {
    say(
      `${name.padEnd(width)} ${value.padStart(12)} ${holds === undefined ? '' : holds ? 'ok' : 'FAILED'}`,
    )
  }
  process.exitCode = findings.some(({ holds }) => holds === false) ? 1 : 0
} catch (error) {
  process.stderr.write(
    `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  )
  process.exitCode = 1
}
