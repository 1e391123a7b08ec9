import type { Delivery, EventContext, Sender } from 'rhea'
import type { Channel } from '../broker.ts'
import { elements, string, text, valueEnd } from '../codec/bytes.ts'
import { withApplicationProperties, type Content } from '../codec/message.ts'
import { tokenFromTag } from '../codec/tokens.ts'
import { isNull, isTrue, readMap } from '../codec/values.ts'
import { settle, type Outcome } from '../queue/queue.ts'
import {
  CONDITIONS,
  MESSAGE_LOCK_LOST,
  refusal,
  SESSION_LOCK_LOST,
  type Refusal,
} from './conditions.ts'
import type { ServerContext } from './context.ts'
import { accepted, finish, modified, outcomeField, rejected, released } from './rhea-internals.ts'

interface Verdict {
  readonly outcome: Outcome<Content>
  /** The state of the answer: of the same kind as the client's, which some clients insist on. */
  readonly answer: () => unknown
}

/** What each AMQP outcome means to Service Bus. */
const VERDICTS: Readonly<Record<string, (delivery: Delivery) => Verdict>> = {
  accepted: () => ({ outcome: { kind: 'complete' }, answer: accepted }),
  released: () => ({ outcome: { kind: 'release' }, answer: released }),
  modified: (delivery) => {
    const undeliverableHere = isTrue(outcomeField(delivery, 1))
    const kind = undeliverableHere ? 'defer' : 'abandon'
    const amend = amendment(readMap(outcomeField(delivery, 2)))
    return { outcome: { kind, amend }, answer: () => modified(undeliverableHere) }
  },
  rejected: (delivery) => ({
    outcome: { kind: 'dead-letter', amend: amendment(deadLetterProperties(delivery)) },
    answer: () => rejected(),
  }),
}

/** Settles what the client says about deliveries on this link. */
export function openSettlement(context: ServerContext, sender: Sender, channel: Channel): void {
  for (const [event, verdictOf] of Object.entries(VERDICTS)) {
    sender.on(event, ({ delivery }: EventContext) => {
      if (!delivery || delivery.settled) return
      const { outcome, answer } = verdictOf(delivery)
      context.calls.enter({
        operation: `${outcome.kind} ${channel.path}`,
        connection: sender.connection,
        refuse: (error) => finish(delivery, rejected(error)),
        work: () => {
          const token = tokenFromTag(Buffer.from(delivery.tag))
          const refused = settleDelivery(context, channel, { token, outcome })
          return () => finish(delivery, refused ? rejected(refused) : answer())
        },
      })
    })
  }
}

export function settleDelivery(
  context: ServerContext,
  channel: Channel,
  delivery: { readonly token: string; readonly outcome: Outcome<Content> },
): Refusal | undefined {
  const result = context.broker.perform(channel, (queue, now) => settle(queue, delivery, now))
  switch (result) {
    case 'settled':
      return undefined
    case 'lock-lost':
      return channel.queue.rules.requiresSession ? SESSION_LOCK_LOST : MESSAGE_LOCK_LOST
    case 'not-allowed':
      return refusal(
        CONDITIONS.notAllowed,
        'A message cannot be dead-lettered from a dead-letter queue.',
      )
    default:
      return result satisfies never
  }
}

/** "Properties to modify" travel as annotations and become application properties. */
export function amendment(properties: ReadonlyMap<string, Buffer>): (content: Content) => Content {
  return (content) => withApplicationProperties(content, properties)
}

/** The info map of the error holds reason, description and further properties; any other error is told as it is. */
function deadLetterProperties(delivery: Delivery): ReadonlyMap<string, Buffer> {
  const encoded = outcomeField(delivery, 0)
  const error = encoded && !isNull(encoded) ? elements(encoded, valueEnd(encoded, 1)) : []
  const [condition, description, info] = error
  const given = [...readMap(info)].filter(([, value]) => !isNull(value))
  if (text(condition) === 'com.microsoft:dead-letter' || given.length > 0) return new Map(given)
  return new Map(
    Object.entries({
      DeadLetterReason: condition,
      DeadLetterErrorDescription: description,
    }).flatMap(([name, value]) => {
      const told = text(value)
      return told === undefined ? [] : [[name, string(told)]]
    }),
  )
}
