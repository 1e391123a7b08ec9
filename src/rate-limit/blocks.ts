import { SECOND_MS, type Clock } from '../core/time.ts'
import type { Gate, Take, Verdict } from './bucket.ts'
import type { Share } from './gates.ts'
import { recent } from './recent.ts'

/** What of one limit was taken ahead. */
interface Block {
  left: number
  size: number
  takenAt: number
  /** Callers that wait while more is taken. */
  waiting: number
  filling: Promise<void> | undefined
  /** Whoever was refused stays so until the limit has room: to ask again would only cost. */
  refused: { readonly until: number; readonly level: string; readonly asksAt: number } | undefined
}

/** A block is what the last pace uses up in so long: then the limit is asked again. */
const BLOCK_MS = SECOND_MS / 2
const MOST_GROWTH = 4
/** No process holds more than this part of what may come at once. */
const MOST_OF_ALLOWANCE = 1 / 8
/** What was not used by then belongs to a minute that is over. */
const LIVES_MS = 60 * SECOND_MS

/** Who is refused waits at least so long, or a flood would be one of questions. */
const LEAST_WAIT_MS = BLOCK_MS / 2

type Compose = (share: Share) => Take

export interface BlockPorts {
  readonly take: (compose: Compose) => Promise<Verdict>
  readonly clock: Clock
}

/**
 * Decides on calls that come in floods without asking the shared limits about each: what a process needs in half a second
 * is taken at once, one call where calls are rare. All limits of a call are passed, or nothing is used of any.
 */
export function blockwise({ take, clock }: BlockPorts) {
  const blocks = recent<Block>()
  const blockOf = ({ key }: Gate): Block => {
    const found = blocks.get(key)
    if (found) return found
    const block: Block = {
      left: 0,
      size: 0,
      takenAt: 0,
      waiting: 0,
      filling: undefined,
      refused: undefined,
    }
    blocks.set(key, block)
    return block
  }
  const fill = async (compose: Compose, lacking: readonly Gate[]) => {
    const keys = new Set(lacking.map(({ key }) => key))
    const nowMs = clock().getTime()
    let cost = Math.min(...lacking.map((gate) => nextSize(blockOf(gate), gate, nowMs)))
    for (;;) {
      let asked: readonly Gate[] = []
      const verdict = await take((share) => {
        const whole = compose(share)
        asked = whole.gates.filter(({ key }) => keys.has(key))
        return { ...whole, gates: asked, cost }
      })
      const takenAt = clock().getTime()
      if (verdict.kind === 'allowed') {
        for (const gate of lacking) {
          Object.assign(blockOf(gate), { left: cost, size: cost, takenAt, refused: undefined })
        }
        return
      }
      const { waitMs, level } = verdict
      const gate = asked.find((one) => one.level === level)
      if (gate?.kind !== 'pace') throw new Error(`the limit of its ${level} is no pace`)
      // Of a block that is too large the wait tells how much of it there is.
      const excess = Math.max(1, Math.ceil(waitMs / gate.intervalMs))
      if (excess >= cost) {
        const singleMs = Math.max(LEAST_WAIT_MS, waitMs - (cost - 1) * gate.intervalMs)
        const asksAt = takenAt + Math.min(singleMs, SECOND_MS)
        blockOf(gate).refused = { until: takenAt + singleMs, level, asksAt }
        return
      }
      cost -= excess
    }
  }
  const fillOnce = async (compose: Compose, lacking: readonly Gate[]) => {
    const filling = fill(compose, lacking)
    const settled = filling.catch(() => {})
    for (const gate of lacking) blockOf(gate).filling = settled
    try {
      await filling
    } finally {
      for (const gate of lacking) blockOf(gate).filling = undefined
    }
  }
  return async (compose: Compose): Promise<Verdict> => {
    const { gates } = compose({ part: 1 })
    for (;;) {
      const nowMs = clock().getTime()
      const own = gates.map((gate) => ({ gate, block: blockOf(gate) }))
      const refused = own.map(({ block }) => block.refused).find((one) => one && one.asksAt > nowMs)
      if (refused) {
        return { kind: 'wait', waitMs: refused.until - nowMs, level: refused.level }
      }
      const lacking = own.filter(({ block }) => block.left < 1 || block.takenAt + LIVES_MS <= nowMs)
      if (lacking.length === 0) {
        for (const { block } of own) block.left -= 1
        return { kind: 'allowed', delayMs: 0 }
      }
      const busy = lacking.find(({ block }) => block.filling !== undefined)?.block
      if (!busy) {
        await fillOnce(
          compose,
          lacking.map(({ gate }) => gate),
        )
        continue
      }
      busy.waiting += 1
      await busy.filling
      busy.waiting -= 1
    }
  }
}

function nextSize({ size, takenAt, waiting }: Block, gate: Gate, nowMs: number): number {
  const most = gate.kind === 'pace' ? Math.floor(gate.allowance * MOST_OF_ALLOWANCE) : 1
  const used = (size * BLOCK_MS) / Math.max(1, nowMs - takenAt)
  const grown = Math.min(Math.floor(used), size * MOST_GROWTH)
  return Math.max(1, Math.min(most, Math.max(grown, waiting)))
}
