import { readFile, writeFile } from 'node:fs/promises'
import os from 'node:os'
import { readOptions } from '../../infra/local/command.ts'
import { columns, toCells, toJson, type Bench, type Figure } from './harness.ts'
import { figuresOf, withFigures } from './readme.ts'
import { credentials } from './credentials.ts'
import { dedupe } from './dedupe.ts'
import { inbound } from './inbound.ts'
import { limits } from './limits.ts'
import { memory } from './memory.ts'
import { merge } from './merge.ts'
import { moduleLoad } from './module-load.ts'
import { outbound } from './outbound.ts'
import { phone } from './phone.ts'
import { webhookReceiver } from './webhook-receiver.ts'
import { webhookUseCase } from './webhook-use-case.ts'

const benches: readonly Bench[] = [
  webhookReceiver,
  webhookUseCase,
  phone,
  inbound,
  outbound,
  merge,
  dedupe,
  limits,
  credentials,
  moduleLoad,
  memory,
]

const readme = new URL('../../README.md', import.meta.url)

const options = readOptions({
  usage: 'npm run bench --',
  summary: [
    'Measures. Each figure stands beside its floor, the least that any program must spend on the same work, where there',
    'is one; the ratio says how many times the floor it costs.',
    '',
    ...benches.map(({ name, summary }) => `  ${name.padEnd(18)} ${summary}`),
  ].join('\n'),
  options: {
    json: { type: 'switch', help: 'one JSON object a line: { name, value, unit, floor?, ratio? }' },
    only: { type: 'text', help: 'just these benches, with commas between them' },
    rounds: { type: 'number', help: 'rounds of each measurement', default: 5 },
    readme: { type: 'switch', help: 'puts what was measured into the README' },
  },
})

const wanted = options.only?.split(',').map((name) => name.trim())
const unknown = wanted?.filter((name) => !benches.some((bench) => bench.name === name)) ?? []
if (unknown.length > 0) {
  const names = benches.map(({ name }) => name).join(', ')
  process.stderr.write(`there is no bench ${unknown.join(', ')}; there are: ${names}\n`)
  process.exit(2)
}
if (!Number.isInteger(options.rounds) || options.rounds < 1) {
  process.stderr.write('--rounds takes a whole number from 1\n')
  process.exit(2)
}
if (options.readme && wanted) {
  process.stderr.write('--readme takes a run of all benches: leave --only out\n')
  process.exit(2)
}

const figures: Figure[] = []
const failures: string[] = []
if (!options.json) process.stdout.write(`${columns.join(' | ')}\n`)
for (const bench of benches) {
  if (wanted && !wanted.includes(bench.name)) continue
  try {
    const say = (line: string) => process.stderr.write(`${bench.name}: ${line}\n`)
    const measured = await bench.run(say, options.rounds)
    for (const figure of measured.filter(({ isDetail }) => wanted || !isDetail)) {
      figures.push(figure)
      const line = options.json ? toJson(figure) : toCells(figure).join(' | ')
      process.stdout.write(`${line}\n`)
    }
  } catch (error) {
    failures.push(bench.name)
    process.stderr.write(`${bench.name}: ${error instanceof Error ? error.stack : String(error)}\n`)
  }
}
if (failures.length > 0) process.stderr.write(`failed: ${failures.join(', ')}\n`)
if (options.readme && failures.length === 0) {
  const [node = ''] = process.versions.node.split('.')
  const machine = { cores: os.availableParallelism(), platform: `${os.type()} ${os.arch()}`, node }
  const text = await readFile(readme, 'utf8')
  await writeFile(readme, withFigures(text, figuresOf(figures, machine)))
}
// The stock Web PubSub client leaves timers behind when it stops, and they would keep the process.
process.exit(failures.length > 0 ? 1 : 0)
