import { pacedBy, type Learned } from './learned.ts'

/** One limit that a call has to pass. `level` names it for people. */
export interface PaceGate {
  readonly kind: 'pace'
  readonly level: string
  readonly key: string
  /** Between two calls in the long run. */
  readonly intervalMs: number
  /** Calls that may be ahead of that pace: what is left of the burst for this call's lane. */
  readonly allowance: number
  /** Many tenants pass it: whoever has had more than a share leaves half of the allowance to the others. */
  readonly shared: boolean
  /** The vendor's answers change its pace. */
  readonly learns: boolean
}

/** A number of calls in each period of the UTC clock. */
export interface BudgetGate {
  readonly kind: 'budget'
  readonly level: string
  readonly key: string
  readonly limit: number
  /** The part that this call's lane may use up, in (0, 1]. */
  readonly part: number
  readonly periodMs: number
}

export type Gate = PaceGate | BudgetGate

/** Keys of everything that a decision reads besides its gates. */
export interface TakeKeys {
  /** What was learned of the vendor's quota. */
  readonly learned: string
  /** Where those wait who were refused by a gate of their own, and by a shared one. */
  readonly queue: string
  readonly sharedQueue: string
  /** How far ahead of its share the tenant is, and who else wants a share. */
  readonly share: string
  readonly contenders: string
}

export interface Take {
  readonly gates: readonly Gate[]
  readonly keys: TakeKeys
  /** Who shares with whom. Empty: nobody shares. */
  readonly tenant: string
  readonly cost: number
  /** The caller can wait so long for its turn, holding its place. */
  readonly patienceMs: number
  /** Whether a refused caller is given a place in the queue; else it is told the bare wait. */
  readonly queues: boolean
}

/** State of a gate: of a pace, when the next call is due in theory; of a budget, what of which period is used up. */
export type GateState = readonly [number, number]
export const freshGate: GateState = [0, 0]

/** What a tenant had of the shared gates, in calls that are forgotten with time, as of `at`. */
export interface Share {
  /** Forgotten at the rate of its share among those who wait. */
  readonly ahead: number
  /** Forgotten at the rate that everybody may have before others wait for it. */
  readonly recent: number
  readonly at: number
}

/** Everything that a decision depends on. */
export interface View {
  readonly states: readonly GateState[]
  readonly learned: Learned
  readonly share: Share
  /** Other tenants that wait for the shared gates. */
  readonly others: number
  /** Whether this tenant is among those who wait. */
  readonly contends: boolean
  /** When the last of the queue is to come back. */
  readonly queue: number
  readonly sharedQueue: number
}

export type Verdict =
  /** The call may go after so many milliseconds, never more than the patience. Its place is taken. */
  | { readonly kind: 'allowed'; readonly delayMs: number }
  /** Nothing was taken. Asking again after the wait has a good chance; `level` is the tightest limit. */
  | { readonly kind: 'wait'; readonly waitMs: number; readonly level: string }

export interface Change {
  readonly verdict: Verdict
  /** New states where the call was allowed. */
  readonly states?: readonly GateState[]
  readonly share?: Share
  readonly queue?: number
  readonly sharedQueue?: number
  /** Until when the tenant counts as one who waits. */
  readonly contendsUntil?: number
}

/**
 * A tenant within its share may be so many calls ahead, and beyond it two more where a shared gate has room to spare.
 * Shares are promised a tenth above what there is: else every clash at a gate would be lost for good.
 */
const CREDIT = 3
const LEAD = CREDIT + 2
/** Who uses less than this part of a shared gate goes first, whether anybody waits or not. */
const LIGHT_PART = 1 / 10
const OVERSUBSCRIPTION = 1.1
/** What a call over its share may use of a shared gate's allowance. */
const OVER_SHARE_PART = 0.5
/** Nobody is sent away for longer without looking again; shares change faster. */
const MAX_WAIT_MS = 15 * 60_000
const MAX_SHARE_WAIT_MS = 30_000
/** Who does not come back so long after the wait has lost interest. */
const GRACE_MS = 2_000
/** Instants are floating point numbers with steps of a quarter of a microsecond: less than these is nothing. */
const TINY_CALLS = 1e-6
const TINY_MS = 0.01

/** The numbers above, for interpreters elsewhere. */
export const sharing = {
  CREDIT,
  LEAD,
  LIGHT_PART,
  OVERSUBSCRIPTION,
  OVER_SHARE_PART,
  MAX_WAIT_MS,
  MAX_SHARE_WAIT_MS,
  GRACE_MS,
  TINY_CALLS,
  TINY_MS,
} as const

interface Wait {
  readonly level: string
  readonly ms: number
  /** Those who wait here are sent back one after the other, so far apart. */
  readonly spacingMs: number
  readonly shared: boolean
}

/**
 * Decides on one call over all its limits at once: it passes all of them, or changes none (generic cell rate algorithm,
 * ITU-T I.371 annex A, one theoretical arrival time per key). Among the tenants that wait for a shared limit each gets an
 * equal share; what nobody claims goes to whoever asks.
 */
export function decide(take: Take, view: View, nowMs: number): Change {
  const intervals = take.gates.map((gate) => intervalOf(gate, view.learned, nowMs))
  const share = shareOf(take, { view, intervals, nowMs })
  const ahead = share.ahead + take.cost
  const recent = share.recent + take.cost
  const within = recent <= CREDIT + TINY_CALLS
  const patienceMs = within ? take.patienceMs : 0
  const contested = !within && view.others > 0
  const steps = take.gates.map((gate, index) =>
    gate.kind === 'pace'
      ? pass({ gate, take, within, intervalMs: intervals[index] ?? 0, nowMs }, view.states[index])
      : spend({ gate, take, dayLimit: view.learned.dayLimit, nowMs }, view.states[index]),
  )
  const pauseMs = Math.max(0, view.learned.pausedUntil - nowMs)
  const delayMs = Math.max(pauseMs, ...steps.map(({ wait }) => wait.ms))
  const overShare = contested && ahead > LEAD + TINY_CALLS
  if (!overShare && delayMs <= patienceMs + TINY_MS && steps.every(({ hard }) => !hard)) {
    return {
      verdict: { kind: 'allowed', delayMs },
      states: steps.map(({ state }) => state),
      // What nobody else wanted is not held against it for long.
      share: {
        ahead: view.others === 0 ? Math.min(CREDIT, ahead) : ahead,
        recent: Math.min(LEAD, recent),
        at: nowMs,
      },
      ...(view.contends ? { contendsUntil: nowMs + GRACE_MS } : {}),
    }
  }
  const waits = steps
    .filter(({ wait, hard }) => hard || wait.ms > patienceMs)
    .map(({ wait }) => wait)
  if (pauseMs > patienceMs) waits.push(pauseWait(take, intervals, pauseMs))
  const dueMs = (ahead - CREDIT) * share.intervalMs
  if (contested && dueMs > 0 && (overShare || waits.some(({ shared }) => shared))) {
    const ms = Math.min(MAX_SHARE_WAIT_MS, dueMs)
    waits.push({ level: 'share', ms, spacingMs: share.spacingMs, shared: false })
  }
  return refuse(take, view, { waits, within, nowMs })
}

function intervalOf(gate: Gate, learned: Learned, nowMs: number): number {
  if (gate.kind === 'budget') return 0
  return gate.learns ? pacedBy(learned, gate.intervalMs, nowMs) : gate.intervalMs
}

interface Sharing {
  readonly view: View
  readonly intervals: readonly number[]
  readonly nowMs: number
}

function shareOf({ gates }: Take, { view, intervals, nowMs }: Sharing) {
  const tightest = Math.max(
    0,
    ...gates.map((gate, index) =>
      gate.kind === 'pace' && gate.shared ? (intervals[index] ?? 0) : 0,
    ),
  )
  const { ahead, recent, at } = view.share
  const passedMs = Math.max(0, nowMs - at)
  const intervalMs = (tightest * (view.others + 1)) / OVERSUBSCRIPTION
  const lightMs = Math.max(intervalMs, tightest / LIGHT_PART)
  return {
    intervalMs,
    // What the others leave out is for those who come: rather one question too many than a call too few.
    spacingMs: (tightest * Math.max(1, view.others)) / OVERSUBSCRIPTION,
    ahead: tightest === 0 ? 0 : Math.max(0, ahead - passedMs / intervalMs),
    recent: tightest === 0 ? 0 : Math.max(0, recent - passedMs / lightMs),
  }
}

interface Step {
  readonly wait: Wait
  /** No patience helps. */
  readonly hard: boolean
  readonly state: GateState
}

interface Passing {
  readonly gate: PaceGate
  readonly take: Take
  readonly within: boolean
  readonly intervalMs: number
  readonly nowMs: number
}

function pass(passing: Passing, [due]: GateState = freshGate): Step {
  const { gate, take, within, intervalMs, nowMs } = passing
  const part = gate.shared && !within ? OVER_SHARE_PART : 1
  const allowance = Math.max(take.cost, gate.allowance * part)
  const next = Math.max(due, nowMs) + take.cost * intervalMs
  const early = next - allowance * intervalMs - nowMs
  const ms = early < TINY_MS ? 0 : early
  return {
    wait: {
      level: gate.level,
      ms,
      spacingMs: (intervalMs * take.cost) / OVERSUBSCRIPTION,
      shared: gate.shared,
    },
    hard: false,
    state: [next, 0],
  }
}

interface Spending {
  readonly gate: BudgetGate
  readonly take: Take
  readonly dayLimit: number
  readonly nowMs: number
}

function spend(
  { gate, take, dayLimit, nowMs }: Spending,
  [period, spent]: GateState = freshGate,
): Step {
  const { limit, part, periodMs, level } = gate
  const start = Math.floor(nowMs / periodMs) * periodMs
  const used = (period === start ? spent : 0) + take.cost
  const most = (dayLimit > 0 ? Math.min(limit, dayLimit) : limit) * part
  const hard = used > most
  const ms = hard ? start + periodMs - nowMs : 0
  return {
    wait: { level, ms, spacingMs: periodMs / limit, shared: false },
    hard,
    state: [start, used],
  }
}

function pauseWait({ gates }: Take, intervals: readonly number[], ms: number): Wait {
  const index = gates.findIndex((gate) => gate.kind === 'pace' && gate.learns)
  return { level: 'pause', ms, spacingMs: intervals[index] ?? 0, shared: false }
}

interface Refusal {
  readonly waits: readonly Wait[]
  readonly within: boolean
  readonly nowMs: number
}

/** Gives the caller a place behind those who were sent away before, so that they do not all come back at once. */
function refuse(take: Take, view: View, { waits, within, nowMs }: Refusal): Change {
  const tightest = waits.reduce((most, one) => (one.ms > most.ms ? one : most))
  const contended = tightest.shared || tightest.level === 'share'
  // Whoever is within its share does not stand behind the many calls of one who is not.
  const amongAll = tightest.shared && within
  const behind = amongAll ? view.sharedQueue : view.queue
  const place = take.queues ? Math.max(tightest.ms, behind - nowMs) : tightest.ms
  const waitMs = Math.min(MAX_WAIT_MS, place)
  const verdict = { kind: 'wait', waitMs, level: tightest.level } as const
  const queued = nowMs + waitMs + tightest.spacingMs
  return {
    verdict,
    ...(take.queues ? (amongAll ? { sharedQueue: queued } : { queue: queued }) : {}),
    ...(contended ? { contendsUntil: nowMs + waitMs + GRACE_MS } : {}),
  }
}
