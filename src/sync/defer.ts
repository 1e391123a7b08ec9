import { idOf } from '../core/ids.ts'
import type { Queue } from '../core/queue.ts'
import { retryDelayMs } from '../core/retry-delay.ts'
import { addMs, MINUTE_MS, SECOND_MS } from '../core/time.ts'
import type { SyncPorts } from './ports.ts'
import type { InboundMessage, OutboundMessage } from './task.ts'

const backoff = { baseMs: 5 * SECOND_MS, capMs: 5 * MINUTE_MS }
/** About half an hour of one of our services being away; then the message is dead-lettered for a person to see. */
const MAX_DEFERRALS = 10

/** Sends a later copy of a message; false when it was put off too often. The copy's id follows from the message's. */
export async function deferMessage(
  ports: { readonly queue: Queue } & Pick<SyncPorts, 'clock' | 'random'>,
  message: InboundMessage | OutboundMessage,
  messageId: string,
): Promise<boolean> {
  if (message.deferrals >= MAX_DEFERRALS) return false
  const deferrals = message.deferrals + 1
  const notBefore = addMs(ports.clock(), retryDelayMs(deferrals, ports.random(), backoff))
  await ports.queue.send([
    {
      id: idOf('defer', messageId, String(deferrals)),
      body: { ...message, deferrals },
      correlationId: message.correlationId,
      notBefore,
    },
  ])
  return true
}
