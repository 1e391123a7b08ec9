import rhea, {
  type AmqpError,
  type Connection,
  type Delivery,
  type link as Link,
  type Sender,
  type Session,
} from 'rhea'

/**
 * Everything that needs more of rhea 3.0.5 than it publishes, each with its reason. The shapes below are those of its
 * sources; `as unknown as` is here the parse boundary
 * between its typings and its sources.
 */

interface Encoded {
  readonly value: unknown
}

interface Socket {
  once(event: 'close', listener: () => void): void
  destroy(): void
}

/** rhea decodes messages of format 0 and loses sections and types; under this format it hands over the bytes. */
const UNDECODED_FORMAT = 0x7fff_ffff

export function receiveUndecoded(session: Session): void {
  const internal = session as unknown as {
    on_transfer(frame: { performative: { message_format: number | null } }): void
  }
  const original = internal.on_transfer.bind(session)
  internal.on_transfer = (frame) => {
    const { performative } = frame
    performative.message_format ||= UNDECODED_FORMAT
    original(frame)
  }
}

interface LinkInternals {
  readonly state: { local_open: boolean; open_requests: number }
  readonly local: {
    readonly attach: {
      snd_settle_mode: number
      rcv_settle_mode: number
      max_message_size: number
      source: unknown
      target: unknown
      properties: Readonly<Record<string, unknown>>
    }
  }
  issue_flow: boolean
  credit: number
  delivery_count: number
  _draining: boolean
  _get_drain(): boolean
}

/** Fields of our attach frame. rhea writes it on the next tick after the open event, so a handler can still set them. */
export function setAttach(
  link: Link,
  fields: Partial<Omit<LinkInternals['local']['attach'], 'source' | 'target'>>,
): void {
  Object.assign((link as unknown as LinkInternals).local.attach, fields)
}

/** A refused link says so by a null source and target, followed by the error (AMQP 1.0 part 2, 2.6.3). */
export function clearTermini(link: Link): void {
  const { attach } = (link as unknown as LinkInternals).local
  attach.source = undefined
  attach.target = undefined
}

/** Takes back the answer that rhea has prepared for an attach; `link.open()` gives it later. */
export function holdAttach(link: Link): void {
  const { state } = link as unknown as LinkInternals
  state.local_open = false
  state.open_requests = 0
}

/** The credit that is left when `sent` deliveries were handed to rhea: it counts one only once it is on the wire. */
export function creditLeft(sender: Sender, sent: number): number {
  const { credit, delivery_count } = sender as unknown as LinkInternals
  return credit - (sent - delivery_count)
}

export function isDraining(sender: Sender): boolean {
  return (sender as unknown as LinkInternals)._draining
}

/**
 * Answers a drain. rhea answers none when the credit is used up already, and then the SDK closes its link. Called when
 * all deliveries are handed over; returns the count that stands for them and for the credit that was given back.
 */
export function answerDrain(sender: Sender, sent: number): number {
  const internal = sender as unknown as LinkInternals
  const drained = sent + Math.max(0, creditLeft(sender, sent))
  internal._get_drain = () => {
    internal._get_drain = () => false
    internal.delivery_count = drained
    internal.credit = 0
    internal._draining = false
    return true
  }
  internal.issue_flow = true
  const connection = sender.connection as unknown as { _register(): void }
  connection._register()
  return drained
}

interface OutgoingDelivery {
  readonly tag: Buffer
  settled: boolean
  remote_settled: boolean
}

interface OutgoingDeliveries {
  available(): number
  get_head(): OutgoingDelivery | undefined
  pop_if(isDone: (delivery: OutgoingDelivery) => boolean): number
}

/**
 * Room for deliveries that the client has not settled. They leave rhea's buffer in order only, so a single one that is
 * never settled would stop the link at last; those at the front that `isOver` knows to be over are dropped for room.
 */
export function makeRoom(sender: Sender, isOver: (tag: Buffer) => boolean): boolean {
  const { deliveries } = (
    sender.session as unknown as { outgoing: { deliveries: OutgoingDeliveries } }
  ).outgoing
  if (deliveries.available() > ROOM_TO_KEEP) return true
  deliveries.pop_if(
    ({ settled, remote_settled, tag }) => (settled && remote_settled) || isOver(tag),
  )
  return deliveries.available() > 0
}

const ROOM_TO_KEEP = 1024

/** The client never settles after our settlement, which rhea would wait for before it forgets the delivery. */
export function finish(delivery: Delivery, state: unknown): void {
  const internal = delivery as unknown as OutgoingDelivery
  delivery.update(true, state)
  internal.remote_settled = true
}

/** Field of the outcome that a client sent, encoded; rhea's own reading of it drops the types of map values. */
export function outcomeField(delivery: Delivery, index: number): Buffer | undefined {
  const state = delivery.remote_state as unknown as
    | { readonly value?: readonly (Encoded | undefined)[] }
    | undefined
  const field = state?.value?.[index]
  if (field === undefined || field === null) return undefined
  const { Writer } = rhea.types as unknown as {
    Writer: new () => { write(o: Encoded): void; toBuffer(): Buffer }
  }
  const writer = new Writer()
  writer.write(field)
  return writer.toBuffer()
}

/** rhea watches only `end` and `error` of its socket; a destroyed one would leave its timers and links behind. */
export function onSocketClosed(connection: Connection, listener: () => void): void {
  const internal = connection as unknown as { readonly socket: Socket; _disconnected(): void }
  internal.socket.once('close', () => {
    internal._disconnected()
    listener()
  })
}

export function destroySocket(connection: Connection): void {
  ;(connection as unknown as { readonly socket: Socket }).socket.destroy()
}

interface Outcome {
  described(): unknown
}

interface Outcomes {
  accepted(): Outcome
  released(): Outcome
  rejected(fields: { readonly error: unknown }): Outcome
  modified(fields: { readonly undeliverable_here: boolean }): Outcome
}

/** The outcomes that a server answers with; rhea builds them, but its typings leave them out. */
const outcomes = rhea.message as unknown as Outcomes

export const accepted = (): unknown => outcomes.accepted().described()
export const released = (): unknown => outcomes.released().described()
export const rejected = (error?: AmqpError): unknown => outcomes.rejected({ error }).described()
export const modified = (undeliverableHere: boolean): unknown =>
  outcomes.modified({ undeliverable_here: undeliverableHere }).described()
