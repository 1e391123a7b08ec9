import { readOptions, runEmulators } from '../command.ts'
import { startIdentity } from '../identity/identity.ts'
import { startKeyVault } from './key-vault.ts'

const options = readOptions({
  usage: 'npm run emulator:keyvault --',
  summary:
    'Key Vault secrets on https and http at one port, and the managed identity endpoint that gives its clients tokens.',
  options: {
    port: { type: 'number', default: 0, help: 'port of the vault; 0 takes a free one' },
    'identity-port': { type: 'number', default: 0, help: 'port of the managed identity endpoint' },
    'control-port': { type: 'number', default: 0, help: 'port of the control channel' },
    'no-identity': {
      type: 'switch',
      help: 'no managed identity endpoint; the vault takes any bearer token',
    },
    file: { type: 'text', help: 'keeps the secrets in this file' },
    latency: { type: 'number', default: 0, help: 'milliseconds added to every answer' },
    throttle: { type: 'switch', help: "enforces the service's limits of requests in 10 seconds" },
    'retention-days': {
      type: 'number',
      default: 90,
      help: 'days until a deleted secret is purged',
    },
    'transition-ms': {
      type: 'number',
      default: 500,
      help: 'how long a deletion or recovery takes',
    },
  },
})

const identity = options['no-identity']
  ? undefined
  : await startIdentity({ port: options['identity-port'], latencyMs: options.latency })
const vault = await startKeyVault({
  verify: identity?.verify ?? 'any bearer',
  port: options.port,
  latencyMs: options.latency,
  throttle: options.throttle,
  retentionDays: options['retention-days'],
  transitionMs: options['transition-ms'],
  ...(options.file === undefined ? {} : { file: options.file }),
})
await runEmulators(identity ? [vault, identity] : [vault], options['control-port'])
