import type { Stored } from '../core/collection.ts'
import type { SyncPorts } from './ports.ts'
import { byUrgency, MESSAGE_TTL_MS, offerOf, type InboundMessage, type Task } from './task.ts'

export interface ScheduleSummary {
  readonly due: number
  /** Tasks newly queued. */
  readonly queued: number
  /** Messages sent once more for tasks that were queued before. */
  readonly relayed: number
  /** Tasks that another scheduler, a worker or an operator changed first. */
  readonly lost: number
}

/** Messages sent at a time. */
const BATCH_SIZE = 100

type SchedulerPorts = Pick<SyncPorts, 'tasks' | 'inbound' | 'clock'>

/**
 * Queues every task that is due, the most urgent first. A task is claimed by a conditional write before its message is
 * sent: two schedulers queue it once, and a crash in between is mended by the next tick, which sends the same message
 * again under the same id.
 */
export async function scheduleDueTasks(ports: SchedulerPorts): Promise<ScheduleSummary> {
  const now = ports.clock()
  const due: Stored<Task>[] = []
  for await (const stored of ports.tasks.query(dueQuery(now))) due.push(stored)
  due.sort((a, b) => byUrgency(a.document, b.document))
  const summary = { due: due.length, queued: 0, relayed: 0, lost: 0 }
  for (let start = 0; start < due.length; start += BATCH_SIZE) {
    const messages: InboundMessage[] = []
    for (const stored of due.slice(start, start + BATCH_SIZE)) {
      const claimed = await claimTask(ports, stored, now)
      if (claimed === undefined) continue
      summary[claimed.outcome] += 1
      if (claimed.message) messages.push(claimed.message)
    }
    await sendAll(ports, messages)
  }
  return summary
}

function dueQuery(now: Date) {
  const enabled = { field: 'enabled', is: '=', value: true } as const
  const slotReached = { field: 'nextScheduled', is: '<=', value: now.toISOString() } as const
  const withStatus = (status: Task['status']) =>
    ({ field: 'status', is: '=', value: status }) as const
  return {
    anyOf: [
      [enabled, withStatus('pending')],
      [enabled, withStatus('completed'), slotReached],
      [enabled, withStatus('failed'), slotReached],
      [enabled, withStatus('queued')],
      [
        enabled,
        withStatus('running'),
        { field: 'claim.expiresAt', is: '<=', value: now.toISOString() },
      ],
    ],
  } as const
}

interface Claimed {
  readonly outcome: 'queued' | 'relayed' | 'lost'
  readonly message?: InboundMessage
}

async function claimTask(
  ports: SchedulerPorts,
  { document, etag }: Stored<Task>,
  now: Date,
): Promise<Claimed | undefined> {
  const offer = offerOf(document, now)
  if (offer.kind === 'none') return undefined
  if (offer.kind === 'relay') return { outcome: 'relayed', message: offer.message }
  const written = await ports.tasks.write(
    [document.tenantId],
    [{ kind: 'replace', document: offer.task, etag }],
  )
  return written.committed ? { outcome: 'queued', message: offer.message } : { outcome: 'lost' }
}

async function sendAll(
  { inbound }: SchedulerPorts,
  messages: readonly InboundMessage[],
): Promise<void> {
  if (messages.length === 0) return
  await inbound.send(
    messages.map((body) => ({
      id: body.correlationId,
      body,
      correlationId: body.correlationId,
      timeToLiveMs: MESSAGE_TTL_MS,
    })),
  )
}
