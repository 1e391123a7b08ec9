import { readOptions, runEmulator } from '../command.ts'
import { startIssuer } from './issuer.ts'

const options = readOptions({
  usage: 'npm run emulator:oauth --',
  summary:
    'An issuer of bearer tokens for people; POST /oauth/commands/mint at the control channel makes one.',
  options: {
    port: { type: 'number', default: 0, help: 'port; 0 takes a free one' },
    'control-port': { type: 'number', default: 0, help: 'port of the control channel' },
    latency: { type: 'number', default: 0, help: 'milliseconds added to every answer' },
  },
})

const issuer = await startIssuer({ port: options.port, latencyMs: options.latency })
await runEmulator(issuer, options['control-port'])
