import { writeFile } from 'node:fs/promises'
import { readOptions } from '../../infra/local/command.ts'
import { soak } from './soak.ts'
import { checksOf, summaryOf } from './verdict.ts'

const options = readOptions({
  usage: 'npm run soak --',
  summary: [
    'Mixed traffic of several tenants at four fifths of what the stack takes, which is measured first: webhooks, pulls, edits',
    'pushed to the vendors, tokens that end, phones. One tenant floods; calls to its vendor and to one other fail now and',
    'then. Asserts that nothing is lost, that the memory of the functions stays flat, and that the p95 of the light tenants',
    'stays within twice what it was without the flood. Exits with 1 when something of this does not hold.',
  ].join('\n'),
  options: {
    minutes: { type: 'number', default: 10, help: 'how long the load lasts' },
    'idle-seconds': {
      type: 'number',
      default: 45,
      help: 'how long the light tenants are alone before',
    },
    tenants: { type: 'number', default: 3, help: 'light tenants' },
    rows: { type: 'number', default: 300, help: 'rows of each tenant' },
    burst: {
      type: 'number',
      default: 600,
      help: 'things given at once to see what the stack takes',
    },
    summary: { type: 'text', default: 'soak-summary.log', help: 'file that gets the summary' },
    lenient: { type: 'switch', help: 'shows times and memory without judging them' },
  },
})

const LINE_MS = 5_000
const isTerminal = process.stdout.isTTY
let toldAt = 0

/** One line that changes on a terminal, a line every few seconds elsewhere. */
function tell(line: string): void {
  if (isTerminal) {
    process.stdout.write(`\r\u001B[K${line.slice(0, process.stdout.columns - 1)}`)
    return
  }
  const isProgress = line.startsWith('[')
  if (isProgress && performance.now() - toldAt < LINE_MS) return
  toldAt = performance.now()
  process.stdout.write(`${line}\n`)
}

const seen = await soak(
  {
    minutes: options.minutes,
    idleSeconds: options['idle-seconds'],
    burst: options.burst,
    rows: options.rows,
    lightTenants: options.tenants,
    patienceSeconds: 120,
    mishapSeconds: 7,
  },
  tell,
)
const checks = checksOf(seen, { judgesTime: !options.lenient })
const summary = summaryOf(seen, checks)
await writeFile(options.summary, summary)
process.stdout.write(`${isTerminal ? '\n' : ''}${summary}\nwritten to ${options.summary}\n`)
process.exit(checks.every(({ holds }) => holds) ? 0 : 1)
