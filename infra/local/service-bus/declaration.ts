import topology from '../../../src/topology.json' with { type: 'json' }
import type { QueueRules } from './queue/state.ts'

/** A queue as the topology file declares it. */
export interface QueueDeclaration {
  readonly name: string
  readonly lockDurationSeconds: number
  readonly maxDeliveryCount: number
  /** Infinity: messages never expire. */
  readonly defaultTimeToLiveSeconds: number
  readonly deadLetterOnExpiration: boolean
  /** 0: no duplicate detection. */
  readonly duplicateDetectionWindowSeconds: number
  readonly requiresSession: boolean
}

export const topologyQueues: readonly QueueDeclaration[] = Object.values(topology.queues)

/** Bytes that a queue and its dead letters may hold; beyond it a send gets `amqp:resource-limit-exceeded`. */
export const QUEUE_SIZE_QUOTA_BYTES = 512 * 1024 * 1024

/** The Standard tier's limit for a message and for a batch. */
export const MAX_MESSAGE_BYTES = 256 * 1024

export function rulesOf(declaration: QueueDeclaration, sizeQuotaBytes: number): QueueRules {
  return {
    lockDurationMs: declaration.lockDurationSeconds * 1000,
    maxDeliveryCount: declaration.maxDeliveryCount,
    timeToLiveMs: declaration.defaultTimeToLiveSeconds * 1000,
    deadLetterOnExpiration: declaration.deadLetterOnExpiration,
    duplicateWindowMs: declaration.duplicateDetectionWindowSeconds * 1000,
    requiresSession: declaration.requiresSession,
    sizeQuotaBytes,
    isDeadLetterQueue: false,
  }
}

/** A dead letter was admitted once and is never refused again, so its queue has no quota of its own. */
export function deadLetterRulesOf(rules: QueueRules): QueueRules {
  return {
    ...rules,
    timeToLiveMs: Infinity,
    deadLetterOnExpiration: false,
    duplicateWindowMs: 0,
    requiresSession: false,
    sizeQuotaBytes: Infinity,
    isDeadLetterQueue: true,
  }
}
