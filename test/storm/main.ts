import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { readOptions } from '../../infra/local/command.ts'
import { readIncidentLog, type ServiceNowOptions } from '../../infra/local/vendors/servicenow.ts'
import { chanceOf, type Chance } from '../simulation/random.ts'
import { resender } from './messages.ts'
import { peopleOf } from './people.ts'
import { progressTo } from './progress.ts'
import { verdictOf } from './verdict.ts'
import { startWorld, type World } from './world.ts'

const options = readOptions({
  usage: 'npm run storm --',
  summary:
    'Keeps a ServiceNow instance, our own records and a Salesforce organisation in step while people edit all three, calls fail, messages come twice and the functions are killed; then says whether all agree and nothing was lost.',
  options: {
    edits: { type: 'number', default: 10_000, help: 'how many things people do' },
    seed: { type: 'number', default: 1, help: 'decides what they do and what fails' },
    count: { type: 'number', default: 1_000, help: 'how many incidents there are at first' },
    incidents: { type: 'text', help: 'a real incident log instead (CSV, also gzipped)' },
    kills: { type: 'number', default: 10, help: 'how often the functions are killed' },
    patience: { type: 'number', default: 600, help: 'seconds until all must agree again' },
    errors: { type: 'switch', help: 'print what the functions complained of' },
  },
})

const EDITS_PER_STEP = 10
const STEP_MS = 40
const POLL_MS = 1_000
/** Of the calls of a vendor. */
const STRUCK_SHARE = 0.1
const HOUR_MS = 3_600_000
const RESEND_SHARE = 0.2

const progress = progressTo(process.stdout, () => performance.now())

async function incidents(): Promise<ServiceNowOptions> {
  const file = options.incidents
  if (file === undefined) return { count: options.count, seed: options.seed }
  if (!existsSync(file)) throw new Error(`--incidents: there is no file ${file}`)
  progress.say(`reading ${file}`)
  return { incidents: { log: await readIncidentLog(file), mode: 'final' } }
}

async function run(): Promise<boolean> {
  const startedAt = performance.now()
  await using world = await startWorld(await incidents())
  const chance = chanceOf(options.seed)
  const people = peopleOf(chance, `s${options.seed}`)
  progress.say('first run: everything of the instance becomes a case of the organisation')
  const ready = await rest(world, 'synchronising')
  if (ready !== undefined) throw new Error(`the first run did not end: ${ready}`)
  // What was just created is not read again in every run for the sake of late commits.
  for (const vendor of world.vendors) vendor.advance(HOUR_MS)
  progress.say(`storm: ${options.edits} edits, ${options.kills} kills, every tenth call fails`)
  const storming = await storm({ world, chance, people })
  for (const vendor of world.vendors) vendor.clearFaults()
  const waitsFor = await rest(world, 'settling')
  const written = ourWrites(world)
  // One more round over everything must find nothing to do.
  if (waitsFor === undefined) await rest(world, 'one more round')
  const { findings, examples } = await verdictOf(world, people, {
    ...storming,
    waitsFor,
    pushesInPeace: ourWrites(world) - written,
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  })
  if (options.errors) for (const line of world.errors) progress.say(line)
  for (const example of examples) progress.say(example)
  const width = Math.max(...findings.map(({ name }) => name.length))
  for (const { name, value, holds } of findings) {
    const word = holds === undefined ? '' : holds ? 'ok' : 'FAILED'
    progress.say(`${name.padEnd(width)} ${value.padStart(22)} ${word}`.trimEnd())
  }
  return findings.every(({ holds }) => holds !== false)
}

interface Storming {
  readonly world: World
  readonly chance: Chance
  readonly people: ReturnType<typeof peopleOf>
}

async function storm({ world, chance, people }: Storming) {
  const sides = [...world.vendors, world.hub]
  const counts = { calls: 0, struck: 0, kills: 0, copies: 0 }
  let blowing = true
  for (const vendor of world.vendors) {
    vendor.onCall(() => {
      if (!blowing) return
      counts.calls += 1
      if (!chance.is(STRUCK_SHARE)) return
      counts.struck += 1
      chance.pick(vendor.faults)?.()
    })
  }
  await using messages = resender(world.stack)
  let restarting = Promise.resolve()
  for (let done = 0; done < options.edits;) {
    const count = Math.min(EDITS_PER_STEP, options.edits - done)
    const acts = Array.from({ length: count }, async () =>
      people.act(chance.pick(sides) ?? world.hub),
    )
    await Promise.all(acts)
    done += count
    if (chance.is(RESEND_SHARE)) counts.copies += await messages.resend(chance)
    if (
      counts.kills < options.kills &&
      done >= ((counts.kills + 1) * options.edits) / (options.kills + 1)
    ) {
      await restarting
      counts.kills += 1
      restarting = world.restartFunctions()
    }
    progress.show('storm', { done, all: options.edits }, `${counts.kills} kills`)
    await delay(STEP_MS)
  }
  await restarting
  blowing = false
  progress.end()
  return counts
}

function ourWrites({ vendors }: World): number {
  return vendors.reduce((total, vendor) => total + vendor.ourWrites(), 0)
}

/**
 * Until nothing waits, and every stream was read to its end since anything was last written. Otherwise what it waits for
 * when the patience is over.
 */
async function rest(world: World, label: string): Promise<string | undefined> {
  const startedAt = performance.now()
  let quietSince = new Date().toISOString()
  let before = ''
  for (;;) {
    const { pending, finishedRuns, text } = await world.standing()
    const sizes = world.vendors.map((vendor) => vendor.size())
    const now = JSON.stringify([pending, sizes, ourWrites(world)])
    if (now !== before || pending > 0) quietSince = new Date().toISOString()
    before = now
    const read = world.vendors.every(
      ({ connectionId }) => (finishedRuns.get(connectionId) ?? '') > quietSince,
    )
    progress.show(label, { done: Math.min(...sizes), all: Math.max(...sizes) }, text)
    if (read) break
    if (performance.now() - startedAt > options.patience * 1_000) {
      progress.end()
      return text
    }
    await delay(POLL_MS)
  }
  progress.end()
  return undefined
}

try {
  process.exitCode = (await run()) ? 0 : 1
} catch (error) {
  process.stderr.write(
    `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  )
  process.exitCode = 1
}
