import { readOptions, runEmulator } from '../command.ts'
import { startServiceBus } from './service-bus.ts'

const options = readOptions({
  usage: 'npm run emulator:servicebus --',
  summary: 'Azure Service Bus queues of src/topology.json over AMQP 1.0 on 127.0.0.1, in memory.',
  options: {
    port: { type: 'number', help: 'AMQP port; 0 for any', default: 5672 },
    'admin-port': { type: 'number', help: 'port of the admin REST API; 0 for any', default: 5300 },
    latency: { type: 'number', help: 'milliseconds added to every answer', default: 0 },
    'control-port': { type: 'number', help: 'port of the control channel', default: 0 },
    'max-message-kb': { type: 'number', help: 'largest message or batch in KiB', default: 256 },
  },
})

await runEmulator(
  await startServiceBus({
    port: options.port,
    adminPort: options['admin-port'],
    latencyMs: options.latency,
    maxMessageBytes: options['max-message-kb'] * 1024,
  }),
  options['control-port'],
)
