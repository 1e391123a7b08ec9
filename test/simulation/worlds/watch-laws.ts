import type { OutgoingMessage } from '../../../src/core/queue.ts'
import { inboundMessageShape } from '../../../src/sync/task.ts'
import type { Subscription } from '../../../src/webhooks/subscription.ts'
import type { Commit } from '../simulated-ports.ts'
import type { Simulation } from '../simulation.ts'
import type { Change, WatchVendor } from './watch-vendor.ts'

/** Clocks of ours differ by so much, and calls take so long. */
const SLACK_MS = 100_000
/** An id that the bus has seen is dropped for so long (topology, duplicate detection). */
const WINDOW_MS = 21_600_000

/** What has to hold of a subscription, and in the end. */
export function watchLaws(sim: Simulation, secret: string) {
  const changes: Change[] = []
  const firsts = new Map<string, number>()
  /** When the bus took a message about a record, or about all of them (no id). */
  const taken: { readonly id: string | undefined; readonly atMs: number }[] = []
  const gaps: { readonly from: number; readonly to: number }[] = []
  const alerts: number[] = []
  /** How often people were told of the trouble that is, and of the one before the last success. */
  const state = { told: 0, toldBefore: 0, confirmedAt: '' }
  const successes: number[] = []
  const isExact = () =>
    !sim.struck.some(({ kind }) => kind.startsWith('crash') || kind === 'answer-lost')
  return {
    changed: (change: Change) => void changes.push(change),
    messagesAccepted: (messages: readonly OutgoingMessage[]) => {
      for (const { id, body } of messages) {
        if (sim.now() - (firsts.get(id) ?? -Infinity) < WINDOW_MS) continue
        firsts.set(id, sim.now())
        const externalId = inboundMessageShape.parse(body).record?.externalId
        sim.note(
          'bus',
          externalId === undefined ? 'has everything read again' : `has ${externalId}`,
        )
        taken.push({ id: externalId, atMs: sim.now() })
      }
    },
    committed: ({ changes: written }: Commit<Subscription>) => {
      for (const { after } of written) {
        if (JSON.stringify(after).includes(secret))
          sim.violate(10, 'a subscription holds the secret')
        const { confirmedAt } = after
        if (confirmedAt !== null && confirmedAt !== state.confirmedAt) {
          Object.assign(state, { told: 0, toldBefore: state.told, confirmedAt })
          successes.push(sim.now())
        }
        for (const { from, to } of after.gaps) {
          const gap = { from: Date.parse(from), to: Date.parse(to) }
          if (gaps.some((one) => one.from === gap.from && one.to === gap.to)) continue
          gaps.push(gap)
          sim.note('subscription', `marks a gap from ${from.slice(11, 19)} to ${to.slice(11, 19)}`)
        }
      }
    },
    alerted: (message: string) => {
      sim.note('alert', message)
      alerts.push(sim.now())
      // The line about a gap comes right after the success, where nobody had been told before.
      const which = message.includes('nothing was told') ? 'toldBefore' : 'told'
      state[which] += 1
      if (state[which] > 1) sim.violate(2, 'people were told twice of one trouble')
    },
    examine: (subscription: Subscription | undefined, vendor: WatchVendor) => {
      const isLive = vendor.alive().includes(subscription?.subscriptionId ?? '')
      if (!isLive)
        sim.violate(9, `the vendor does not know ${subscription?.subscriptionId} any more`)
      for (const { id, atMs, missedSinceMs, isAfterRemoval } of changes) {
        if (atMs < (successes[0] ?? Infinity)) continue
        const isRead = taken.some((one) => one.atMs >= atMs && (one.id ?? id) === id)
        if (!isRead) sim.violate(3, `${id} was changed, and nobody ever read it`)
        if (missedSinceMs === undefined) continue
        const isMarked = gaps.some(
          ({ from, to }) => from <= atMs + SLACK_MS && to >= atMs - SLACK_MS,
        )
        if (!isMarked && !isAfterRemoval)
          sim.violate(5, `${id} came while nothing was told, and no gap says so`)
        const lastMs = successes.findLast((at) => at <= missedSinceMs) ?? 0
        const isTold = alerts.some((at) => at >= lastMs)
        if (!isTold && isExact()) sim.violate(5, `nobody was told that ${id} could be missed`)
      }
    },
  }
}
