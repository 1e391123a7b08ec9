import type { Settings } from '../settings.ts'
import type { DeadLetters } from '../core/queue.ts'
import { parkDeadLetters, parkMessage, type GivenUp } from '../sync/dead-letters.ts'
import { deferMessage } from '../sync/defer.ts'
import { executeSync, type SliceOutcome } from '../sync/inbound.ts'
import { pushChanges, type PushOutcome } from '../sync/outbound.ts'
import { relayPending } from '../sync/outbox.ts'
import type { SyncPorts } from '../sync/ports.ts'
import { scheduleDueTasks, type ScheduleSummary } from '../sync/scheduler.ts'
import type { InboundMessage, OutboundMessage } from '../sync/task.ts'

/** What the functions of the engine call. */
export interface SyncApp {
  readonly scheduleDueTasks: () => Promise<ScheduleSummary>
  readonly executeSync: (message: InboundMessage) => Promise<SliceOutcome>
  readonly deferInbound: (message: InboundMessage, messageId: string) => Promise<boolean>
  readonly parkInbound: (message: GivenUp) => Promise<void>
  readonly pushChanges: (message: OutboundMessage) => Promise<PushOutcome>
  readonly relayPending: () => Promise<{ readonly relayed: number }>
  readonly deferOutbound: (message: OutboundMessage, messageId: string) => Promise<boolean>
  readonly parkOutbound: (message: GivenUp) => Promise<void>
  /** Moves what both queues gave up to where people look; how many. */
  readonly parkDeadLetters: () => Promise<number>
}

export interface SyncAppParts {
  readonly settings: Settings
  readonly ports: () => Promise<SyncPorts>
  readonly deadLettersOf: (queue: string) => Promise<DeadLetters>
  /** Aborted when the process is to stop. */
  readonly signal: AbortSignal
}

/** With back-off a record is tried for about an hour before a person has to look at it. */
const MAX_PUSH_ATTEMPTS = 10

export function syncApp({ settings, ports, deadLettersOf, signal }: SyncAppParts): SyncApp {
  const { batchSize, sliceMs, maxRetries, pushLeaseMs } = settings.sync
  const { inboundQueue, outboundQueue } = settings.serviceBus
  const readLimits = { pageSize: batchSize, sliceMs, maxAttempts: maxRetries }
  const pushLimits = { sliceMs, maxAttempts: MAX_PUSH_ATTEMPTS, leaseMs: pushLeaseMs }
  const defer =
    (queue: 'inbound' | 'outbound') =>
    async (message: InboundMessage | OutboundMessage, messageId: string) => {
      const all = await ports()
      return deferMessage({ ...all, queue: all[queue] }, message, messageId)
    }
  return {
    scheduleDueTasks: async () => scheduleDueTasks(await ports()),
    executeSync: async (message) => executeSync(await ports(), readLimits, { message, signal }),
    deferInbound: defer('inbound'),
    parkInbound: async (message) => parkMessage(await ports(), inboundQueue, message),
    pushChanges: async (message) => pushChanges(await ports(), pushLimits, { message, signal }),
    relayPending: async () => relayPending(await ports()),
    deferOutbound: defer('outbound'),
    parkOutbound: async (message) => parkMessage(await ports(), outboundQueue, message),
    parkDeadLetters: async () =>
      parkDeadLetters(
        await ports(),
        await Promise.all(
          [inboundQueue, outboundQueue].map(async (name) => ({
            name,
            deadLetters: await deadLettersOf(name),
          })),
        ),
      ),
  }
}
