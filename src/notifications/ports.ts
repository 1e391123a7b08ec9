/** A service that keeps connections to phones. */
export interface Realtime {
  readonly service: 'signalr' | 'web-pubsub'
  /** Delivers `payload` as event `notification` to everybody in the group. Throws `realtime_unavailable`. */
  sendToGroup(group: string, payload: object, signal?: AbortSignal): Promise<void>
  /** What a stock client needs to connect as `userId`, already a member of `groups`. */
  negotiate(
    userId: string,
    groups: readonly string[],
  ): Promise<{ url: string; accessToken: string }>
  /** Asks the service whether it is there; throws `realtime_unavailable` when it is not. */
  ping(signal?: AbortSignal): Promise<void>
}
