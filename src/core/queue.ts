export interface OutgoingMessage {
  /** The same id within the queue's duplicate detection window is delivered once. */
  readonly id: string
  readonly body: object
  readonly correlationId?: string
  /** Not delivered before this instant. */
  readonly notBefore?: Date
  readonly timeToLiveMs?: number
}

/** One queue of the bus. Throws `queue_unavailable` when a message could not be stored. */
export interface Queue {
  send(messages: readonly OutgoingMessage[]): Promise<void>
  /** Asks the bus whether the queue is there; throws `queue_unavailable` when it is not. */
  ping(): Promise<void>
}

/** A message that nobody could finish, or that lived too long. */
export interface DeadMessage {
  readonly id: string
  readonly body: unknown
  /** Why the bus gave it up, in its words. */
  readonly reason: string
}

/** What a queue gave up. Throws `queue_unavailable`. */
export interface DeadLetters {
  /**
   * Hands over at most so many, the oldest first. Each leaves the bus when `keep` has returned; one that could not be kept
   * is handed over again. Answers how many were kept.
   */
  take(atMost: number, keep: (message: DeadMessage) => Promise<void>): Promise<number>
}
