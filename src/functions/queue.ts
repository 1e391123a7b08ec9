import type { InvocationContext, ServiceBusQueueHandler } from '@azure/functions'
import type { z } from 'zod'
import { canonicalJson, type Json } from '../core/canonical-json.ts'
import { codeOf, explain, type ErrorCode } from '../core/errors.ts'
import { invocationLog, observe } from './observe.ts'

/** Our own services that were away, or somebody who was faster: later it may work. */
const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'conflict',
  'queue_unavailable',
  'store_unavailable',
  'vault_unavailable',
])

export interface QueueWork<T> {
  readonly shape: z.ZodType<T>
  readonly work: (message: T, context: InvocationContext) => Promise<void>
  /** Puts a message off; false when it was put off too often. */
  readonly defer: (message: T, messageId: string) => Promise<boolean>
  /** Keeps a message that cannot be read. */
  readonly park: (unreadable: UnreadableMessage) => Promise<void>
}

export interface UnreadableMessage {
  readonly messageId: string
  readonly payload: string
  readonly reason: string
}

/**
 * A function behind a queue. Returning completes the message, throwing gives it back: at once and with a mark towards the
 * dead-letter queue. So a passing failure sends a later copy and returns, a message that nobody can read is parked, and
 * only what is unknown is thrown.
 */
export function queueHandler<T>({
  shape,
  work,
  defer,
  park,
}: QueueWork<T>): ServiceBusQueueHandler {
  return (body, context) =>
    observe(context, async () => {
      const messageId = messageIdOf(context)
      const parsed = shape.safeParse(body)
      if (!parsed.success) {
        const reason = parsed.error.issues
          .map(({ path, message }) => `${path.join('.')}: ${message}`)
          .join('; ')
        invocationLog.error('the message cannot be read and is parked', { messageId, reason })
        return park({ messageId, payload: textOf(body), reason })
      }
      try {
        return await work(parsed.data, context)
      } catch (error) {
        if (!passing.has(codeOf(error)) || !(await defer(parsed.data, messageId))) throw error
        invocationLog.warn(`put off: ${explain(error)}`, { messageId, code: codeOf(error) })
      }
    })
}

function messageIdOf({ triggerMetadata, invocationId }: InvocationContext): string {
  const id = triggerMetadata?.['messageId']
  return typeof id === 'string' ? id : invocationId
}

function textOf(body: unknown): string {
  if (Buffer.isBuffer(body)) return body.toString('base64')
  return typeof body === 'string' ? body : canonicalJson((body ?? null) as Json) // the host parsed it from JSON
}
