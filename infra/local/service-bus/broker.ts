import { randomUUID } from 'node:crypto'
import type { Disarm, VirtualClock } from '../clock.ts'
import { withDeadLetterReason, withDeadLetterSource, type Content } from './codec/message.ts'
import { deadLetterRulesOf, rulesOf, type QueueDeclaration } from './declaration.ts'
import { nextDeadline, tick } from './queue/lifecycle.ts'
import { submit } from './queue/queue.ts'
import { createQueue, type Effect, type QueueState } from './queue/state.ts'

/** One place that messages wait in: a queue or its dead-letter queue. */
export interface Channel {
  readonly path: string
  readonly entity: Entity
  readonly queue: QueueState<Content>
  /** Who hands the messages on; set while there is anybody. */
  observer: ChannelObserver | undefined
  timer: { readonly atMs: number; readonly disarm: Disarm } | undefined
}

export interface ChannelObserver {
  /** There may be a message, a session or room that was not there before. */
  changed(): void
  sessionLost(sessionId: string, holder: string): void
  /** The entity was deleted. */
  closed(): void
}

/** A queue of the namespace with its dead-letter queue. Instants in milliseconds since the epoch. */
export interface Entity {
  declaration: QueueDeclaration
  readonly main: Channel
  readonly dead: Channel
  readonly createdMs: number
  updatedMs: number
  deleted: boolean
}

const DEAD_LETTER_SUFFIX = '/$deadletterqueue'

/** The namespace: its queues, the way of dead letters between them, and one timer for each. */
export class Broker implements Disposable {
  readonly clock: VirtualClock
  readonly #sizeQuotaBytes: number
  readonly #entities = new Map<string, Entity>()

  constructor(options: { readonly clock: VirtualClock; readonly sizeQuotaBytes: number }) {
    this.clock = options.clock
    this.#sizeQuotaBytes = options.sizeQuotaBytes
  }

  /** Adds a queue; undefined when there is one of that name. */
  create(declaration: QueueDeclaration): Entity | undefined {
    const key = declaration.name.toLowerCase()
    if (this.#entities.has(key)) return undefined
    const entity = createEntity(declaration, this.#sizeQuotaBytes, this.clock.now())
    this.#entities.set(key, entity)
    return entity
  }

  /** Changes the rules of a queue; messages inside keep the deadlines that they have. */
  update(entity: Entity, declaration: QueueDeclaration): void {
    entity.declaration = declaration
    entity.updatedMs = this.clock.now()
    entity.main.queue.rules = rulesOf(declaration, this.#sizeQuotaBytes)
    entity.dead.queue.rules = deadLetterRulesOf(entity.main.queue.rules)
  }

  delete(entity: Entity): void {
    this.#entities.delete(entity.declaration.name.toLowerCase())
    entity.deleted = true
    for (const channel of [entity.main, entity.dead]) {
      channel.timer?.disarm()
      channel.observer?.closed()
    }
  }

  entities(): readonly Entity[] {
    return [...this.#entities.values()]
  }

  find(name: string): Entity | undefined {
    return this.#entities.get(name.toLowerCase())
  }

  /** `name` or `name/$DeadLetterQueue`, in any case; never creates anything. */
  channel(path: string): Channel | undefined {
    const key = path.toLowerCase()
    if (!key.endsWith(DEAD_LETTER_SUFFIX)) return this.#entities.get(key)?.main
    return this.#entities.get(key.slice(0, -DEAD_LETTER_SUFFIX.length))?.dead
  }

  /** Does something to a queue now, and what follows from it: dead letters move, receivers wake, the timer is set. */
  perform<T>(channel: Channel, operation: (queue: QueueState<Content>, now: number) => T): T {
    const now = this.clock.now()
    const result = operation(channel.queue, now)
    for (const effect of channel.queue.effects.splice(0)) this.#apply(channel, effect, now)
    this.#arm(channel)
    channel.observer?.changed()
    return result
  }

  [Symbol.dispose](): void {
    for (const { main, dead } of this.#entities.values()) {
      main.timer?.disarm()
      dead.timer?.disarm()
    }
  }

  #apply(channel: Channel, effect: Effect<Content>, now: number): void {
    if (effect.kind === 'session-lost') {
      channel.observer?.sessionLost(effect.sessionId, effect.holder)
      return
    }
    const { entry, reason, description } = effect
    const dead = channel.entity.dead
    const content = withDeadLetterSource(
      withDeadLetterReason(entry.content, reason, description),
      channel.path,
    )
    const { messageId, bytes, sessionId } = entry
    submit(
      dead.queue,
      [
        {
          content,
          messageId,
          bytes,
          carried: entry,
          ...(sessionId === undefined ? {} : { sessionId }),
        },
      ],
      now,
    )
    dead.observer?.changed()
  }

  #arm(channel: Channel): void {
    const atMs = nextDeadline(channel.queue)
    if (atMs === undefined || channel.entity.deleted) return
    if (channel.timer && channel.timer.atMs <= atMs) return
    channel.timer?.disarm()
    const disarm = this.clock.at(atMs, () => {
      channel.timer = undefined
      this.perform(channel, tick)
    })
    channel.timer = { atMs, disarm }
  }
}

function createEntity(declaration: QueueDeclaration, sizeQuotaBytes: number, now: number): Entity {
  const rules = rulesOf(declaration, sizeQuotaBytes)
  const dead = createQueue<Content>(deadLetterRulesOf(rules), randomUUID)
  const main = createQueue<Content>(rules, randomUUID, () => dead.bytes)
  const entity: Entity = {
    declaration,
    main: channelOf(() => entity, declaration.name, main),
    dead: channelOf(() => entity, `${declaration.name}/$DeadLetterQueue`, dead),
    createdMs: now,
    updatedMs: now,
    deleted: false,
  }
  return entity
}

function channelOf(entity: () => Entity, path: string, queue: QueueState<Content>): Channel {
  return {
    path,
    queue,
    get entity() {
      return entity()
    },
    observer: undefined,
    timer: undefined,
  }
}
