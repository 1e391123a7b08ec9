import type { Member } from './hub.ts'

/** The subprotocols; a client that asks for none gets bare payloads (a simple client). */
export const JSON_PROTOCOL = 'json.webpubsub.azure.v1'
export const RELIABLE_PROTOCOL = 'json.reliable.webpubsub.azure.v1'
export type Protocol = typeof JSON_PROTOCOL | typeof RELIABLE_PROTOCOL | 'simple'

/** How long a session outlives its socket, and the client may come back for it. */
export const RECOVERY_WINDOW_MS = 30_000
/** A reliable client that leaves more than this unacknowledged loses its session. */
export const MAX_UNACKNOWLEDGED = 1_000
export const MAX_UNACKNOWLEDGED_BYTES = 16 * 1024 * 1024
/** Ack ids of one session that are remembered to tell a repeated request from a new one. */
export const MAX_REMEMBERED_ACKS = 10_000

interface Pending {
  readonly sequenceId: number
  readonly frame: string
  readonly expiresAtMs: number
}

/** One logical connection; a reliable one survives its socket. */
export interface Session extends Member {
  readonly protocol: Protocol
  readonly roles: Set<string>
  readonly reconnectionToken: string
  readonly handledAcks: Set<number>
  readonly unacknowledged: Pending[]
  lastSequenceId: number
}

export type Ability = 'joinLeaveGroup' | 'sendToGroup'

export function createSession(
  given: Pick<Session, 'id' | 'userId' | 'protocol' | 'reconnectionToken'> & {
    readonly groups: readonly string[]
    readonly roles: readonly string[]
  },
): Session {
  return {
    ...given,
    groups: new Set(given.groups),
    roles: new Set(given.roles),
    handledAcks: new Set(),
    unacknowledged: [],
    lastSequenceId: 0,
  }
}

/** The role that allows something for one group, or for all of them. */
export function roleFor(ability: Ability, group?: string | null): string {
  return group ? `webpubsub.${ability}.${group}` : `webpubsub.${ability}`
}

export function may({ roles }: Session, ability: Ability, group: string): boolean {
  return roles.has(roleFor(ability)) || roles.has(roleFor(ability, group))
}

/**
 * Numbers a message for a reliable client and keeps it until it is acknowledged or expires. Returns the frame, or
 * `undefined` when the client has left too much unacknowledged.
 */
export function remember(
  session: Session,
  message: object,
  expiresAtMs: number,
): string | undefined {
  const sequenceId = session.lastSequenceId + 1
  const frame = JSON.stringify({ sequenceId, ...message })
  const bytes = session.unacknowledged.reduce((sum, { frame }) => sum + frame.length, frame.length)
  if (session.unacknowledged.length >= MAX_UNACKNOWLEDGED || bytes > MAX_UNACKNOWLEDGED_BYTES)
    return undefined
  session.lastSequenceId = sequenceId
  session.unacknowledged.push({ sequenceId, frame, expiresAtMs })
  return frame
}

/** Forgets everything up to and including `sequenceId`. */
export function acknowledge({ unacknowledged }: Session, sequenceId: number): void {
  const kept = unacknowledged.filter((pending) => pending.sequenceId > sequenceId)
  unacknowledged.splice(0, unacknowledged.length, ...kept)
}

/** What a client that came back has not acknowledged, oldest first, without what has expired. */
export function replay({ unacknowledged }: Session, nowMs: number): readonly string[] {
  return unacknowledged.filter(({ expiresAtMs }) => expiresAtMs > nowMs).map(({ frame }) => frame)
}

/** Whether this ack id is new; a second request with the same one must have no effect. */
export function isRepeated({ handledAcks }: Session, ackId: number | undefined): boolean {
  return ackId !== undefined && handledAcks.has(ackId)
}

export function rememberAck({ handledAcks }: Session, ackId: number): void {
  handledAcks.add(ackId)
  const [oldest] = handledAcks
  if (oldest !== undefined && handledAcks.size > MAX_REMEMBERED_ACKS) handledAcks.delete(oldest)
}
