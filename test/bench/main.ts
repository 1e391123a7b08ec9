import { readOptions } from '../../infra/local/command.ts'
import { toJson, toRow, type Bench } from './harness.ts'
import { credentials } from './credentials.ts'
import { dedupe } from './dedupe.ts'
import { inbound } from './inbound.ts'
import { limits } from './limits.ts'
import { moduleLoad } from './module-load.ts'
import { phone } from './phone.ts'
import { webhookReceiver } from './webhook-receiver.ts'
import { webhookUseCase } from './webhook-use-case.ts'

const benches: readonly Bench[] = [
  phone,
  inbound,
  limits,
  webhookUseCase,
  webhookReceiver,
  credentials,
  dedupe,
  moduleLoad,
]

const options = readOptions({
  usage: 'npm run bench --',
  summary: `Measures: ${benches.map(({ name, summary }) => `${name} (${summary})`).join('; ')}.`,
  options: {
    json: { type: 'switch', help: 'one JSON object a line: { name, value, unit, floor?, ratio? }' },
    only: { type: 'text', help: 'just this bench' },
  },
})

const chosen = benches.filter(({ name }) => options.only === undefined || name === options.only)
if (chosen.length === 0) {
  process.stderr.write(`--only takes one of: ${benches.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}
if (!options.json) process.stdout.write('figure | value | spread | floor | ratio\n')
for (const bench of chosen) {
  const figures = await bench.run((line) => process.stderr.write(`${bench.name}: ${line}\n`))
  for (const figure of figures) {
    process.stdout.write(`${options.json ? toJson(figure) : toRow(figure)}\n`)
  }
}
// The stock Web PubSub client leaves timers behind when it stops, and they would keep the process.
process.exit(0)
