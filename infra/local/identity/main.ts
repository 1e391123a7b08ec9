import { readOptions, runEmulator } from '../command.ts'
import { startIdentity } from './identity.ts'

const options = readOptions({
  usage: 'npm run emulator:identity --',
  summary: 'The managed identity endpoint of App Service and Functions.',
  options: {
    port: { type: 'number', default: 0, help: 'port; 0 takes a free one' },
    'control-port': { type: 'number', default: 0, help: 'port of the control channel' },
    latency: { type: 'number', default: 0, help: 'milliseconds added to every answer' },
  },
})

const identity = await startIdentity({ port: options.port, latencyMs: options.latency })
await runEmulator(identity, options['control-port'])
