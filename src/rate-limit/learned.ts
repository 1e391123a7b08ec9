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
  /** How long the last refusal that named no time was waited out. */
  readonly guessedMs: number
}

export const nothingLearned: Learned = {
  pausedUntil: 0,
  factor: 1,
  factorAt: 0,
  paceMs: 0,
  paceUntil: 0,
  dayLimit: 0,
  guessedMs: 0,
}

/** What one answer teaches. Times are counted from when it is learned: clocks of those who teach differ. */
export interface Lesson {
  /** The vendor refused for lack of quota, whatever the status was. */
  readonly refused: boolean
  readonly pauseMs?: number
  readonly pace?: { readonly intervalMs: number; readonly forMs: number }
  readonly day?: { readonly used: number; readonly limit: number }
}

/** Additive increase, multiplicative decrease: a refusal halves the rate, never below a twentieth. */
const CUT = 0.5
const FLOOR = 0.05
/** From the floor back to the whole rate. */
const RECOVERY_MS = 10 * 60_000
/** Calls under way together are refused together: that is one refusal. */
const EPISODE_MS = 2_000
/** A refusal that names no time is waited out for 4 s, one that follows it for four times as long as the one before. */
const GUESS_MS = 4_000
const GUESS_GROWTH = 4
const LONGEST_GUESS_MS = 400_000
/** It follows when the last wait ended less than this ago, or less than that wait was long. */
const CALM_MS = 30_000

/** The numbers above, for interpreters elsewhere. */
export const learning = {
  CUT,
  FLOOR,
  RECOVERY_MS,
  EPISODE_MS,
  GUESS_MS,
  GUESS_GROWTH,
  LONGEST_GUESS_MS,
  CALM_MS,
} as const

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
  const guesses = cut && lesson.pauseMs === undefined
  const guessedMs = guesses ? guessOf(learned, nowMs) : learned.guessedMs
  const pauseMs = lesson.pauseMs ?? (guesses ? guessedMs : -Infinity)
  const pausedUntil = Math.max(learned.pausedUntil, nowMs + pauseMs)
  return {
    pausedUntil,
    factor,
    factorAt: cut ? Math.max(nowMs + EPISODE_MS, pausedUntil) : learned.factorAt,
    paceMs: lesson.pace?.intervalMs ?? learned.paceMs,
    paceUntil: lesson.pace ? nowMs + lesson.pace.forMs : learned.paceUntil,
    dayLimit: lesson.day?.limit ?? learned.dayLimit,
    guessedMs,
  }
}

function guessOf({ guessedMs, factorAt: since }: Learned, nowMs: number): number {
  const isCalm = guessedMs === 0 || nowMs - since > Math.max(CALM_MS, guessedMs)
  return isCalm ? GUESS_MS : Math.min(LONGEST_GUESS_MS, guessedMs * GUESS_GROWTH)
}
