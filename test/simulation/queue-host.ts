import { InvocationContext, type ServiceBusQueueHandler } from '@azure/functions'
import type { LockingQueue, QueueDelivery } from '../ports/locking-queue.ts'
import { longOf, type Actor, type Simulation } from './simulation.ts'

export interface QueueHost {
  /** Looks whether there is something to do. */
  readonly wake: () => void
}

export interface HostedQueue {
  readonly kind: string
  readonly queue: LockingQueue
  readonly concurrency: number
  readonly mostSkewMs?: number
  /** The function, with ports of this very invocation. */
  readonly handlerFor: (actor: Actor, delivery: QueueDelivery) => ServiceBusQueueHandler
  /** Told when a message is given back because its function threw. */
  readonly abandoned: (delivery: QueueDelivery, error: unknown, actor: Actor) => void
}

const RENEW_EVERY_MS = 20_000
/** maxAutoLockRenewalDuration of the Service Bus extension: five minutes. */
const RENEW_UP_TO_MS = 300_000

/** The Functions host at a queue: takes messages, keeps their locks while functions run, settles them. */
export function queueHost(sim: Simulation, hosted: HostedQueue): QueueHost {
  const { queue, kind } = hosted
  let running = 0
  let armedForMs: number | undefined
  const wake = () => {
    for (; running < hosted.concurrency;) {
      const delivery = queue.take()
      if (!delivery) break
      begin(delivery)
    }
    // With every slot taken nothing can begin; the next one to end looks again.
    if (running < hosted.concurrency) arm()
  }
  const arm = () => {
    const atMs = queue.nextChangeMs()
    if (atMs === undefined || (armedForMs !== undefined && armedForMs <= atMs)) return
    armedForMs = atMs
    sim.at(atMs, () => {
      armedForMs = undefined
      wake()
    })
  }
  const begin = (delivery: QueueDelivery) => {
    running += 1
    const name = `${kind} …${delivery.id.slice(-6)}/${delivery.deliveryCount + 1}`
    const fault = sim.strike(`${kind} delivery`, `${name} delivery`, 'queue delivery')
    // A message may lie in the memory of an instance before its function begins: others overtake it.
    sim.at(sim.now() + (fault?.kind === 'delay' ? longOf(fault.size) / 4 : 0), () => {
      sim.spawn({
        kind,
        name,
        ...(hosted.mostSkewMs === undefined ? {} : { mostSkewMs: hosted.mostSkewMs }),
        work: async (actor) => {
          const lose = () => {
            if (!actor.alive()) return
            queue.settle(delivery.token, 'release')
            sim.note(name, 'its lock is gone')
            wake()
          }
          if (fault?.kind === 'lock-lost') sim.at(sim.now() + longOf(fault.size) / 60, lose)
          keepLock(actor, delivery, sim.now() + RENEW_UP_TO_MS)
          const context = new InvocationContext({
            functionName: kind,
            invocationId: name,
            triggerMetadata: { messageId: delivery.id },
            logHandler: () => {},
          })
          const body: unknown = JSON.parse(delivery.text)
          await hosted.handlerFor(actor, delivery)(body, context)
        },
        ended: (end, actor) => {
          running -= 1
          if (end.kind === 'threw') {
            hosted.abandoned(delivery, end.error, actor)
            queue.settle(delivery.token, 'abandon')
          }
          if (end.kind === 'returned' && fault?.kind !== 'completion-lost') {
            queue.settle(delivery.token, 'complete')
          }
          sim.at(sim.now(), wake)
        },
      })
    })
  }
  const keepLock = (actor: Actor, delivery: QueueDelivery, untilMs: number) => {
    sim.at(sim.now() + RENEW_EVERY_MS, () => {
      if (!actor.alive() || sim.now() > untilMs || !queue.renew(delivery.token)) return
      keepLock(actor, delivery, untilMs)
    })
  }
  return { wake }
}
