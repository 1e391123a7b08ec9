import { ServiceBusClient } from '@azure/service-bus'
import topology from '../../src/topology.json' with { type: 'json' }
import type { Stack } from '../../infra/local/stack.ts'
import type { Chance } from '../simulation/random.ts'

/** Messages that wait are sent once more under other ids, some for later: they come twice and out of order. */
export async function resend({ settings }: Stack, chance: Chance): Promise<void> {
  await using client = new ServiceBusClient(settings['SERVICE_BUS_CONNECTION_STRING'] ?? '')
  for (const { name } of Object.values(topology.queues)) {
    const receiver = client.createReceiver(name)
    const waiting = await receiver.peekMessages(3)
    const copies = waiting.map((message) => ({
      messageId: `copy-${chance.next()}`,
      body: message.body as unknown,
      contentType: 'application/json',
      scheduledEnqueueTimeUtc: new Date(Date.now() + chance.below(4_000)),
    }))
    if (copies.length > 0) await client.createSender(name).sendMessages(copies)
  }
}
