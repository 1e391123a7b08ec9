import { readOptions } from '../../infra/local/command.ts'
import { search, shrink, type Finding } from './explore.ts'
import { prove } from './prove.ts'
import { scenarioTable } from './scenarios/coverage.ts'
import { playAll } from './scenarios/play.ts'
import { scenarios } from './scenarios/scripts.ts'
import type { Entry } from './simulation.ts'
import type { World } from './world.ts'
import { invariantTable } from './invariants.ts'
import { worlds } from './worlds/index.ts'

const LAST_LINES = 8
/** What every invocation does that finds nothing to do. */
const routine =
  /^(?:begins|ends|(?:tasks|results)\.write .*|shards\.write (?:stream|pusher) \S+|queue\.send .*|slice finished|(?:in|out)bound (?:finished|continued|stale))$/

const options = readOptions({
  usage: 'npm run simulate --',
  summary:
    'Runs the use cases in virtual time; the seed decides every interleaving and every fault. Worlds: ' +
    `${worlds.map(({ name, summary }) => `${name} (${summary})`).join('; ')}. Ends with 1 when an invariant is broken.`,
  options: {
    seeds: { type: 'number', default: 1_000, help: 'how many seeds each world is run with' },
    seed: { type: 'number', default: 1, help: 'the first of them; with --seeds 1 just this one' },
    world: { type: 'text', help: 'just this world' },
    scenario: { type: 'text', help: 'a named scenario instead of seeds: S18, or all' },
    scenarios: { type: 'switch', help: 'which scenarios are covered, and how' },
    invariants: { type: 'switch', help: 'which invariants each world checks' },
    lines: { type: 'number', default: 60, help: 'lines of a failing timeline that are told' },
    bug: { type: 'text', help: 'with this planted bug, to see it found' },
    prove: { type: 'switch', help: 'plants every bug and tells how many seeds find it' },
  },
})

process.exitCode = await main()

async function main(): Promise<number> {
  if (options.scenarios) return say(scenarioTable())
  if (options.invariants) return say(invariantTable(worlds))
  if (options.scenario !== undefined) return playNamed(options.scenario)
  if (options.prove) return proveAll()
  const chosen = worlds.filter(
    ({ name, bugs }) =>
      (options.world === undefined || name === options.world) &&
      (options.bug === undefined || options.bug in bugs),
  )
  if (chosen.length === 0) {
    process.stderr.write(
      `no such world or bug; worlds: ${worlds.map(({ name }) => name).join(', ')}\n`,
    )
    return 2
  }
  let failures = 0
  for (const world of chosen) failures += await explore(world)
  return failures > 0 ? 1 : 0
}

async function explore(world: World): Promise<number> {
  const startedAt = performance.now()
  const { bug, seed: from, seeds: count } = options
  const found = await search(world, { from, count, bug }, (seed) => {
    const done = seed - from + 1
    if (done % 100 === 0) process.stderr.write(`${world.name}: ${done} of ${count} seeds\n`)
  })
  if (found) return tellFinding(world, { ...found, bug })
  const seconds = (performance.now() - startedAt) / 1_000
  say(
    `${world.name}: ${count} seeds, every invariant holds (${Math.round(count / seconds)} seeds a second)`,
  )
  return 0
}

async function tellFinding(
  world: World,
  found: Finding & { bug?: string | undefined },
): Promise<number> {
  const { seed, violation, bug } = found
  say(`${world.name}: seed ${seed} breaks invariant ${violation.invariant}: ${violation.message}`)
  const { labels, outcome, from, trials } = await shrink(world, found)
  say(`Of ${from} decisions ${labels.length} are needed (${trials} trials):`)
  for (const label of labels) say(`  ${label}`)
  tellTimeline(outcome.timeline)
  const planted = bug === undefined ? '' : ` --bug ${bug}`
  say(`Again: npm run simulate -- --world ${world.name} --seed ${seed} --seeds 1${planted}`)
  return 1
}

/**
 * Whoever came and found nothing to do is left out, unless a fault struck it. Of what is still long the beginning and the
 * end are told.
 */
function tellTimeline(timeline: readonly Entry[]): void {
  const news = timeline.filter(({ what }) => !routine.test(what)).map(({ who }) => who)
  const busy = timeline.filter(({ who }) =>
    news.some((one) => one === who || one.startsWith(`${who} `)),
  )
  const first = busy.slice(0, options.lines)
  const left = busy.slice(options.lines)
  for (const entry of first) say(lineOf(entry))
  if (left.length > LAST_LINES) {
    say(`… ${left.length - LAST_LINES} more lines (--lines ${busy.length}) …`)
  }
  for (const entry of left.slice(-LAST_LINES)) say(lineOf(entry))
}

function lineOf({ atMs, who, what }: Entry): string {
  return `${new Date(atMs).toISOString().slice(11, 23)}  ${who.padEnd(26)} ${what}`
}

async function playNamed(name: string): Promise<number> {
  const chosen = scenarios.filter(({ id }) => name === 'all' || id === name)
  if (chosen.length === 0) {
    process.stderr.write('there is no script of that scenario; --scenarios lists them\n')
    return 2
  }
  const failures = await playAll(chosen, say)
  return failures > 0 ? 1 : 0
}

async function proveAll(): Promise<number> {
  const chosen = worlds.filter(({ name }) => options.world === undefined || name === options.world)
  const progress = (line: string) => process.stderr.write(`${line}\n`)
  const proofs = await prove(chosen, { progress })
  for (const { world, bug, what, seeds, invariant } of proofs) {
    const found = seeds === undefined ? 'NOT FOUND' : `${seeds} seeds, invariant ${invariant}`
    say(`${world.padEnd(8)} ${bug.padEnd(22)} ${found}: ${what}`)
  }
  const most = Math.max(...proofs.map(({ seeds = Infinity }) => seeds))
  say(`${proofs.length} planted bugs, the last of them found after ${most} seeds`)
  return proofs.every(({ seeds }) => seeds !== undefined) ? 0 : 1
}

function say(line: string): number {
  process.stdout.write(`${line}\n`)
  return 0
}
