import { z } from 'zod'
import { idOf } from '../core/ids.ts'
import { addMs, HOUR_MS, MINUTE_MS } from '../core/time.ts'
import { duplicatesShape } from './dedupe/strategy.ts'
import { mappingShape } from './mapping.ts'
import { isSchedule, nextSlot } from './schedule.ts'
import { policyFields } from './side.ts'

const instant = z.iso.datetime()
const name = z.string().min(1).max(100)

/** A run that was promised: the task is taken until it ends or the promise expires. */
const claimShape = z.object({
  /** Id of the run, of its first message and of its result. */
  runId: name,
  slot: instant,
  /** How often this slot was offered; a message that expired unread is offered again under a new id. */
  offer: z.int().positive(),
  expiresAt: instant,
})

export const taskShape = z.object({
  id: name,
  tenantId: name,
  integrationId: name,
  connectionId: name,
  entityType: name,
  syncMode: z.enum(['pull', 'push', 'bidirectional']),
  priority: z.enum(['high', 'normal', 'low']),
  status: z.enum(['pending', 'queued', 'running', 'completed', 'failed', 'disabled']),
  enabled: z.boolean(),
  type: z.enum(['scheduled', 'manual', 'webhook']),
  /** Cron, five or six fields, UTC; absent for a task that runs only when asked. */
  schedule: z.string().refine(isSchedule, 'expected a cron expression').optional(),
  nextScheduled: instant.nullable(),
  claim: claimShape.nullable().default(null),
  /** Instead of the vendor's own. */
  mapping: mappingShape.optional(),
  ...policyFields,
  duplicates: duplicatesShape.optional(),
  /** A person has approved the deletions that the last run held. */
  deletesApproved: z.boolean().optional(),
  /** When it was last asked that the next run reads everything, not only what is new. */
  rereadAskedAt: instant.optional(),
})
export type Task = z.infer<typeof taskShape>

/** The message that makes a worker run a task, or go on with a run. */
export const inboundMessageShape = z.object({
  integrationId: name,
  tenantId: name,
  connectionId: name,
  syncMode: taskShape.shape.syncMode,
  priority: taskShape.shape.priority,
  /** Id of the run. */
  correlationId: name,
  enqueuedAt: instant,
  taskId: name,
  /** Counts the messages of one run. */
  slice: z.int().nonnegative().default(0),
  /** Counts the tries since the run last got further. */
  attempt: z.int().positive().default(1),
  /** The one record to read instead of the stream; without its id the stream is read ahead of its slot. */
  record: z
    .object({
      entityType: name,
      externalId: z.string().min(1).max(500).optional(),
      operation: z.enum(['create', 'update', 'delete']).optional(),
    })
    .optional(),
  /** Counts how often it was put off because one of our own services was away. */
  deferrals: z.int().nonnegative().default(0),
})
export type InboundMessage = z.infer<typeof inboundMessageShape>

/** The message that makes a worker push what a connection has not been told yet. */
export const outboundMessageShape = z.object({
  integrationId: name,
  tenantId: name,
  connectionId: name,
  entityType: name,
  /** The record that is pushed first. */
  entityId: name,
  operation: z.enum(['create', 'update', 'delete']),
  /** Says what happened, for people; what is pushed is read from the record. */
  changes: z.record(z.string(), z.json()).default({}),
  externalId: z.string().optional(),
  correlationId: name,
  enqueuedAt: instant,
  /** Counts the messages that this one has become: it waited, or its time was up. */
  hop: z.int().nonnegative().default(0),
  deferrals: z.int().nonnegative().default(0),
})
export type OutboundMessage = z.infer<typeof outboundMessageShape>

/** A message nobody took for so long is not worth taking (contract: one hour). */
export const MESSAGE_TTL_MS = HOUR_MS
/** Longer than a message can live and be worked on, so that an expired claim has no message left. */
const CLAIM_MS = MESSAGE_TTL_MS + 10 * MINUTE_MS

export type Offer =
  | { readonly kind: 'none' }
  /** Store this task first, on condition that it did not change, then send the message. */
  | { readonly kind: 'claim'; readonly task: Task; readonly message: InboundMessage }
  /** Somebody claimed it and may have died before the message was sent: send it again, the bus drops a duplicate. */
  | { readonly kind: 'relay'; readonly task: Task; readonly message: InboundMessage }

/** What a scheduler does with a task now. */
export function offerOf(task: Task, now: Date): Offer {
  if (!task.enabled || task.status === 'disabled') return { kind: 'none' }
  const claimed = claimOf(task)
  if (!claimed) return isDue(task, now) ? claim(task, now) : { kind: 'none' }
  if (new Date(claimed.expiresAt) <= now) return claim(task, now)
  if (task.status === 'running') return { kind: 'none' }
  return { kind: 'relay', task, message: messageFor(task, claimed.runId, now) }
}

function claimOf(task: Task): z.infer<typeof claimShape> | undefined {
  const taken = task.status === 'queued' || task.status === 'running'
  return taken ? (task.claim ?? undefined) : undefined
}

function isDue(task: Task, now: Date): boolean {
  if (task.status === 'pending') return true
  return task.nextScheduled !== null && new Date(task.nextScheduled) <= now
}

function claim(task: Task, now: Date): Offer {
  const expired = claimOf(task)
  const slot = expired?.slot ?? slotOf(task, now)
  const offer = (expired?.offer ?? 0) + 1
  const runId = idOf('run', task.tenantId, task.id, slot, String(offer))
  const claimed: Task = {
    ...task,
    status: 'queued',
    claim: { runId, slot, offer, expiresAt: addMs(now, CLAIM_MS).toISOString() },
  }
  return { kind: 'claim', task: claimed, message: messageFor(claimed, runId, now) }
}

/** A run asked for ahead of its slot has a slot of its own, or the two would share an id. */
function slotOf({ nextScheduled }: Task, now: Date): string {
  return nextScheduled !== null && new Date(nextScheduled) <= now
    ? nextScheduled
    : now.toISOString()
}

function messageFor(task: Task, runId: string, now: Date): InboundMessage {
  const { integrationId, tenantId, connectionId, syncMode, priority } = task
  return {
    integrationId,
    tenantId,
    connectionId,
    syncMode,
    priority,
    correlationId: runId,
    enqueuedAt: now.toISOString(),
    taskId: task.id,
    slice: 0,
    attempt: 1,
    deferrals: 0,
  }
}

/** The task as a worker of `runId` holds it, with the claim extended; undefined when the run is no longer the task's. */
export function startedBy(task: Task, runId: string, now: Date): Task | undefined {
  const claim = claimOf(task)
  if (claim?.runId !== runId) return undefined
  const expiresAt = addMs(now, CLAIM_MS).toISOString()
  return { ...task, status: 'running', claim: { ...claim, expiresAt } }
}

/**
 * The task after its run ended. It waits for the next slot; slots that passed meanwhile are one missed run, not many. A
 * slot that was taken early, by a clock that is ahead, does not come again: its run would have the same id.
 */
export function ended(task: Task, status: 'completed' | 'failed', now: Date): Task {
  const taken = new Date(task.claim?.slot ?? 0)
  const after = taken > now ? taken : now
  const next = task.schedule === undefined ? undefined : nextSlot(task.schedule, after)
  const { deletesApproved: _, ...rest } = task
  return { ...rest, status, claim: null, nextScheduled: next?.toISOString() ?? null }
}

const ranks = { high: 0, normal: 1, low: 2 } as const

/** Orders tasks high → normal → low, the longest waiting first. */
export function byUrgency(a: Task, b: Task): number {
  return ranks[a.priority] - ranks[b.priority] || waitingSince(a) - waitingSince(b)
}

function waitingSince({ nextScheduled }: Task): number {
  return nextScheduled === null ? 0 : Date.parse(nextScheduled)
}
