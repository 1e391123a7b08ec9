import type { Channel } from '../broker.ts'
import { integer, long, text, timestamp, uint } from '../codec/bytes.ts'
import { withDeadLetterReason, type Content } from '../codec/message.ts'
import type { Reply, Request } from '../codec/request.ts'
import { tokenFromUuid, uuidFromToken } from '../codec/tokens.ts'
import * as values from '../codec/values.ts'
import { cancelScheduled, peek, renewLock, takeDeferred, type Outcome } from '../queue/queue.ts'
import { extend, heldSession, listSessions, setSessionState } from '../queue/sessions.ts'
import type { Session } from '../queue/state.ts'
import { CONDITIONS, MESSAGE_LOCK_LOST, refusal, SESSION_LOCK_LOST, failed } from './conditions.ts'
import type { ServerContext } from './context.ts'
import { checkSize, store, toSubmission } from './ingest.ts'
import { encodeHandover, encodePeeked } from './pump.ts'
import { amendment, settleDelivery } from './settlement.ts'

export interface ManagementCall {
  readonly context: ServerContext
  readonly channel: Channel
  readonly request: Request
}

type Operation = (call: ManagementCall, body: ReadonlyMap<string, Buffer>) => Reply

/** The operations of `<entity>/$management` (Azure, "AMQP request/response-based operations"). */
const OPERATIONS: Readonly<Record<string, Operation>> = {
  'com.microsoft:peek-message': peekMessages,
  'com.microsoft:renew-lock': renewLocks,
  'com.microsoft:schedule-message': schedule,
  'com.microsoft:cancel-scheduled-message': cancel,
  'com.microsoft:receive-by-sequence-number': receiveDeferred,
  'com.microsoft:update-disposition': updateDisposition,
  'com.microsoft:renew-session-lock': renewSession,
  'com.microsoft:set-session-state': setState,
  'com.microsoft:get-session-state': getState,
  'com.microsoft:get-message-sessions': getSessions,
}

export function manage(call: ManagementCall): Reply {
  const operation = OPERATIONS[call.request.operation]
  if (operation) return operation(call, values.readMap(call.request.body))
  return failed(refusal(CONDITIONS.argument, `No operation is called '${call.request.operation}'.`))
}

const OK: Reply = { status: 200 }
const NOTHING: Reply = { status: 204, description: 'No content' }

const MESSAGE_NOT_FOUND = refusal(
  CONDITIONS.messageNotFound,
  'A message with that sequence number is not in the queue in the state asked for.',
)

function peekMessages(
  { context, channel }: ManagementCall,
  body: ReadonlyMap<string, Buffer>,
): Reply {
  const sessionId = text(body.get('session-id'))
  const range = {
    from: integer(body.get('from-sequence-number')) ?? 0,
    count: integer(body.get('message-count')) ?? 1,
    ...(sessionId === undefined ? {} : { sessionId }),
  }
  const entries = context.broker.perform(channel, (queue, now) => peek(queue, range, now))
  if (entries.length === 0) return NOTHING
  const messages = entries.map((entry) =>
    values.map({ message: values.binary(encodePeeked(entry)) }),
  )
  return { status: 200, body: values.map({ messages: values.list(messages) }) }
}

function renewLocks(
  { context, channel }: ManagementCall,
  body: ReadonlyMap<string, Buffer>,
): Reply {
  const expirations = tokensIn(body).map((token) =>
    context.broker.perform(channel, (queue, now) => renewLock(queue, token, now)),
  )
  const renewed = expirations.filter((until) => until !== undefined)
  if (renewed.length < expirations.length) return failed(MESSAGE_LOCK_LOST)
  const array = values.array(0x83, renewed.map(timestamp))
  return { status: 200, body: values.map({ expirations: array }) }
}

function schedule({ context, channel }: ManagementCall, body: ReadonlyMap<string, Buffer>): Reply {
  const encoded = values
    .readSequence(body.get('messages'))
    .map((item) => values.readBinary(values.readMap(item).get('message')) ?? Buffer.alloc(0))
  for (const bytes of encoded) {
    const tooLarge = checkSize(context.maxMessageBytes, bytes)
    if (tooLarge) return failed(tooLarge)
  }
  const stored = store(context.broker, channel, encoded.map(toSubmission))
  if ('condition' in stored) return failed(stored)
  const array = values.array(0x81, stored.map(long))
  return { status: 200, body: values.map({ 'sequence-numbers': array }) }
}

function cancel({ context, channel }: ManagementCall, body: ReadonlyMap<string, Buffer>): Reply {
  const numbers = sequenceNumbersIn(body)
  const done = context.broker.perform(channel, (queue, now) => cancelScheduled(queue, numbers, now))
  return done ? OK : failed(MESSAGE_NOT_FOUND)
}

function receiveDeferred(call: ManagementCall, body: ReadonlyMap<string, Buffer>): Reply {
  const { context, channel } = call
  const session = sessionFor(call, body)
  if (channel.queue.rules.requiresSession && !session) return failed(SESSION_LOCK_LOST)
  const mode = integer(body.get('receiver-settle-mode')) === 0 ? 'receive-and-delete' : 'peek-lock'
  const sequenceNumbers = sequenceNumbersIn(body)
  const handovers = context.broker.perform(channel, (queue, now) =>
    takeDeferred(queue, { sequenceNumbers, mode, ...(session ? { session } : {}) }, now),
  )
  if (!handovers) return failed(MESSAGE_NOT_FOUND)
  const messages = handovers.map((handover) =>
    values.map({
      message: values.binary(encodeHandover(handover)),
      ...(handover.lock && { 'lock-token': values.uuid(uuidFromToken(handover.lock.token)) }),
    }),
  )
  return { status: 200, body: values.map({ messages: values.list(messages) }) }
}

/** Dispositions by the name that the protocol gives them; `defered` is its spelling. */
const DISPOSITIONS: Readonly<Record<string, 'complete' | 'abandon' | 'defer' | 'dead-letter'>> = {
  completed: 'complete',
  abandoned: 'abandon',
  defered: 'defer',
  suspended: 'dead-letter',
}

function updateDisposition(call: ManagementCall, body: ReadonlyMap<string, Buffer>): Reply {
  const kind = DISPOSITIONS[text(body.get('disposition-status')) ?? '']
  if (!kind) return failed(refusal(CONDITIONS.argument, 'The disposition status is unknown.'))
  const amend = amendment(values.readMap(body.get('properties-to-modify')))
  const reason = text(body.get('deadletter-reason'))
  const description = text(body.get('deadletter-description'))
  const outcome: Outcome<Content> =
    kind === 'dead-letter'
      ? { kind, amend: (content) => withDeadLetterReason(amend(content), reason, description) }
      : { kind, amend }
  for (const token of tokensIn(body)) {
    const error = settleDelivery(call.context, call.channel, { token, outcome })
    if (error) return failed(error)
  }
  return OK
}

function renewSession(call: ManagementCall, body: ReadonlyMap<string, Buffer>): Reply {
  const session = sessionFor(call, body)
  if (!session) return failed(SESSION_LOCK_LOST)
  const untilMs = call.context.broker.perform(call.channel, (queue, now) =>
    extend(queue, session, now),
  )
  return { status: 200, body: values.map({ expiration: timestamp(untilMs) }) }
}

function setState(call: ManagementCall, body: ReadonlyMap<string, Buffer>): Reply {
  const session = sessionFor(call, body)
  if (!session) return failed(SESSION_LOCK_LOST)
  const bytes = values.readBinary(body.get('session-state'))
  const state = bytes && Buffer.from(bytes)
  call.context.broker.perform(call.channel, (queue, now) =>
    setSessionState(queue, session, { state, now }),
  )
  return OK
}

function getState(call: ManagementCall, body: ReadonlyMap<string, Buffer>): Reply {
  const session = sessionFor(call, body)
  if (!session) return failed(SESSION_LOCK_LOST)
  const state = session.state ? values.binary(session.state) : Buffer.from([0x40])
  return { status: 200, body: values.map({ 'session-state': state }) }
}

function getSessions(
  { context, channel }: ManagementCall,
  body: ReadonlyMap<string, Buffer>,
): Reply {
  const skip = integer(body.get('skip')) ?? 0
  const page = {
    sinceMs: integer(body.get('last-updated-time')) ?? 0,
    skip,
    top: integer(body.get('top')) ?? 100,
  }
  const ids = context.broker.perform(channel, (queue) => listSessions(queue, page))
  if (ids.length === 0) return NOTHING
  const texts = values.array(0xb1, ids.map(wideString))
  return { status: 200, body: values.map({ skip: uint(skip + ids.length), 'sessions-ids': texts }) }
}

/** The session named in the body, if it is locked: by the link named in the request, where one is named. */
function sessionFor(
  { context, channel, request }: ManagementCall,
  body: ReadonlyMap<string, Buffer>,
): Session | undefined {
  const id = text(body.get('session-id'))
  if (id === undefined || !channel.queue.rules.requiresSession) return undefined
  const holder = text(request.properties.get('associated-link-name'))
  return context.broker.perform(channel, (queue, now) => heldSession(queue, { id, holder }, now))
}

function tokensIn(body: ReadonlyMap<string, Buffer>): string[] {
  return values.readSequence(body.get('lock-tokens')).flatMap((item) => {
    const bytes = values.readUuid(item)
    return bytes ? [tokenFromUuid(bytes)] : []
  })
}

function sequenceNumbersIn(body: ReadonlyMap<string, Buffer>): number[] {
  return values.readSequence(body.get('sequence-numbers')).flatMap((item) => integer(item) ?? [])
}

/** Items of an array share one format code, so that all take the long form of a string. */
function wideString(value: string): Buffer {
  const content = values.binary(Buffer.from(value))
  content[0] = 0xb1
  return content
}
