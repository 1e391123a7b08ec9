import { idOf } from '../core/ids.ts'
import type { InboundMessage } from './task.ts'

/** Messages of one tenant about single records that are worked on at the same time, on all instances together. */
const LANES = 16

/**
 * The session of a message to the inbound queue. A session has one worker at a time and one message after the other, and
 * sessions take turns: whoever floods the queue keeps no more than its own lanes busy, and nobody stands behind its
 * messages. What is about one record stays in order; each task has a lane of its own, for a stream has one run at a time.
 */
export function sessionOf(body: object): string {
  const { tenantId = '', taskId = '', connectionId = '', record } = body as Partial<InboundMessage> // we send no other
  if (record?.externalId === undefined) return idOf('run', tenantId, taskId)
  const lane = hashOf(`${connectionId} ${record.externalId}`) % LANES
  return idOf('lane', tenantId, String(lane))
}

/** FNV-1a, 32 bits. */
function hashOf(value: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < value.length; at += 1) {
    hash = Math.imul(hash ^ value.charCodeAt(at), 0x01000193)
  }
  return hash >>> 0
}
