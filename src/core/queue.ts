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
