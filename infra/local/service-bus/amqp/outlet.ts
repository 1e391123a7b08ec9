import rhea, { type Sender, type Typed } from 'rhea'
import type { Channel } from '../broker.ts'
import { ticks } from '../codec/tokens.ts'
import { acceptSession, releaseSession } from '../queue/sessions.ts'
import type { Session } from '../queue/state.ts'
import { CONDITIONS, refusal } from './conditions.ts'
import { refuseLink, type ServerContext } from './context.ts'
import type { Consumer, Waiter } from './pump.ts'
import { setAttach } from './rhea-internals.ts'
import { openSettlement } from './settlement.ts'

const SESSION_FILTER = 'com.microsoft:session-filter'
const TIMEOUT = 'com.microsoft:timeout'
const LOCKED_UNTIL = 'com.microsoft:locked-until-utc'

/** How long a client waits for the next session when it does not say. */
const DEFAULT_ACCEPT_TIMEOUT_MS = 60_000

/** A link on which a client wants to receive. */
interface Wanted {
  readonly sender: Sender
  readonly channel: Channel
}

/** Gives messages to a link on which a client receives, in a session if it asks for one. */
export function openOutlet(context: ServerContext, wanted: Wanted): void {
  const { sender, channel } = wanted
  const wish = sessionWish(sender)
  const { requiresSession } = channel.queue.rules
  if (requiresSession !== (wish !== undefined)) {
    const need = requiresSession ? 'requires' : 'does not support'
    return refuseLink(
      sender,
      refusal(CONDITIONS.notAllowed, `The entity '${channel.path}' ${need} sessions.`),
    )
  }
  if (!wish) return start(context, wanted, undefined)
  if (wish.id === undefined) return waitForNext(context, wanted)
  const session = context.broker.perform(channel, (queue, now) =>
    acceptSession(queue, { id: wish.id, holder: sender.name }, now),
  )
  if (session) return start(context, wanted, session)
  return refuseLink(
    sender,
    refusal(
      CONDITIONS.sessionCannotBeLocked,
      `The requested session '${wish.id}' cannot be accepted. It may be locked by another receiver.`,
    ),
  )
}

/** Holds the answer back until a session has a message or the client's time is over. */
function waitForNext(context: ServerContext, wanted: Wanted): void {
  const { sender, channel } = wanted
  const { clock } = context.broker
  const pump = context.pump(channel)
  const asked: unknown = sender.properties?.[TIMEOUT]
  const timeoutMs = typeof asked === 'number' ? asked : DEFAULT_ACCEPT_TIMEOUT_MS
  const stop = () => {
    disarm()
    pump.stopWaiting(waiter)
    closers.delete(stop)
  }
  const waiter: Waiter = (queue, now) => {
    const session = acceptSession(queue, { id: undefined, holder: sender.name }, now)
    if (!session) return false
    stop()
    start(context, wanted, session)
    return true
  }
  const disarm = clock.at(clock.now() + timeoutMs, () => {
    stop()
    refuseLink(sender, refusal(CONDITIONS.timeout, 'No session became available in time.'))
  })
  const { closers } = context.client(sender.connection)
  closers.add(stop)
  onGone(sender, stop)
  pump.wait(waiter)
}

function start(context: ServerContext, wanted: Wanted, session: Session | undefined): void {
  const { sender, channel } = wanted
  answerAttach(sender, session)
  sender.open()
  const mode = sender.snd_settle_mode === 1 ? 'receive-and-delete' : 'peek-lock'
  const consumer: Consumer = { sender, mode, session, sent: 0 }
  const pump = context.pump(channel)
  const { closers } = context.client(sender.connection)
  const stop = () => {
    closers.delete(stop)
    pump.remove(consumer)
    if (!session) return
    const who = { id: session.id, holder: sender.name }
    context.broker.perform(channel, (queue, now) => releaseSession(queue, who, now))
  }
  closers.add(stop)
  onGone(sender, stop)
  sender.on('sender_flow', () => pump.changed())
  openSettlement(context, sender, channel)
  pump.add(consumer)
}

/** A client may end the AMQP session without detaching its links. */
function onGone(sender: Sender, stop: () => void): void {
  sender.once('sender_close', stop)
  sender.session.once('session_close', stop)
}

function answerAttach(sender: Sender, session: Session | undefined): void {
  setAttach(sender, {
    snd_settle_mode: sender.snd_settle_mode,
    rcv_settle_mode: sender.rcv_settle_mode,
  })
  const { address } = sender.source
  if (!session) return sender.set_source({ address })
  sender.set_source({ address, filter: { [SESSION_FILTER]: session.id } })
  setAttach(sender, {
    properties: { [LOCKED_UNTIL]: rhea.types.wrap_long(ticks(session.untilMs)) },
  })
}

/** The session that the link asks for; an undefined id means the next free one. */
function sessionWish({ source }: Sender): { readonly id: string | undefined } | undefined {
  const filter: Readonly<Record<string, unknown>> = source.filter ?? {}
  if (!(SESSION_FILTER in filter)) return undefined
  const value = filter[SESSION_FILTER]
  const id = isTyped(value) ? value.value : value
  return { id: typeof id === 'string' ? id : undefined }
}

/** Some clients describe the filter's value, and rhea leaves described values wrapped. */
function isTyped(value: unknown): value is Typed & { readonly value: unknown } {
  return typeof value === 'object' && value !== null && 'descriptor' in value && 'value' in value
}
