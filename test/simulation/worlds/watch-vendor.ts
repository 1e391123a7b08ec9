import type { Actor, Simulation } from '../simulation.ts'
import { between, START_MS } from '../world.ts'

const MINUTE_MS = 60_000
/** The caller's patience with one answer. */
const LONGEST_CALL_MS = 30_000

interface Live {
  expiresMs: number
}

/** A change that people there made. */
export interface Change {
  readonly id: string
  readonly atMs: number
  /** Until when a subscription lasted that would have told of it; undefined when one did. */
  readonly missedSinceMs: number | undefined
  /** It was removed before its time: nobody can say when, once that time is over as well. */
  readonly isAfterRemoval: boolean
}

export interface Told {
  readonly label: string
  readonly items: readonly object[]
}

interface Plot {
  /** How long things go on. */
  readonly forMs: number
  /** Of our timer. */
  readonly everyMs: number
  readonly tell: (told: Told) => void
  readonly changed: (change: Change) => void
}

export type WatchVendor = ReturnType<typeof watchVendor>

/** A Graph: subscriptions that run out, are removed, or are told of late; now and then it does not answer at all. */
export function watchVendor(sim: Simulation, { forMs, everyMs, tell, changed }: Plot) {
  const { faults } = sim
  const live = new Map<string, Live>()
  const state = { away: 0, serial: 0, lastEndMs: START_MS, isRemoved: false }
  const alive = () => {
    for (const [id, { expiresMs }] of live) {
      if (expiresMs > sim.now()) continue
      live.delete(id)
      Object.assign(state, { lastEndMs: Math.max(state.lastEndMs, expiresMs), isRemoved: false })
    }
    return [...live.keys()]
  }
  const message = (subscriptionId: string, id: string) => ({
    subscriptionId,
    changeType: 'created',
    resource: `users/1/messages/${id}`,
    resourceData: { '@odata.type': '#Microsoft.Graph.Message', '@odata.etag': 'e', id },
  })
  const lifecycle = (label: string, subscriptionId: string, lifecycleEvent: string) => {
    sim.note('graph', `tells ${lifecycleEvent} of ${subscriptionId}`)
    tell({ label: `${label} ${subscriptionId}`, items: [{ lifecycleEvent, subscriptionId }] })
  }
  const change = (label: string) => {
    const id = label.replace(' ', '-')
    const subscriptions = alive()
    const isDropped = faults.chance(`${label} dropped`) < 0.15
    const missedSinceMs = subscriptions.length === 0 ? state.lastEndMs : undefined
    changed({ id, atMs: sim.now(), missedSinceMs, isAfterRemoval: state.isRemoved })
    for (const subscription of subscriptions) {
      const soonMs = faults.chance(`${label} soon`) * 2_000
      sim.at(sim.now() + soonMs, () => {
        if (!isDropped)
          return tell({ label: `${label} ${subscription}`, items: [message(subscription, id)] })
        lifecycle(`${label} missed`, subscription, 'missed')
      })
    }
  }
  const remove = (label: string) => {
    for (const subscription of alive()) {
      live.delete(subscription)
      Object.assign(state, { lastEndMs: sim.now(), isRemoved: true })
      sim.note('graph', `removes ${subscription}`)
      if (faults.chance(`${label} silent`) < 0.3) continue
      lifecycle(label, subscription, 'subscriptionRemoved')
    }
  }
  const ask = (label: string) => {
    for (const subscription of alive()) lifecycle(label, subscription, 'reauthorizationRequired')
  }
  const several = (what: string, most: number, happen: (label: string) => void) => {
    const count = between(faults, what, [0, most])
    for (let index = 0; index < count; index += 1) {
      const label = `${what} ${index}`
      const soonMs = MINUTE_MS + faults.chance(`${label} at`) * forMs
      // Now and then in the very moment in which our timer is at work.
      const isAtOnce = faults.chance(`${label} at once`) < 0.5
      const turnMs = Math.ceil(soonMs / everyMs) * everyMs + faults.chance(`${label} then`) * 300
      const atMs = START_MS + (isAtOnce ? turnMs : soonMs)
      sim.act(atMs, `act ${label}`, () => happen(label))
    }
  }
  several('mail', 24, change)
  several('removal', 1, remove)
  several('reauthorization', 2, ask)
  several('graph outage', 2, (label) => {
    state.away += 1
    const longMs = faults.chance(`${label} long`) * 200 * MINUTE_MS
    sim.at(sim.now() + longMs, () => {
      state.away -= 1
    })
  })
  const answer = (id: string, expirationDateTime: string) => {
    live.set(id, { expiresMs: Date.parse(expirationDateTime) })
    sim.note('graph', `${id} lasts until ${expirationDateTime.slice(11, 19)}`)
    return Response.json({ id, expirationDateTime })
  }
  const handle = (method: string, id: string, until: string): Response => {
    if (state.away > 0) return new Response('{}', { status: 503 })
    if (method === 'POST') return answer(`sub-${(state.serial += 1)}`, until)
    return alive().includes(id) ? answer(id, until) : new Response('{}', { status: 404 })
  }
  return {
    alive,
    isAway: () => state.away > 0,
    fetchAs:
      (actor: Actor): typeof globalThis.fetch =>
      async (input, init) => {
        const { pathname } = new URL(input instanceof Request ? input.url : input)
        const text = typeof init?.body === 'string' ? init.body : '{}'
        const { expirationDateTime = '' } = JSON.parse(text) as Record<string, string> // our own
        return sim.call(actor, 'graph.subscriptions', {
          place: 'subscription call',
          longestMs: LONGEST_CALL_MS,
          failure: () => new TypeError('fetch failed'),
          effect: () =>
            handle(init?.method ?? 'GET', pathname.split('/').at(-1) ?? '', expirationDateTime),
        })
      },
  }
}
