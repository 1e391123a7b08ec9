import { readOptions, runEmulator } from '../command.ts'
import { startStorage } from './storage.ts'

const options = readOptions({
  usage: 'npm run emulator:storage --',
  summary: 'Azurite: blobs, queues and tables in memory. The Functions host needs them.',
  options: {
    port: { type: 'number', default: 10_000, help: 'port of the blob service; 0 takes a free one' },
    'queue-port': { type: 'number', default: 10_001, help: 'port of the queue service' },
    'table-port': { type: 'number', default: 10_002, help: 'port of the table service' },
    'control-port': { type: 'number', default: 0, help: 'port of the control channel' },
  },
})

const storage = await startStorage({
  port: options.port,
  queuePort: options['queue-port'],
  tablePort: options['table-port'],
})
await runEmulator(storage, options['control-port'])
