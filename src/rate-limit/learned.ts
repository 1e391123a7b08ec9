/** What a vendor's answers have taught about one quota. Instants in milliseconds since the epoch. */
export interface Learned {
  /** No call before this instant. */
  readonly pausedUntil: number
  /** Share of the configured rate in force at `factorAt`: halved by a refusal, growing back with time. */
  readonly factor: number
  readonly factorAt: number
  /** The vendor's own pace, in force until `paceUntil`. */
  readonly paceMs: number
  readonly paceUntil: number
  /** The vendor's own limit of a day, 0 when it never named one. */
  readonly dayLimit: number
}

export const nothingLearned: Learned = {
  pausedUntil: 0,
  factor: 1,
  factorAt: 0,
  paceMs: 0,
  paceUntil: 0,
  dayLimit: 0,
}

/** What one answer teaches. Instants in milliseconds since the epoch. */
export interface Lesson {
  /** The vendor refused for lack of quota, whatever the status was. */
  readonly refused: boolean
  readonly pausedUntil?: number
  readonly pace?: { readonly intervalMs: number; readonly until: number }
  readonly day?: { readonly used: number; readonly limit: number }
}

/** Additive increase, multiplicative decrease: a refusal halves the rate, never below a twentieth. */
const CUT = 0.5
const FLOOR = 0.05
/** From the floor back to the whole rate. */
const RECOVERY_MS = 10 * 60_000
/** Calls under way together are refused together: that is one refusal. */
const EPISODE_MS = 2_000
/** A refusal that names no time is waited out for so long over the square of the share in force: 4 s, 16 s, 64 s, … */
const PAUSE_MS = 1_000

/** The numbers above, for interpreters elsewhere. */
export const learning = { CUT, FLOOR, RECOVERY_MS, EPISODE_MS, PAUSE_MS } as const

/** The share of the configured rate that may be used now: it grows back evenly, and not before a pause is over. */
export function factorAt({ factor, factorAt: since }: Learned, nowMs: number): number {
  return Math.min(1, factor + Math.max(0, nowMs - since) / RECOVERY_MS)
}

/** Milliseconds between two calls, given the configured interval. */
export function pacedBy(learned: Learned, intervalMs: number, nowMs: number): number {
  const own = intervalMs / factorAt(learned, nowMs)
  return nowMs < learned.paceUntil ? Math.max(own, learned.paceMs) : own
}

/** What is known after one more answer. A pause is never shortened: of two instances' words the longer one stands. */
export function learn(learned: Learned, lesson: Lesson, nowMs: number): Learned {
  const cut = lesson.refused && nowMs >= learned.factorAt
  const factor = cut ? Math.max(FLOOR, factorAt(learned, nowMs) * CUT) : learned.factor
  const unnamed = cut ? nowMs + PAUSE_MS / factor ** 2 : 0
  const pausedUntil = Math.max(learned.pausedUntil, lesson.pausedUntil ?? unnamed)
  return {
    pausedUntil,
    factor,
    factorAt: cut ? Math.max(nowMs + EPISODE_MS, pausedUntil) : learned.factorAt,
    paceMs: lesson.pace?.intervalMs ?? learned.paceMs,
    paceUntil: lesson.pace?.until ?? learned.paceUntil,
    dayLimit: lesson.day?.limit ?? learned.dayLimit,
  }
}
