import { z } from 'zod'
import { audience, leave, type Hub } from './hub.ts'
import { parseJson } from './json.ts'
import {
  acknowledge,
  isRepeated,
  may,
  remember,
  rememberAck,
  RELIABLE_PROTOCOL,
  type Ability,
  type Session,
} from './web-pubsub-session.ts'

/** What the sockets are to do after a step of the hub. */
export type Effect =
  | { readonly does: 'send'; readonly to: Session; readonly frame: string | Buffer }
  | { readonly does: 'close'; readonly to: Session; readonly code: number; readonly reason: string }

/** A payload; binary and protobuf data are base64 text. */
export interface Payload {
  readonly dataType: 'json' | 'text' | 'binary' | 'protobuf'
  readonly data?: unknown
}

const NORMAL_CLOSURE = 1000
/** Tells a client that its session is gone and cannot be recovered. */
export const POLICY_VIOLATION = 1008

const ackId = z.int().nonnegative().optional()
const group = z.string().min(1).max(1024)
const payload = {
  dataType: z.enum(['json', 'text', 'binary', 'protobuf']).default('json'),
  data: z.unknown(),
}
const requestShape = z.discriminatedUnion('type', [
  z.object({ type: z.literal('joinGroup'), group, ackId }),
  z.object({ type: z.literal('leaveGroup'), group, ackId }),
  z.object({
    type: z.literal('sendToGroup'),
    group,
    ackId,
    noEcho: z.boolean().default(false),
    ...payload,
  }),
  z.object({ type: z.literal('event'), event: z.string().min(1), ackId, ...payload }),
  z.object({ type: z.literal('sequenceAck'), sequenceId: z.coerce.number().int().nonnegative() }),
  z.object({ type: z.literal('ping') }),
])
export type ClientRequest = z.infer<typeof requestShape>

/** Reads a client's frame; `undefined` when it is not one of the subprotocol. */
export function parseRequest(frame: string): ClientRequest | undefined {
  return requestShape.safeParse(parseJson(frame)).data
}

/** The first frame of a session, and again after each recovery. */
export function greeting({ id, userId, protocol, reconnectionToken }: Session): string {
  const recovery = protocol === RELIABLE_PROTOCOL ? { reconnectionToken } : {}
  return JSON.stringify({
    type: 'system',
    event: 'connected',
    userId,
    connectionId: id,
    ...recovery,
  })
}

export interface Publication {
  readonly to: readonly Session[]
  readonly payload: Payload
  /** Absent for what the server sends to users and connections. */
  readonly group?: string | undefined
  readonly fromUserId?: string | undefined
  /** When a message that nobody acknowledged stops being replayed; never when absent. */
  readonly expiresAtMs?: number | undefined
}

/** Sends one message to each of the sessions, in the words of its subprotocol. */
export function publish(hub: Hub<Session>, publication: Publication): readonly Effect[] {
  const { to, payload, group, fromUserId, expiresAtMs = Infinity } = publication
  const { dataType, data } = payload
  const origin = group === undefined ? { from: 'server' } : { from: 'group', fromUserId, group }
  const message = { type: 'message', ...origin, dataType, data }
  return to.flatMap((session): readonly Effect[] => {
    if (session.protocol === 'simple') return [send(session, bare(payload))]
    if (session.protocol !== RELIABLE_PROTOCOL) return [send(session, JSON.stringify(message))]
    const frame = remember(session, message, expiresAtMs)
    if (frame !== undefined) return [send(session, frame)]
    leave(hub, session)
    const reason = 'the client has left too many messages unacknowledged'
    return [{ does: 'close', to: session, code: POLICY_VIOLATION, reason }]
  })
}

/** Ends sessions from the service's side: a last frame that says why, then a normal close. */
export function expel(
  hub: Hub<Session>,
  sessions: readonly Session[],
  reason: string,
): readonly Effect[] {
  return sessions.flatMap((session): readonly Effect[] => {
    leave(hub, session)
    const close = { does: 'close', to: session, code: NORMAL_CLOSURE, reason } as const
    if (session.protocol === 'simple') return [close]
    const farewell = { type: 'system', event: 'disconnected', message: reason }
    return [send(session, JSON.stringify(farewell)), close]
  })
}

/**
 * What a client's request does. An event is acknowledged and goes nowhere, as in a hub whose only listener is an event
 * listener: there is no upstream here.
 */
export function receive(
  hub: Hub<Session>,
  session: Session,
  request: ClientRequest,
): readonly Effect[] {
  if (request.type === 'ping') return [send(session, '{"type":"pong"}')]
  if (request.type === 'sequenceAck') {
    acknowledge(session, request.sequenceId)
    return []
  }
  if (isRepeated(session, request.ackId)) {
    const message = `Message with ack-id: ${request.ackId} has been processed`
    return answer(session, request.ackId, { name: 'Duplicate', message })
  }
  if (request.type === 'event') return answer(session, request.ackId)
  const ability: Ability = request.type === 'sendToGroup' ? 'sendToGroup' : 'joinLeaveGroup'
  if (!may(session, ability, request.group)) {
    const message = `The client does not have permission to ${request.type} '${request.group}'.`
    return answer(session, request.ackId, { name: 'Forbidden', message })
  }
  const effects = act(hub, session, request)
  return [...effects, ...answer(session, request.ackId)]
}

type GroupRequest = Extract<ClientRequest, { readonly group: string }>

function act(hub: Hub<Session>, session: Session, request: GroupRequest): readonly Effect[] {
  switch (request.type) {
    case 'joinGroup':
      session.groups.add(request.group)
      return []
    case 'leaveGroup':
      session.groups.delete(request.group)
      return []
    case 'sendToGroup': {
      const members = audience(hub, { group: request.group })
      const to = request.noEcho ? members.filter((member) => member !== session) : members
      const { group, dataType, data } = request
      return publish(hub, { to, payload: { dataType, data }, group, fromUserId: session.userId })
    }
  }
}

interface AckError {
  readonly name: 'Duplicate' | 'Forbidden'
  readonly message: string
}

function answer(session: Session, ackId: number | undefined, error?: AckError): readonly Effect[] {
  if (ackId === undefined) return []
  if (!error) rememberAck(session, ackId)
  const ack = { type: 'ack', ackId, success: !error, ...(error ? { error } : {}) }
  return [send(session, JSON.stringify(ack))]
}

function send(to: Session, frame: string | Buffer): Effect {
  return { does: 'send', to, frame }
}

/** What a simple client gets: the payload itself. */
function bare({ dataType, data }: Payload): string | Buffer {
  if (dataType === 'json') return JSON.stringify(data) ?? 'null'
  return dataType === 'text' ? String(data) : Buffer.from(String(data), 'base64')
}
