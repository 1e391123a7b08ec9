import type { Broker, Channel, Entity } from './broker.ts'

/** How many messages are where. */
export interface QueueCounts {
  /** Waiting or locked; scheduled and deferred ones are not among them. */
  readonly active: number
  readonly scheduled: number
  readonly deferred: number
  readonly locked: number
  readonly deadLettered: number
  readonly bytes: number
}

export function countsOf({ main, dead }: Entity): QueueCounts {
  const entries = [...main.queue.entries.values()]
  const inState = (wanted: string) => entries.filter(({ state }) => state === wanted).length
  return {
    active: inState('active'),
    scheduled: inState('scheduled'),
    deferred: inState('deferred'),
    locked: main.queue.locks.size,
    deadLettered: dead.queue.entries.size,
    bytes: main.queue.bytes + dead.queue.bytes,
  }
}

/** Counts and sessions of every queue by name. */
export function inspectBroker(broker: Broker): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    broker
      .entities()
      .map((entity) => [
        entity.declaration.name,
        { ...countsOf(entity), sessions: sessionsOf(entity.main) },
      ]),
  )
}

function sessionsOf({ queue }: Channel): readonly unknown[] {
  return [...queue.sessions.values()].map(({ id, holder, messages }) => ({
    id,
    messages,
    locked: holder !== undefined,
  }))
}
