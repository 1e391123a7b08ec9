import { randomUUID } from 'node:crypto'
import type { Sender } from 'rhea'
import type { Broker, Channel, ChannelObserver } from '../broker.ts'
import { tagFromToken, tokenFromTag } from '../codec/tokens.ts'
import { encodeMessage, type Content } from '../codec/message.ts'
import { take, type Handover, type ReceiveMode } from '../queue/queue.ts'
import type { Entry, QueueState, Session } from '../queue/state.ts'
import { entityNotFound, SESSION_LOCK_LOST, type Refusal } from './conditions.ts'
import { answerDrain, creditLeft, isDraining, makeRoom } from './rhea-internals.ts'

/** A link on which a client receives. */
export interface Consumer {
  readonly sender: Sender
  readonly mode: ReceiveMode
  readonly session: Session | undefined
  /** Deliveries handed to rhea and credit given back: the count at which the link stands once all is written. */
  sent: number
}

/** A client that waits for the next free session. True when it has got one. */
export type Waiter = (queue: QueueState<Content>, now: number) => boolean

/** Hands messages of one channel to its consumers in turn. */
export interface Pump extends ChannelObserver {
  add(consumer: Consumer): void
  remove(consumer: Consumer): void
  wait(waiter: Waiter): void
  stopWaiting(waiter: Waiter): void
}

/** Messages handed out before other work gets its turn. */
const BURST = 500

/** A settlement that crosses the end of its link would never be answered, and the SDK would wait for a minute. */
const SETTLEMENT_GRACE_MS = 50

export function createPump(broker: Broker, channel: Channel): Pump {
  const consumers = new Set<Consumer>()
  const waiters = new Set<Waiter>()
  let state: 'idle' | 'scheduled' | 'running' = 'idle'

  const wake = () => {
    if (state !== 'idle' || consumers.size + waiters.size === 0) return
    state = 'scheduled'
    setImmediate(run)
  }

  const run = () => {
    state = 'running'
    const isMore = broker.perform(channel, (queue, now) => {
      for (const waiter of waiters) if (waiter(queue, now)) waiters.delete(waiter)
      return deliver(queue, now)
    })
    for (const consumer of consumers) drain(consumer)
    state = 'idle'
    if (isMore) wake()
  }

  /** True when the burst ended before the messages did. */
  const deliver = (queue: QueueState<Content>, now: number): boolean => {
    let busy = [...consumers].filter((consumer) => isReady(consumer, queue))
    for (let handed = 0; busy.length > 0 && handed < BURST; handed += busy.length) {
      busy = busy.filter((consumer) => handNext(consumer, queue, now) && isReady(consumer, queue))
    }
    return busy.length > 0
  }

  const close = (consumer: Consumer, error: Refusal) => {
    consumers.delete(consumer)
    consumer.sender.close(error)
  }

  const closeSoon = (consumer: Consumer, error: Refusal) => {
    consumers.delete(consumer)
    setTimeout(() => consumer.sender.close(error), SETTLEMENT_GRACE_MS).unref()
  }

  return {
    changed: wake,
    add(consumer) {
      consumers.add(consumer)
      wake()
    },
    remove: (consumer) => void consumers.delete(consumer),
    wait(waiter) {
      waiters.add(waiter)
      wake()
    },
    stopWaiting: (waiter) => void waiters.delete(waiter),
    sessionLost(sessionId, holder) {
      for (const consumer of consumers) {
        const lost = consumer.session?.id === sessionId && consumer.sender.name === holder
        if (lost) closeSoon(consumer, SESSION_LOCK_LOST)
      }
    },
    closed() {
      for (const consumer of consumers) {
        close(consumer, entityNotFound(consumer.sender.connection.hostname, channel.path))
      }
    },
  }
}

function isReady({ sender, sent }: Consumer, queue: QueueState<Content>): boolean {
  if (!sender.is_open() || creditLeft(sender, sent) <= 0) return false
  return makeRoom(sender, (tag) => !queue.locks.has(tokenFromTag(tag)))
}

function handNext(consumer: Consumer, queue: QueueState<Content>, now: number): boolean {
  const { sender, mode, session } = consumer
  const handover = take(queue, { mode, ...(session ? { session } : {}) }, now)
  if (!handover) return false
  const tag = tagFromToken(handover.lock?.token ?? randomUUID())
  sender.send(encodeHandover(handover), tag, 0)
  consumer.sent += 1
  return true
}

/** The SDK closes a link whose drain stays unanswered, so it is answered even when there was nothing to give back. */
function drain(consumer: Consumer): void {
  if (!consumer.sender.is_open() || !isDraining(consumer.sender)) return
  consumer.sent = answerDrain(consumer.sender, consumer.sent)
}

/** A message as its receiver sees it: one that had been scheduled still says so when it is received. */
export function encodeHandover({ entry, lock }: Handover<Content>): Buffer {
  const state = entry.state === 'deferred' ? 1 : entry.wasScheduled ? 2 : 0
  return encodeMessage(entry.content, { ...entry, lockedUntilMs: lock?.untilMs, state })
}

const PEEKED_STATES = { active: 0, deferred: 1, scheduled: 2 } as const

/** A message as one who only looks sees it. */
export function encodePeeked(entry: Entry<Content>): Buffer {
  return encodeMessage(entry.content, { ...entry, state: PEEKED_STATES[entry.state] })
}
