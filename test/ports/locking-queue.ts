import { nextDeadline } from '../../infra/local/service-bus/queue/lifecycle.ts'
import { renewLock, settle, submit, take } from '../../infra/local/service-bus/queue/queue.ts'
import { createQueue } from '../../infra/local/service-bus/queue/state.ts'
import {
  QUEUE_SIZE_QUOTA_BYTES,
  rulesOf,
  type QueueDeclaration,
} from '../../infra/local/service-bus/declaration.ts'
import { AppError } from '../../src/core/errors.ts'
import type { OutgoingMessage, Queue } from '../../src/core/queue.ts'

/** A message in somebody's hands, until it is settled or its lock ends. */
export interface QueueDelivery {
  readonly id: string
  /** As it went over the wire. */
  readonly text: string
  readonly deliveryCount: number
  readonly token: string
}

/** A queue in memory with everything that the bus does to a message; its caller tells the time. */
export interface LockingQueue extends Queue {
  readonly take: () => QueueDelivery | undefined
  /** `release` is the end of a lock. False when the lock was lost before. */
  readonly settle: (token: string, how: 'complete' | 'abandon' | 'release') => boolean
  /** False when the lock is lost. */
  readonly renew: (token: string) => boolean
  /** When the queue changes by itself next. */
  readonly nextChangeMs: () => number | undefined
  readonly deadLetters: readonly { readonly id: string; readonly reason: string | undefined }[]
  readonly size: () => number
  readonly goAway: () => void
  /** Called before and after each send: throw to fail it, or to lose its answer. */
  before?: () => void
  after?: () => void
}

/**
 * The emulator's own queue (which the stock SDK is held against) without the wire. Sessions only keep apart in time what
 * may also come together when a lock is lost: without them the simulator plays all of it.
 */
export function lockingQueue(declaration: QueueDeclaration, nowMs: () => number): LockingQueue {
  let tokens = 0
  let away = false
  const state = createQueue<string>(
    rulesOf({ ...declaration, requiresSession: false }, QUEUE_SIZE_QUOTA_BYTES),
    () => `lock-${(tokens += 1)}`,
  )
  const deadLetters: { id: string; reason: string | undefined }[] = []
  const bury = () => {
    for (const effect of state.effects.splice(0)) {
      if (effect.kind !== 'dead-letter') continue
      deadLetters.push({ id: effect.entry.messageId, reason: effect.reason })
    }
  }
  const check = () => {
    if (away) throw new AppError('queue_unavailable', 'it is away')
  }
  const queue: LockingQueue = {
    deadLetters,
    goAway: () => {
      away = true
    },
    ping: async () => check(),
    send: async (messages) => {
      check()
      queue.before?.()
      const submitted = submit(state, messages.map(toSubmission), nowMs())
      bury()
      if (submitted.kind !== 'stored') throw new AppError('queue_unavailable', submitted.kind)
      queue.after?.()
    },
    take: () => {
      const handover = take(state, { mode: 'peek-lock' }, nowMs())
      bury()
      if (!handover?.lock) return undefined
      const { messageId, content, deliveryCount } = handover.entry
      return { id: messageId, text: content, deliveryCount, token: handover.lock.token }
    },
    settle: (token, kind) => {
      const settled = settle(state, { token, outcome: { kind } }, nowMs())
      bury()
      return settled === 'settled'
    },
    renew: (token) => renewLock(state, token, nowMs()) !== undefined,
    nextChangeMs: () => nextDeadline(state),
    size: () => state.entries.size,
  }
  return queue
}

function toSubmission({ id, body, notBefore, timeToLiveMs }: OutgoingMessage) {
  const content = JSON.stringify(body)
  return {
    content,
    messageId: id,
    bytes: Buffer.byteLength(content),
    ...(notBefore ? { dueMs: notBefore.getTime() } : {}),
    ...(timeToLiveMs === undefined ? {} : { timeToLiveMs }),
  }
}
