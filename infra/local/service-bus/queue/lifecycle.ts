import { first, pop, push } from './heap.ts'
import { readyHeap, type Deadline, type Entry, type QueueState, type Session } from './state.ts'

/** Lets everything happen that is due by `now`: lost locks, expired and scheduled messages. */
export function tick<P>(queue: QueueState<P>, now: number): void {
  for (let next = first(queue.deadlines); next && next.atMs <= now; next = first(queue.deadlines)) {
    pop(queue.deadlines)
    happen(queue, next, now)
  }
}

/** When `tick` has something to do next, in milliseconds since the epoch. */
export function nextDeadline<P>(queue: QueueState<P>): number | undefined {
  return first(queue.deadlines)?.atMs
}

function happen<P>(queue: QueueState<P>, deadline: Deadline, now: number): void {
  switch (deadline.kind) {
    case 'lock': {
      const entry = queue.locks.get(deadline.token)
      if (entry) giveBack(queue, entry, now)
      return
    }
    case 'session': {
      const session = queue.sessions.get(deadline.sessionId)
      if (session?.holder === undefined) return
      queue.effects.push({ kind: 'session-lost', sessionId: session.id, holder: session.holder })
      release(queue, session, now)
      return
    }
    case 'expiry': {
      const entry = queue.entries.get(deadline.sequenceNumber)
      if (entry) expire(queue, entry)
      return
    }
    case 'due': {
      const entry = queue.entries.get(deadline.sequenceNumber)
      if (entry) activate(queue, entry, deadline.atMs)
      return
    }
    default:
      deadline satisfies never
  }
}

/** Puts a new or activated message at the end, with a new sequence number. */
export function append<P>(queue: QueueState<P>, entry: Entry<P>): void {
  queue.entries.set(entry.sequenceNumber, entry)
  queue.bytes += entry.bytes
  if (entry.sessionId !== undefined && queue.rules.requiresSession) {
    sessionOf(queue, entry.sessionId).messages += 1
  }
  if (entry.state === 'active') offer(queue, entry)
}

export function nextSequenceNumber<P>(queue: QueueState<P>): number {
  queue.lastSequenceNumber += 1
  return queue.lastSequenceNumber
}

/** A scheduled message becomes active at its due time, under a new sequence number. */
function activate<P>(queue: QueueState<P>, entry: Entry<P>, dueMs: number): void {
  remove(queue, entry)
  entry.sequenceNumber = nextSequenceNumber(queue)
  entry.state = 'active'
  entry.enqueuedMs = dueMs
  entry.expiresMs = dueMs + entry.timeToLiveMs
  append(queue, entry)
}

/** Makes a message available to receivers, in the place that its sequence number gives it. */
function offer<P>(queue: QueueState<P>, entry: Entry<P>): void {
  const session =
    queue.rules.requiresSession && entry.sessionId !== undefined
      ? sessionOf(queue, entry.sessionId)
      : undefined
  push(session ? session.ready : queue.ready, entry.sequenceNumber)
  if (entry.expiresMs !== Infinity) {
    push(queue.deadlines, {
      kind: 'expiry',
      atMs: entry.expiresMs,
      sequenceNumber: entry.sequenceNumber,
    })
  }
}

/** Takes the lock off without a verdict on the delivery. */
export function unlock<P>(queue: QueueState<P>, entry: Entry<P>): void {
  if (!entry.lock) return
  queue.locks.delete(entry.lock.token)
  entry.lock.session?.held.delete(entry.sequenceNumber)
  entry.lock = undefined
}

/** A delivery that did not end in completion: counted, and then available again, expired or dead-lettered. */
export function giveBack<P>(queue: QueueState<P>, entry: Entry<P>, now: number): void {
  unlock(queue, entry)
  const { isDeadLetterQueue, maxDeliveryCount } = queue.rules
  if (!isDeadLetterQueue) entry.deliveryCount += 1
  if (!isDeadLetterQueue && entry.deliveryCount >= maxDeliveryCount) {
    return deadLetter(queue, entry, {
      reason: 'MaxDeliveryCountExceeded',
      description: `Message could not be consumed after ${maxDeliveryCount} delivery attempts.`,
    })
  }
  if (entry.state !== 'active') return
  if (entry.expiresMs <= now) return expire(queue, entry)
  offer(queue, entry)
}

export function deadLetter<P>(
  queue: QueueState<P>,
  entry: Entry<P>,
  cause: { readonly reason?: string | undefined; readonly description?: string | undefined },
): void {
  remove(queue, entry)
  queue.effects.push({
    kind: 'dead-letter',
    entry,
    reason: cause.reason,
    description: cause.description,
  })
}

export function expire<P>(queue: QueueState<P>, entry: Entry<P>): void {
  if (!queue.rules.deadLetterOnExpiration) return remove(queue, entry)
  deadLetter(queue, entry, {
    reason: 'TTLExpiredException',
    description: 'The message expired and was dead lettered.',
  })
}

export function remove<P>(queue: QueueState<P>, entry: Entry<P>): void {
  unlock(queue, entry)
  if (!queue.entries.delete(entry.sequenceNumber)) return
  queue.bytes -= entry.bytes
  if (entry.sessionId === undefined || !queue.rules.requiresSession) return
  const session = sessionOf(queue, entry.sessionId)
  session.messages -= 1
  forget(queue, session)
}

export function sessionOf<P>(queue: QueueState<P>, id: string): Session {
  const known = queue.sessions.get(id)
  if (known) return known
  const session: Session = {
    id,
    ready: readyHeap(queue.entries),
    holder: undefined,
    untilMs: 0,
    held: new Set(),
    messages: 0,
    state: undefined,
    updatedMs: 0,
  }
  queue.sessions.set(id, session)
  return session
}

/** Ends the hold on a session; messages that its holder did not settle count as delivered in vain. */
export function release<P>(queue: QueueState<P>, session: Session, now: number): void {
  session.holder = undefined
  for (const sequenceNumber of [...session.held].sort((a, b) => a - b)) {
    const entry = queue.entries.get(sequenceNumber)
    if (entry) giveBack(queue, entry, now)
  }
  session.held.clear()
  forget(queue, session)
}

/** A session exists as long as it has a message, a state or a holder. */
export function forget<P>(queue: QueueState<P>, session: Session): void {
  if (session.messages > 0 || session.state !== undefined || session.holder !== undefined) return
  queue.sessions.delete(session.id)
}
