import type { Take, Verdict } from './bucket.ts'
import type { Lesson } from './learned.ts'

/** What an answer taught, and the keys that it concerns. */
export interface Learning {
  readonly learnedKey: string
  /** The budget that the vendor counts as well. */
  readonly budget?: { readonly key: string; readonly periodMs: number }
  readonly lesson: Lesson
}

/** Where the state of limits lives. Each call is one atomic step. Throws `limits_unavailable`. */
export interface LimitStore {
  take(take: Take): Promise<Verdict>
  learn(learning: Learning): Promise<void>
}
