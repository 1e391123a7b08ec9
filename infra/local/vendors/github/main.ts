import { readOptions, runEmulator } from '../../command.ts'
import { startGitHub } from '../github.ts'

const options = readOptions({
  usage: 'npm run emulator:github --',
  summary: 'A local stand-in of the issues of GitHub.',
  options: {
    port: { type: 'number', help: 'TCP port on 127.0.0.1, 0 for any', default: 0 },
    'control-port': { type: 'number', help: 'port of the control channel, 0 for any', default: 0 },
    latency: { type: 'number', help: 'milliseconds added to every answer', default: 0 },
    repository: { type: 'text', help: 'owner/name', default: 'octo/hello' },
    count: { type: 'number', help: 'issues to make up', default: 200 },
    'webhook-url': { type: 'text', help: 'where the hook posts events' },
    'webhook-secret': { type: 'text', help: 'its secret', default: 'local-webhook-secret' },
    'client-id': { type: 'text', help: 'OAuth client', default: 'local-github-client' },
    'client-secret': { type: 'text', help: 'its secret', default: 'local-github-secret' },
  },
})

const url = options['webhook-url']
const github = await startGitHub({
  port: options.port,
  latencyMs: options.latency,
  repositories: [options.repository],
  count: options.count,
  client: { clientId: options['client-id'], clientSecret: options['client-secret'] },
  ...(url ? { webhook: { url, secret: options['webhook-secret'] } } : {}),
})
await runEmulator(github, options['control-port'])
