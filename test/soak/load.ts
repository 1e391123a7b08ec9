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
}

/**
 * Lets things happen at a steady rate, whether the stack keeps up or not: who waits for an answer before going on spares
 * what is overloaded. Settles when the time is over and everything that happened was taken.
 */
export async function pour(
  traffic: Traffic,
  rates: readonly Rate[],
  { ms, signal }: { readonly ms: number; readonly signal: AbortSignal },
): Promise<void> {
  const startedAt = performance.now()
  const under: Promise<void>[] = []
  const done = rates.map(() => 0)
  while (performance.now() - startedAt < ms && !signal.aborted) {
    const seconds = (performance.now() - startedAt) / 1_000
    for (const [index, { tenant, perSecond }] of rates.entries()) {
      for (; (done[index] ?? 0) < perSecond * seconds; done[index] = (done[index] ?? 0) + 1) {
        under.push(traffic.act(tenant))
      }
    }
    await delay(TICK_MS, undefined, { signal }).catch(() => {})
  }
  await Promise.all(under)
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
