import type { OutgoingMessage, Queue } from '../core/queue.ts'

interface Waiter<T, R> {
  readonly item: T
  readonly resolve: (result: R) => void
  readonly reject: (error: unknown) => void
}

/** Calls under way at the same time. */
const LANES = 2

/**
 * Work on single items as work on many: who comes while calls are under way waits for the next one, which takes all that
 * wait. Whoever comes alone does not wait. `work` gives a result for each item, in order; when it throws, all fail.
 */
export function gathered<T, R>(
  atMost: number,
  work: (items: readonly T[]) => Promise<readonly R[]>,
): (item: T) => Promise<R> {
  const waiting: Waiter<T, R>[] = []
  let underWay = 0
  const take = async (some: readonly Waiter<T, R>[]): Promise<void> => {
    underWay += 1
    try {
      const results = await work(some.map(({ item }) => item))
      some.forEach(({ resolve }, index) => {
        resolve(results[index] as R) // one for each item
      })
    } catch (error) {
      for (const { reject } of some) reject(error)
    }
    underWay -= 1
    if (waiting.length > 0) await take(waiting.splice(0, atMost))
  }
  return (item) => {
    const { promise, resolve, reject } = Promise.withResolvers<R>()
    waiting.push({ item, resolve, reject })
    if (underWay < LANES) void take(waiting.splice(0, atMost))
    return promise
  }
}

const SENDERS_AT_A_TIME = 100

/** The queue, with what many senders send at the same time put into one transfer. */
export function gatheringQueue(queue: Queue): Queue {
  const send = gathered<readonly OutgoingMessage[], undefined>(SENDERS_AT_A_TIME, async (all) => {
    await queue.send(all.flat())
    return all.map(() => undefined)
  })
  return { send, ping: () => queue.ping() }
}
