import { canonicalJson, type Json } from '../core/canonical-json.ts'
import type { ErrorCode } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import type { DeadLetters } from '../core/queue.ts'
import type { SyncPorts } from './ports.ts'
import type { ParkedMessage } from './result.ts'

/** Where messages lie that name no tenant that could be read. */
const NO_TENANT = '_unreadable'
const LONGEST_TENANT = 100

export interface GivenUp {
  readonly messageId: string
  /** The body as JSON text, or whatever came instead. */
  readonly payload: string
  readonly reason: string
}

/** Keeps a message that no worker can read or finish, with the reason, where its tenant finds it. */
export async function parkMessage(
  ports: Pick<SyncPorts, 'parked' | 'clock'>,
  queue: string,
  { messageId, payload, reason, code = 'bad_request' }: GivenUp & { readonly code?: ErrorCode },
): Promise<void> {
  const document: ParkedMessage = {
    id: idOf('parked', queue, messageId),
    tenantId: tenantOf(payload),
    kind: 'message',
    queue,
    messageId,
    reason: { code, message: reason },
    payload,
    parkedAt: ports.clock().toISOString(),
  }
  await ports.parked.write([document.tenantId], [{ kind: 'upsert', document }])
}

/** The tenant whose message it is: only we write into the queues. */
function tenantOf(payload: string): string {
  try {
    const body: unknown = JSON.parse(payload)
    const tenantId = typeof body === 'object' && body && 'tenantId' in body ? body.tenantId : ''
    const isName = typeof tenantId === 'string' && tenantId !== ''
    return isName && tenantId.length <= LONGEST_TENANT ? tenantId : NO_TENANT
  } catch {
    return NO_TENANT
  }
}

/** Taken at a time; what is left is taken the next time. */
const AT_A_TIME = 100

/**
 * Moves what the bus has given up to where people look: each message is stored before it leaves the bus, and one that is
 * moved twice is one. Answers how many.
 */
export async function parkDeadLetters(
  ports: Pick<SyncPorts, 'parked' | 'clock'>,
  queues: readonly { readonly name: string; readonly deadLetters: DeadLetters }[],
): Promise<number> {
  let parked = 0
  for (const { name, deadLetters } of queues) {
    parked += await deadLetters.take(AT_A_TIME, ({ id, body, reason }) =>
      parkMessage(ports, name, {
        messageId: id,
        payload: textOf(body),
        reason,
        code: 'dead_lettered',
      }),
    )
  }
  return parked
}

function textOf(body: unknown): string {
  if (typeof body === 'string') return body
  if (Buffer.isBuffer(body)) return body.toString('utf8')
  return canonicalJson((body ?? null) as Json) // the bus parsed it from JSON
}
