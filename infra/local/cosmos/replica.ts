import { compactLog, type Container, type Item, type Replication } from './container.ts'
import { CosmosError, SUBSTATUS, badRequest } from './errors.ts'
import { keyText } from './partition-key.ts'

/** A lag is changed at will within so many commits. */
export const LONGEST_LAG = 1_000

/** Ends a write: everybody who reads sees all of it or nothing. */
export function commit(container: Container, nowMs: number): void {
  compactLog(container)
  const { replication } = container
  if (!replication || replication.pending.length === 0) return
  const steps = replication.pending.splice(0)
  const commits = [...replication.commits, { lsn: container.lastLsn, atMs: nowMs, steps }]
  const extra = Math.max(0, commits.length - LONGEST_LAG)
  container.replication = {
    ...replication,
    baseLsn: commits[extra - 1]?.lsn ?? replication.baseLsn,
    commits: commits.slice(extra),
  }
}

/** Lets the replicas lag from now on; with no commits to lag behind they are even at once. */
export function setLag(container: Container, lag: Replication['lag']): void {
  const known = container.replication ?? { baseLsn: container.lastLsn, commits: [], pending: [] }
  container.replication = lag.commits === 0 ? undefined : { ...known, lag }
}

/**
 * The container as the replica has it that answers a read: one that lags as far as it may, but has everything up to the
 * session token's LSN (session consistency). Throws 404 with substatus 1002 for a token that no replica has come to.
 */
export function replicaFor(
  container: Container,
  headers: Readonly<Record<string, string>>,
  nowMs: number,
): Container {
  const sessionLsn = sessionLsnOf(headers)
  if (sessionLsn > container.lastLsn) throw sessionNotAvailable()
  const { replication } = container
  if (!replication) return container
  const { lag, commits, baseLsn } = replication
  const demanded = commits.findLastIndex(
    ({ lsn, atMs }) => lsn <= sessionLsn || atMs <= nowMs - lag.ms,
  )
  const known = Math.max(demanded + 1, commits.length - lag.commits)
  if (known === commits.length) return container
  return before(container, { known, lsn: commits[known - 1]?.lsn ?? baseLsn, nowMs })
}

interface Past {
  /** How many of the kept commits it has. */
  readonly known: number
  readonly lsn: number
  readonly nowMs: number
}

function before(container: Container, { known, lsn, nowMs }: Past): Container {
  const { commits = [], pending = [] } = container.replication ?? {}
  const items = new Map(container.items)
  const steps = [...commits.slice(known).flatMap((one) => one.steps), ...pending]
  for (const { next, previous } of steps.toReversed()) {
    if (next) items.delete(next.sequence)
    if (previous) items.set(previous.sequence, previous)
  }
  const present = Array.from(items.values())
    .filter(({ expiresMs = Number.POSITIVE_INFINITY }) => expiresMs > nowMs)
    .sort((a, b) => a.sequence - b.sequence)
  return {
    ...container,
    lastLsn: lsn,
    replication: undefined,
    items: new Map(present.map((item) => [item.sequence, item])),
    log: present.toSorted((a, b) => a.lsn - b.lsn),
    partitions: partitionsOf(present),
  }
}

function partitionsOf(items: readonly Item[]): Container['partitions'] {
  const byKey = Map.groupBy(items, ({ partition }) => keyText(partition.key))
  return new Map(
    Array.from(byKey, ([text, own]) => {
      const [first] = own
      const key = first?.partition.key ?? []
      return [text, { key, text, items: new Map(own.map((item) => [item.id, item])) }]
    }),
  )
}

/** The levels that do not look at a session, and those that an account of level Session cannot give. */
const WEAKER: ReadonlySet<string> = new Set(['Eventual', 'ConsistentPrefix'])
const STRONGER: ReadonlySet<string> = new Set(['Strong', 'BoundedStaleness'])

/** A token is `{range}:{version}#{lsn}`, one for each range, separated by commas; there is one range here. */
function sessionLsnOf(headers: Readonly<Record<string, string>>): number {
  const level = headers['x-ms-consistency-level'] ?? 'Session'
  if (STRONGER.has(level)) {
    throw badRequest(
      `ConsistencyLevel ${level} specified in the request is invalid when service is configured with consistency level Session. Ensure the request consistency level is not stronger than the service consistency level.`,
    )
  }
  const token = headers['x-ms-session-token']
  if (token === undefined || WEAKER.has(level)) return 0
  const [, lsn] = /(?:^|,)0:-?\d+#(\d+)(?:#[^,]*)?(?:,|$)/.exec(token) ?? []
  if (lsn === undefined) throw badRequest(`The session token provided '${token}' is invalid.`)
  return Number(lsn)
}

function sessionNotAvailable(): CosmosError {
  return new CosmosError(
    404,
    'The read session is not available for the input session token.',
    SUBSTATUS.readSessionNotAvailable,
  )
}
