import { readOptions, runEmulators } from '../command.ts'
import { startSignalR } from './signalr.ts'
import { startWebPubSub } from './web-pubsub.ts'

const options = readOptions({
  usage: 'npm run emulator:realtime --',
  summary:
    'Azure Web PubSub and Azure SignalR (serverless) on 127.0.0.1, for the stock SDKs and clients.',
  options: {
    port: { type: 'number', help: 'Web PubSub here and SignalR on the next port (0: any two)' },
    'web-pubsub-port': { type: 'number', help: 'port of Web PubSub (default 8080)' },
    'signalr-port': { type: 'number', help: 'port of SignalR (default 8888)' },
    'control-port': { type: 'number', help: 'port of the control channel, 0: any', default: 0 },
    latency: { type: 'number', help: 'milliseconds added to every answer and frame', default: 0 },
  },
})

const { port, latency: latencyMs } = options
const next = port === undefined ? 8888 : port === 0 ? 0 : port + 1
await runEmulators(
  [
    await startWebPubSub({ port: options['web-pubsub-port'] ?? port ?? 8080, latencyMs }),
    await startSignalR({ port: options['signalr-port'] ?? next, latencyMs }),
  ],
  options['control-port'],
)
