import { readOptions, runEmulator } from '../../command.ts'
import { startSalesforce } from '../salesforce.ts'

const options = readOptions({
  usage: 'npm run emulator:salesforce --',
  summary: 'A local stand-in of a Salesforce organisation.',
  options: {
    port: { type: 'number', help: 'TCP port on 127.0.0.1, 0 for any', default: 0 },
    'control-port': { type: 'number', help: 'port of the control channel, 0 for any', default: 0 },
    latency: { type: 'number', help: 'milliseconds added to every answer', default: 0 },
    count: { type: 'number', help: 'cases to make up', default: 200 },
    'webhook-url': { type: 'text', help: 'where the Apex trigger posts changes' },
    'webhook-secret': { type: 'text', help: 'its secret', default: 'local-webhook-secret' },
    'client-id': { type: 'text', help: 'OAuth client', default: 'local-salesforce-client' },
    'client-secret': { type: 'text', help: 'its secret', default: 'local-salesforce-secret' },
  },
})

const url = options['webhook-url']
const salesforce = await startSalesforce({
  port: options.port,
  latencyMs: options.latency,
  count: options.count,
  client: { clientId: options['client-id'], clientSecret: options['client-secret'] },
  ...(url ? { webhook: { url, secret: options['webhook-secret'] } } : {}),
})
await runEmulator(salesforce, options['control-port'])
