import { AppError } from '../../src/core/errors.ts'
import type { OutgoingMessage, Queue } from '../../src/core/queue.ts'

export interface MemoryQueue extends Queue {
  /** Everything accepted and not taken yet, in order. */
  readonly waiting: OutgoingMessage[]
  /** How many messages were dropped because their id was known. */
  readonly duplicates: () => number
  /** Takes the next message that is due. */
  take(now: Date): OutgoingMessage | undefined
  before?: () => void | Promise<void>
  after?: () => void | Promise<void>
  /** From now on every call finds the queue away. */
  goAway(): void
}

/** A queue in memory that detects duplicates for ever and keeps scheduled messages until they are due. */
export function memoryQueue(): MemoryQueue {
  const known = new Set<string>()
  const waiting: OutgoingMessage[] = []
  let duplicates = 0
  const away = () => {
    throw new AppError('queue_unavailable', 'it is away')
  }
  const queue: MemoryQueue = {
    waiting,
    duplicates: () => duplicates,
    send: async (messages) => {
      await queue.before?.()
      for (const message of messages) {
        if (known.has(message.id)) duplicates += 1
        else waiting.push(structuredClone(message))
        known.add(message.id)
      }
      await queue.after?.()
    },
    take: (now) => {
      const index = waiting.findIndex(
        ({ notBefore }) => notBefore === undefined || notBefore <= now,
      )
      return index === -1 ? undefined : waiting.splice(index, 1)[0]
    },
    goAway: () => {
      queue.before = away
    },
    ping: async () => queue.before?.(),
  }
  return queue
}
