import { ServiceBusClient } from '@azure/service-bus'
import topology from '../../src/topology.json' with { type: 'json' }
import type { Stack } from '../../infra/local/stack.ts'
import type { Chance } from '../simulation/random.ts'

const LATE_MS = 4_000

/** Sends messages that wait once more under other ids, some for later: they come twice and out of order. */
export function resender({ settings }: Stack) {
  const client = new ServiceBusClient(settings['SERVICE_BUS_CONNECTION_STRING'] ?? '')
  const queues = Object.values(topology.queues).map(({ name }) => ({
    receiver: client.createReceiver(name),
    sender: client.createSender(name),
  }))
  return {
    /** How many. */
    resend: async (chance: Chance): Promise<number> => {
      let count = 0
      for (const { receiver, sender } of queues) {
        const waiting = await receiver.peekMessages(3)
        const copies = waiting.map((message) => ({
          messageId: `copy-${chance.next()}`,
          body: message.body as unknown,
          contentType: 'application/json',
          ...(message.sessionId === undefined ? {} : { sessionId: message.sessionId }),
          scheduledEnqueueTimeUtc: new Date(Date.now() + chance.below(LATE_MS)),
        }))
        if (copies.length > 0) await sender.sendMessages(copies)
        count += copies.length
      }
      return count
    },
    [Symbol.asyncDispose]: () => client.close(),
  }
}
