/** What was done, what of it was seen to arrive, and how long that took. */
export type Kind = 'webhook' | 'inbound' | 'outbound'

export interface Ledger {
  /** A value that a row was given, on its way to the other side. */
  begin(kind: 'inbound' | 'outbound', of: Sent): void
  /** The other side has this value now: it and what the row was given before it have arrived. */
  arrive(kind: 'inbound' | 'outbound', of: Omit<Sent, 'at'>, at: number): void
  /** How long a call took to be answered. */
  answered(tenant: string, tookMs: number): void
  /** Times of what was begun behind `from` and arrived, of some tenants, in milliseconds. */
  times(kind: Kind, tenants: readonly string[], from: Span): readonly number[]
  /** What the last value of each row is that was given so. */
  readonly last: Readonly<Record<'inbound' | 'outbound', ReadonlyMap<string, string>>>
  /** Begun and not seen to arrive yet. */
  waiting(tenant?: string): number
}

export interface Sent {
  readonly tenant: string
  readonly row: string
  readonly value: string
  /** On the steady clock, in milliseconds. */
  readonly at: number
}

export interface Span {
  readonly from: number
  readonly to: number
}

interface Took {
  readonly tenant: string
  readonly at: number
  readonly tookMs: number
}

/** Takes the time of an answer from `now`. */
export function openLedger(now: () => number): Ledger {
  const took: Record<Kind, Took[]> = { webhook: [], inbound: [], outbound: [] }
  const under = { inbound: new Map<string, Sent[]>(), outbound: new Map<string, Sent[]>() }
  const last = { inbound: new Map<string, string>(), outbound: new Map<string, string>() }
  return {
    last,
    begin: (kind, sent) => {
      const key = keyOf(sent)
      last[kind].set(key, sent.value)
      under[kind].set(key, [...(under[kind].get(key) ?? []), sent])
    },
    arrive: (kind, of, at) => {
      const key = keyOf(of)
      const sent = under[kind].get(key) ?? []
      const index = sent.findIndex(({ value }) => value === of.value)
      if (index === -1) return
      for (const one of sent.slice(0, index + 1)) {
        took[kind].push({ tenant: one.tenant, at: one.at, tookMs: at - one.at })
      }
      const rest = sent.slice(index + 1)
      if (rest.length > 0) under[kind].set(key, rest)
      else under[kind].delete(key)
    },
    answered: (tenant, tookMs) => {
      took.webhook.push({ tenant, at: now() - tookMs, tookMs })
    },
    times: (kind, tenants, { from, to }) =>
      took[kind]
        .filter(({ tenant, at }) => tenants.includes(tenant) && at >= from && at < to)
        .map(({ tookMs }) => tookMs),
    waiting: (tenant) =>
      [...under.inbound.values(), ...under.outbound.values()]
        .flat()
        .filter((one) => tenant === undefined || one.tenant === tenant).length,
  }
}

export function keyOf({ tenant, row }: Pick<Sent, 'tenant' | 'row'>): string {
  return `${tenant} ${row}`
}
