import { createHeap, type Heap } from './heap.ts'

/** How a queue behaves. Durations in milliseconds; Infinity means never. */
export interface QueueRules {
  readonly lockDurationMs: number
  readonly maxDeliveryCount: number
  readonly timeToLiveMs: number
  readonly deadLetterOnExpiration: boolean
  /** 0 switches duplicate detection off. */
  readonly duplicateWindowMs: number
  readonly requiresSession: boolean
  readonly sizeQuotaBytes: number
  /** A dead-letter queue counts no deliveries, expires nothing and has no sessions. */
  readonly isDeadLetterQueue: boolean
}

/** A message as it comes in. `P` is the content, which the queue never looks into. */
export interface Submission<P> {
  readonly content: P
  readonly messageId: string
  readonly sessionId?: string
  readonly bytes: number
  readonly timeToLiveMs?: number
  /** Milliseconds since the epoch; in the future it makes the message a scheduled one. */
  readonly dueMs?: number
  /** Kept when a message moves from a queue to its dead-letter queue. */
  readonly carried?: Carried
}

interface Carried {
  readonly enqueuedSequenceNumber: number
  readonly enqueuedMs: number
  readonly deliveryCount: number
}

type MessageState = 'active' | 'deferred' | 'scheduled'

/** A message in the queue. */
export interface Entry<P> {
  sequenceNumber: number
  readonly enqueuedSequenceNumber: number
  enqueuedMs: number
  expiresMs: number
  deliveryCount: number
  state: MessageState
  readonly wasScheduled: boolean
  readonly dueMs: number
  content: P
  readonly messageId: string
  readonly sessionId: string | undefined
  readonly timeToLiveMs: number
  readonly bytes: number
  lock: Lock | undefined
}

interface Lock {
  readonly token: string
  /** Of a message without session; in a session the session's lock decides. */
  untilMs: number
  readonly session: Session | undefined
}

export interface Session {
  readonly id: string
  readonly ready: Heap<number>
  holder: string | undefined
  untilMs: number
  /** Sequence numbers of messages that the holder has and has not settled. */
  readonly held: Set<number>
  messages: number
  state: Buffer | undefined
  updatedMs: number
}

export type Deadline =
  | { readonly kind: 'lock'; readonly atMs: number; readonly token: string }
  | { readonly kind: 'expiry' | 'due'; readonly atMs: number; readonly sequenceNumber: number }
  | { readonly kind: 'session'; readonly atMs: number; readonly sessionId: string }

export type Effect<P> =
  | {
      readonly kind: 'dead-letter'
      readonly entry: Entry<P>
      readonly reason: string | undefined
      readonly description: string | undefined
    }
  | { readonly kind: 'session-lost'; readonly sessionId: string; readonly holder: string }

export interface QueueState<P> {
  rules: QueueRules
  readonly newToken: () => string
  /** Bytes that count towards the quota and are kept elsewhere: the dead letters. */
  readonly otherBytes: () => number
  lastSequenceNumber: number
  bytes: number
  /** By sequence number, and in its order: numbers only grow. */
  readonly entries: Map<number, Entry<P>>
  readonly ready: Heap<number>
  /** By lock token. */
  readonly locks: Map<string, Entry<P>>
  readonly sessions: Map<string, Session>
  readonly deadlines: Heap<Deadline>
  /** Message id → when it may come again; oldest first, because the window is one for all. */
  readonly history: Map<string, number>
  /** What the owner of the queue has still to do; it takes them out. */
  readonly effects: Effect<P>[]
}

export function createQueue<P>(
  rules: QueueRules,
  newToken: () => string,
  otherBytes: () => number = () => 0,
): QueueState<P> {
  const entries = new Map<number, Entry<P>>()
  const locks = new Map<string, Entry<P>>()
  const sessions = new Map<string, Session>()
  return {
    rules,
    newToken,
    otherBytes,
    lastSequenceNumber: 0,
    bytes: 0,
    entries,
    ready: readyHeap(entries),
    locks,
    sessions,
    deadlines: createHeap<Deadline>(
      (a, b) => a.atMs < b.atMs,
      (deadline) => isPending({ entries, locks, sessions }, deadline),
    ),
    history: new Map(),
    effects: [],
  }
}

/** Lowest sequence number first: a message that comes back takes its old place. */
export function readyHeap<P>(entries: ReadonlyMap<number, Entry<P>>): Heap<number> {
  return createHeap<number>(
    (a, b) => a < b,
    (sequenceNumber) => {
      const entry = entries.get(sequenceNumber)
      return entry?.state === 'active' && !entry.lock
    },
  )
}

/** False for a deadline that was moved or whose message is gone. */
function isPending<P>(
  { entries, locks, sessions }: Pick<QueueState<P>, 'entries' | 'locks' | 'sessions'>,
  deadline: Deadline,
): boolean {
  switch (deadline.kind) {
    case 'lock':
      return locks.get(deadline.token)?.lock?.untilMs === deadline.atMs
    case 'session': {
      const session = sessions.get(deadline.sessionId)
      return session?.holder !== undefined && session.untilMs === deadline.atMs
    }
    case 'expiry': {
      const entry = entries.get(deadline.sequenceNumber)
      return entry?.state === 'active' && !entry.lock && entry.expiresMs === deadline.atMs
    }
    case 'due':
      return entries.get(deadline.sequenceNumber)?.state === 'scheduled'
    default:
      return deadline satisfies never
  }
}
