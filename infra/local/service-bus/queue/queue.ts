import { pop, push } from './heap.ts'
import {
  append,
  deadLetter,
  expire,
  giveBack,
  nextSequenceNumber,
  remove,
  tick,
  unlock,
} from './lifecycle.ts'
import type { Entry, QueueState, Session, Submission } from './state.ts'

/** Message ids remembered for duplicate detection; the oldest are forgotten beyond it. */
const DUPLICATE_HISTORY_LIMIT = 1_000_000

export type Submitted =
  | { readonly kind: 'stored'; readonly sequenceNumbers: readonly number[] }
  | { readonly kind: 'quota-exceeded' }
  | { readonly kind: 'session-required' }

/** Stores all messages or none. A duplicate counts as stored and is dropped. */
export function submit<P>(
  queue: QueueState<P>,
  submissions: readonly Submission<P>[],
  now: number,
): Submitted {
  tick(queue, now)
  const { requiresSession, sizeQuotaBytes } = queue.rules
  if (requiresSession && submissions.some(({ sessionId }) => sessionId === undefined)) {
    return { kind: 'session-required' }
  }
  const bytes = submissions.reduce((sum, submission) => sum + submission.bytes, 0)
  if (queue.bytes + queue.otherBytes() + bytes > sizeQuotaBytes) return { kind: 'quota-exceeded' }
  return {
    kind: 'stored',
    sequenceNumbers: submissions.map((submission) => store(queue, submission, now)),
  }
}

function store<P>(queue: QueueState<P>, submission: Submission<P>, now: number): number {
  const sequenceNumber = nextSequenceNumber(queue)
  if (isDuplicate(queue, submission.messageId, now)) return sequenceNumber
  const { dueMs = 0, carried } = submission
  const scheduled = dueMs > now
  const enqueuedMs = carried?.enqueuedMs ?? (scheduled ? dueMs : now)
  const timeToLiveMs = queue.rules.isDeadLetterQueue
    ? Infinity
    : Math.min(submission.timeToLiveMs ?? Infinity, queue.rules.timeToLiveMs)
  append(queue, {
    sequenceNumber,
    enqueuedSequenceNumber: carried?.enqueuedSequenceNumber ?? sequenceNumber,
    enqueuedMs,
    expiresMs: enqueuedMs + timeToLiveMs,
    deliveryCount: carried?.deliveryCount ?? 0,
    state: scheduled ? 'scheduled' : 'active',
    wasScheduled: scheduled,
    dueMs,
    content: submission.content,
    messageId: submission.messageId,
    sessionId: submission.sessionId,
    timeToLiveMs,
    bytes: submission.bytes,
    lock: undefined,
  })
  if (scheduled) push(queue.deadlines, { kind: 'due', atMs: dueMs, sequenceNumber })
  return sequenceNumber
}

function isDuplicate<P>(queue: QueueState<P>, messageId: string, now: number): boolean {
  const { history } = queue
  const windowMs = queue.rules.duplicateWindowMs
  if (windowMs === 0) return false
  for (const [id, untilMs] of history) {
    if (untilMs > now && history.size < DUPLICATE_HISTORY_LIMIT) break
    history.delete(id)
  }
  if (history.has(messageId)) return true
  history.set(messageId, now + windowMs)
  return false
}

export type ReceiveMode = 'peek-lock' | 'receive-and-delete'

/** A message on its way to a receiver. Without a lock it is no longer in the queue. */
export interface Handover<P> {
  readonly entry: Entry<P>
  readonly lock: { readonly token: string; readonly untilMs: number } | undefined
}

/** The next available message, of `session` where the queue has sessions. */
export function take<P>(
  queue: QueueState<P>,
  from: { readonly mode: ReceiveMode; readonly session?: Session },
  now: number,
): Handover<P> | undefined {
  tick(queue, now)
  const sequenceNumber = pop(from.session ? from.session.ready : queue.ready)
  const entry = sequenceNumber === undefined ? undefined : queue.entries.get(sequenceNumber)
  return entry && handOver(queue, { entry, ...from }, now)
}

function handOver<P>(
  queue: QueueState<P>,
  what: { readonly entry: Entry<P>; readonly mode: ReceiveMode; readonly session?: Session },
  now: number,
): Handover<P> {
  const { entry, mode, session } = what
  if (mode === 'receive-and-delete') {
    remove(queue, entry)
    return { entry, lock: undefined }
  }
  const token = queue.newToken()
  const untilMs = session ? session.untilMs : now + queue.rules.lockDurationMs
  entry.lock = { token, untilMs: session ? Infinity : untilMs, session }
  queue.locks.set(token, entry)
  if (session) session.held.add(entry.sequenceNumber)
  else push(queue.deadlines, { kind: 'lock', atMs: untilMs, token })
  return { entry, lock: { token, untilMs } }
}

export type Outcome<P> = (
  | { readonly kind: 'complete' | 'abandon' | 'defer' | 'release' }
  | {
      readonly kind: 'dead-letter'
      readonly reason?: string | undefined
      readonly description?: string | undefined
    }
) & {
  /** Changes the content before it is kept, as "properties to modify" ask. */
  readonly amend?: (content: P) => P
}

/** Ends a delivery. `lock-lost` when the lock is not there (any more); dead-lettering the dead is `not-allowed`. */
export function settle<P>(
  queue: QueueState<P>,
  delivery: { readonly token: string; readonly outcome: Outcome<P> },
  now: number,
): 'settled' | 'lock-lost' | 'not-allowed' {
  tick(queue, now)
  const entry = queue.locks.get(delivery.token)
  if (!entry) return 'lock-lost'
  const { outcome } = delivery
  if (outcome.kind === 'dead-letter' && queue.rules.isDeadLetterQueue) return 'not-allowed'
  if (outcome.amend) entry.content = outcome.amend(entry.content)
  switch (outcome.kind) {
    case 'complete':
      remove(queue, entry)
      break
    case 'abandon':
    case 'release':
      giveBack(queue, entry, now)
      break
    case 'defer':
      unlock(queue, entry)
      if (!queue.rules.isDeadLetterQueue) entry.deliveryCount += 1
      entry.state = 'deferred'
      break
    case 'dead-letter':
      deadLetter(queue, entry, outcome)
      break
    default:
      outcome satisfies never
  }
  return 'settled'
}

/** Extends a message's lock from now; undefined when it is lost. Messages of a session live by the session's lock. */
export function renewLock<P>(queue: QueueState<P>, token: string, now: number): number | undefined {
  tick(queue, now)
  const lock = queue.locks.get(token)?.lock
  if (!lock || lock.session) return undefined
  lock.untilMs = now + queue.rules.lockDurationMs
  push(queue.deadlines, { kind: 'lock', atMs: lock.untilMs, token })
  return lock.untilMs
}

/** Cancels scheduled messages; false, and nothing done, when one of them is unknown. */
export function cancelScheduled<P>(
  queue: QueueState<P>,
  sequenceNumbers: readonly number[],
  now: number,
): boolean {
  tick(queue, now)
  const entries = sequenceNumbers.map((number) => queue.entries.get(number))
  if (entries.some((entry) => entry?.state !== 'scheduled')) return false
  for (const entry of entries) if (entry) remove(queue, entry)
  return true
}

/** Hands over deferred messages; undefined, and nothing done, when one of them is not there. */
export function takeDeferred<P>(
  queue: QueueState<P>,
  what: {
    readonly sequenceNumbers: readonly number[]
    readonly mode: ReceiveMode
    readonly session?: Session
  },
  now: number,
): readonly Handover<P>[] | undefined {
  tick(queue, now)
  const entries = what.sequenceNumbers.flatMap((number) => {
    const entry = queue.entries.get(number)
    return entry && isDeferred(queue, entry, now) ? [entry] : []
  })
  if (entries.length < what.sequenceNumbers.length) return undefined
  if (entries.some(({ sessionId }) => what.session && sessionId !== what.session.id)) {
    return undefined
  }
  return entries.map((entry) => handOver(queue, { entry, ...what }, now))
}

/** A deferred message expires only when somebody asks for it ("Message deferral", Service Bus documentation). */
function isDeferred<P>(queue: QueueState<P>, entry: Entry<P>, now: number): boolean {
  if (entry.state !== 'deferred' || entry.lock) return false
  if (entry.expiresMs > now) return true
  expire(queue, entry)
  return false
}

/** Messages in every state from a sequence number on, locked ones too; nothing changes. */
export function peek<P>(
  queue: QueueState<P>,
  range: { readonly from: number; readonly count: number; readonly sessionId?: string },
  now: number,
): readonly Entry<P>[] {
  tick(queue, now)
  const found: Entry<P>[] = []
  for (const entry of queue.entries.values()) {
    if (found.length >= range.count) break
    if (entry.sequenceNumber < range.from) continue
    if (range.sessionId === undefined || entry.sessionId === range.sessionId) found.push(entry)
  }
  return found
}
