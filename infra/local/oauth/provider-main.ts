import { readOptions, runEmulator } from '../command.ts'
import { profiles, type ProfileName } from './profiles.ts'
import { startOAuthProvider } from './provider.ts'

const names = Object.keys(profiles) as ProfileName[] // its own keys

const options = readOptions({
  usage: 'npm run emulator:oauth-provider --',
  summary:
    'An authorization server with the quirks of a vendor: rotation, reuse detection, its wording.',
  options: {
    port: { type: 'number', default: 0, help: 'port; 0 takes a free one' },
    'control-port': { type: 'number', default: 0, help: 'port of the control channel' },
    latency: { type: 'number', default: 0, help: 'milliseconds added to every answer' },
    profile: { type: 'text', default: 'servicenow', help: names.join(', ') },
  },
})

const profile = names.find((name) => name === options.profile)
if (profile === undefined) {
  process.stderr.write(`--profile takes one of: ${names.join(', ')}\n`)
  process.exit(2)
}
const provider = await startOAuthProvider({
  port: options.port,
  latencyMs: options.latency,
  profile,
})
await runEmulator(provider, options['control-port'])
