import { AppError } from '../../../src/core/errors.ts'
import type { Receipt } from '../../../src/webhooks/receive.ts'
import type { Violation } from '../simulation.ts'
import { MOST_BODY_BYTES } from './gate-houses.ts'
import { isAway, type Answered, type Hope } from './gate-post.ts'

/** A clock that is off by more than this may take what is old for new, and the other way round. */
const MOST_SKEW_MS = 240_000
const CHUNK_BYTES = 4_096
/** Without faults nobody waits longer, whoever else calls. */
const LONGEST_ANSWER_MS = 1_500

export interface Circumstances {
  readonly skewMs: number
  readonly isCalm: boolean
  /** A stolen secret may still pass for a moment, and a fresh one not yet. */
  readonly mayPass: boolean
  readonly mayFail: boolean
}

/** What is wrong with the answer to a call; nothing where its sender got what it has to get. */
export function problemOf(answer: Answered, around: Circumstances): Violation | undefined {
  const { outcome, posting, tookMs } = answer
  const { what, house, hope } = posting
  const problem = (invariant: number, message: string) => ({
    invariant,
    message: `${what} at ${house.id} ${message}`,
  })
  if (hope.kind !== 'heard if there is room') {
    if (outcome instanceof Error ? false : outcome.kind === 'limited') {
      return problem(8, 'was refused for lack of room that others had used up')
    }
    if (around.isCalm && tookMs > LONGEST_ANSWER_MS) {
      return problem(8, `waited ${Math.round(tookMs)} ms for its answer`)
    }
  }
  if (outcome instanceof Error) return troubleWith(answer, outcome, problem)
  const isOff = Math.abs(around.skewMs) > MOST_SKEW_MS
  const said = outcome.kind
  switch (hope.kind) {
    case 'heard':
    case 'heard if there is room':
    case 'statuses':
      if (said === 'accepted' || (said === 'limited' && hope.kind === 'heard if there is room')) {
        return undefined
      }
      return said === 'refused' && (isOff || around.mayFail)
        ? undefined
        : problem(5, `was genuine, and the answer was ${said}`)
    case 'refused':
      if (said === 'refused' || (hope.offMs !== undefined && isOff) || around.mayPass) {
        return undefined
      }
      return problem(what.includes('tenant') ? 8 : 1, `was no proof, and the answer was ${said}`)
    case 'quarantined':
      if (said === 'unreadable' || (said === 'accepted' && !outcome.synced)) return undefined
      return said === 'refused' && isOff ? undefined : problem(5, `was answered ${said}`)
    case 'too large':
      return problem(8, `was read whole, and the answer was ${said}`)
    case 'greeted':
      return isOff || isGreeting(outcome, hope) ? undefined : problem(5, 'got no right answer')
    case 'turned away':
      return isNoAnswer(outcome) ? undefined : problem(1, `was answered all the same (${said})`)
    case 'unknown':
      return said === 'unknown_registration' ? undefined : problem(1, `was answered ${said}`)
  }
}

function troubleWith(
  { posting: { hope }, read }: Answered,
  error: Error,
  problem: (invariant: number, message: string) => Violation,
): Violation | undefined {
  if (isAway(error)) return undefined
  const isTooLarge = error instanceof AppError && error.code === 'body_too_large'
  if (!isTooLarge || hope.kind !== 'too large') {
    return problem(1, `was answered with a fault of ours: ${error.message}`)
  }
  return read > MOST_BODY_BYTES + CHUNK_BYTES ? problem(8, `was read on and on`) : undefined
}

type Greeted = Extract<Hope, { kind: 'greeted' }>

function isGreeting(outcome: Receipt, { type, body }: Greeted): boolean {
  if (outcome.kind !== 'answered') return false
  const { status, contentType, headers } = outcome.answer
  const isSafe = headers['X-Content-Type-Options'] === 'nosniff'
  return status === 200 && contentType === type && outcome.answer.body === body && isSafe
}

function isNoAnswer(outcome: Receipt): boolean {
  if (outcome.kind === 'refused') return true
  if (outcome.kind !== 'answered') return false
  const { status, body } = outcome.answer
  return status >= 400 && status < 500 && body === ''
}
