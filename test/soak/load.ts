import { setTimeout as delay } from 'node:timers/promises'
import type { Ledger } from './ledger.ts'
import type { Traffic } from './traffic.ts'
import { queuesOf } from './watch.ts'
import type { SoakWorld, Tenant } from './world.ts'

const TICK_MS = 20
const DRAIN_LOOK_MS = 50

export interface Rate {
  readonly tenant: Tenant
  readonly perSecond: number
  /** Takes back what the machine gives to others: less of it happens while more than a second's work waits. */
  readonly yields?: boolean
}

export interface Pouring {
  readonly ms: number
  readonly signal: AbortSignal
  /** Messages that wait. */
  readonly backlog: () => number
}

const LOOK_MS = 500
const LESS = 0.7
const MORE = 1.05
const LEAST = 0.05

/**
 * Lets things happen at a steady rate, whether the stack has answered or not: who waits for an answer before going on spares
 * what is overloaded. What the stack takes changes with what else the machine does, so the rates that yield follow its
 * backlog. Settles when the time is over and everything that happened was taken; tells how many things that were.
 */
export async function pour(
  traffic: Traffic,
  rates: readonly Rate[],
  { ms, signal, backlog }: Pouring,
): Promise<number> {
  const startedAt = performance.now()
  const enough = rates.reduce((sum, { perSecond }) => sum + perSecond, 0)
  const under: Promise<void>[] = []
  const owed = rates.map(() => 0)
  let share = 1
  let at = startedAt
  let lookedAt = startedAt
  while (at - startedAt < ms && !signal.aborted) {
    await delay(TICK_MS, undefined, { signal }).catch(() => {})
    const seconds = (performance.now() - at) / 1_000
    at = performance.now()
    if (at - lookedAt >= LOOK_MS) {
      lookedAt = at
      share = backlog() > enough ? Math.max(LEAST, share * LESS) : Math.min(1, share * MORE)
    }
    for (const [index, { tenant, perSecond, yields }] of rates.entries()) {
      const due = (owed[index] ?? 0) + perSecond * seconds * (yields ? share : 1)
      for (let nth = 1; nth <= due; nth += 1) under.push(traffic.act(tenant))
      owed[index] = due % 1
    }
  }
  await Promise.all(under)
  return under.length
}

/** How many things a second the stack gets done when it is given so many at once: the median of some bursts. */
export async function capacityOf(
  world: SoakWorld,
  { traffic, ledger }: { readonly traffic: Traffic; readonly ledger: Ledger },
  { tenants, size, senders }: Burst,
): Promise<number> {
  const startedAt = performance.now()
  let next = 0
  const sender = async () => {
    while (next < size) {
      const tenant = tenants[next % tenants.length]
      next += 1
      if (tenant) await traffic.act(tenant)
    }
  }
  await Promise.all(Array.from({ length: senders }, sender))
  await drained(world, ledger, new AbortController().signal)
  return size / ((performance.now() - startedAt) / 1_000)
}

export interface Burst {
  readonly tenants: readonly Tenant[]
  readonly size: number
  readonly senders: number
}

/** Until everything that was begun has arrived and no message is left. */
export async function drained(
  world: SoakWorld,
  ledger: Ledger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && (ledger.waiting() > 0 || queuesOf(world).waiting > 0)) {
    await delay(DRAIN_LOOK_MS, undefined, { signal }).catch(() => {})
  }
}
