import type { AmqpError } from 'rhea'
import type { Reply } from '../codec/request.ts'

/** Error conditions of AMQP 1.0 and of Service Bus ("AMQP error conditions" in its protocol guide). */
export const CONDITIONS = {
  notFound: 'amqp:not-found',
  notAllowed: 'amqp:not-allowed',
  unauthorized: 'amqp:unauthorized-access',
  decode: 'amqp:decode-error',
  internal: 'amqp:internal-error',
  quota: 'amqp:resource-limit-exceeded',
  tooLarge: 'amqp:link:message-size-exceeded',
  argument: 'com.microsoft:argument-error',
  timeout: 'com.microsoft:timeout',
  messageLockLost: 'com.microsoft:message-lock-lost',
  sessionLockLost: 'com.microsoft:session-lock-lost',
  sessionCannotBeLocked: 'com.microsoft:session-cannot-be-locked',
  messageNotFound: 'com.microsoft:message-not-found',
} as const

export interface Refusal extends AmqpError {
  readonly condition: string
  readonly description: string
}

export function refusal(condition: string, description: string): Refusal {
  return { condition, description }
}

/** The SDK knows a missing entity by this text, not by the condition. */
export function entityNotFound(hostname: string | undefined, path: string): Refusal {
  return refusal(
    CONDITIONS.notFound,
    `The messaging entity 'sb://${hostname ?? '127.0.0.1'}/${path}' could not be found.`,
  )
}

export const MESSAGE_LOCK_LOST = refusal(
  CONDITIONS.messageLockLost,
  'The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue.',
)
export const SESSION_LOCK_LOST = refusal(
  CONDITIONS.sessionLockLost,
  'The session lock has expired. Accept a new session.',
)

/** The reply to a request that is refused. */
export function failed({ condition, description }: Refusal): Reply {
  return { status: STATUSES.get(condition) ?? 500, description, condition }
}

/** HTTP-like, for clients that look at nothing else. */
const STATUSES: ReadonlyMap<string, number> = new Map<string, number>([
  [CONDITIONS.notFound, 404],
  [CONDITIONS.messageNotFound, 404],
  [CONDITIONS.notAllowed, 400],
  [CONDITIONS.argument, 400],
  [CONDITIONS.decode, 400],
  [CONDITIONS.unauthorized, 401],
  [CONDITIONS.quota, 403],
  [CONDITIONS.tooLarge, 413],
  [CONDITIONS.messageLockLost, 410],
  [CONDITIONS.sessionLockLost, 410],
  [CONDITIONS.sessionCannotBeLocked, 409],
  [CONDITIONS.timeout, 408],
  ['com.microsoft:server-busy', 503],
])
