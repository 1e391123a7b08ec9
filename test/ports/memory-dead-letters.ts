import { AppError } from '../../src/core/errors.ts'
import type { DeadLetters, DeadMessage } from '../../src/core/queue.ts'

export interface MemoryDeadLetters extends DeadLetters {
  readonly waiting: DeadMessage[]
  goAway(): void
}

export function memoryDeadLetters(): MemoryDeadLetters {
  const waiting: DeadMessage[] = []
  let away = false
  return {
    waiting,
    goAway: () => {
      away = true
    },
    take: async (atMost, keep) => {
      if (away) throw new AppError('queue_unavailable', 'it is away')
      const some = waiting.slice(0, atMost)
      for (const message of some) {
        await keep(message)
        waiting.splice(waiting.indexOf(message), 1)
      }
      return some.length
    },
  }
}
