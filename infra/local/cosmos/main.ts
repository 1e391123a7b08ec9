import { readOptions, runEmulator } from '../command.ts'
import { startCosmos } from './cosmos.ts'

const options = readOptions({
  usage: 'npm run emulator:cosmos --',
  summary:
    'Cosmos DB for NoSQL on 127.0.0.1: plain HTTP, key authorization, the containers of src/topology.json.',
  options: {
    port: { type: 'number', default: 8081, help: 'TCP port, 0 for any free one' },
    file: { type: 'text', help: 'keep the data in this SQLite file' },
    latency: { type: 'number', default: 0, help: 'milliseconds added to every answer' },
    'control-port': { type: 'number', default: 0, help: 'port of the control channel' },
    key: { type: 'text', help: "account key in base64 (default: the vendor's emulator key)" },
    'accept-entra': { type: 'switch', help: 'let any Entra token in' },
    empty: { type: 'switch', help: 'start without database and containers' },
  },
})

const emulator = await startCosmos({
  port: options.port,
  latencyMs: options.latency,
  acceptEntra: options['accept-entra'],
  ...(options.file === undefined ? {} : { file: options.file }),
  ...(options.key === undefined ? {} : { key: options.key }),
  ...(options.empty ? { containers: 'none' as const } : {}),
})
await runEmulator(emulator, options['control-port'])
