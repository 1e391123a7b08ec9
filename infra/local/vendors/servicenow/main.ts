import { readOptions, runEmulator } from '../../command.ts'
import { readIncidentLog, startServiceNow } from '../servicenow.ts'

const options = readOptions({
  usage: 'npm run emulator:servicenow --',
  summary: 'A local stand-in of a ServiceNow instance.',
  options: {
    port: { type: 'number', help: 'TCP port on 127.0.0.1, 0 for any', default: 0 },
    'control-port': { type: 'number', help: 'port of the control channel, 0 for any', default: 0 },
    latency: { type: 'number', help: 'milliseconds added to every answer', default: 0 },
    count: { type: 'number', help: 'incidents to make up', default: 200 },
    seed: { type: 'number', help: 'decides what is made up', default: 1 },
    incidents: { type: 'text', help: 'the incident log instead, .csv or .csv.gz' },
    mode: { type: 'text', help: 'of the log: final or replay', default: 'final' },
    rate: {
      type: 'number',
      help: 'events a second to replay; 0 waits for the control',
      default: 0,
    },
    'webhook-url': { type: 'text', help: 'where the business rule posts changes' },
    'webhook-secret': { type: 'text', help: 'its secret', default: 'local-webhook-secret' },
    'function-key': { type: 'text', help: 'its function key' },
    user: { type: 'text', help: 'integration user', default: 'syncline.integration' },
    password: { type: 'text', help: 'its password', default: 'local-servicenow-password' },
    'client-id': { type: 'text', help: 'OAuth client', default: 'local-servicenow-client' },
    'client-secret': { type: 'text', help: 'its secret', default: 'local-servicenow-secret' },
  },
})

if (options.mode !== 'final' && options.mode !== 'replay') {
  process.stderr.write(`--mode takes final or replay, not ${options.mode}\n`)
  process.exit(2)
}
const { mode, 'webhook-url': url, 'function-key': functionKey } = options
const secret = options['webhook-secret']
const servicenow = await startServiceNow({
  port: options.port,
  latencyMs: options.latency,
  count: options.count,
  seed: options.seed,
  credentials: {
    clientId: options['client-id'],
    clientSecret: options['client-secret'],
    userName: options.user,
    password: options.password,
  },
  ...(options.incidents
    ? { incidents: { log: await readIncidentLog(options.incidents), mode } }
    : {}),
  ...(url ? { webhook: { url, secret, ...(functionKey ? { functionKey } : {}) } } : {}),
})
if (mode === 'replay' && options.rate > 0) servicenow.control.startReplay(options.rate)
await runEmulator(servicenow, options['control-port'])
