import type { Clock } from '../core/time.ts'
import {
  decide,
  freshGate,
  type GateState,
  type Share,
  type Take,
  type TakeKeys,
  type View,
} from './bucket.ts'
import { learn, nothingLearned, type Learned } from './learned.ts'
import type { LimitStore } from './ports.ts'
import { recent } from './recent.ts'

/** Limits of this process alone. */
export function localLimits(clock: Clock): LimitStore {
  const gates = recent<GateState>()
  const learned = recent<Learned>()
  const shares = recent<Share>()
  const queues = recent<number>()
  const contenders = recent<Map<string, number>>()

  const viewOf = ({ gates: asked, keys, tenant }: Take, nowMs: number): View => {
    const waiting = forget(contenders.get(keys.contenders), nowMs)
    const contends = waiting?.has(tenant) ?? false
    return {
      states: asked.map(({ key }) => gates.get(key) ?? freshGate),
      learned: learned.get(keys.learned) ?? nothingLearned,
      share: shares.get(keys.share) ?? { ahead: 0, recent: 0, at: nowMs },
      others: tenant === '' ? 0 : (waiting?.size ?? 0) - (contends ? 1 : 0),
      contends,
      queue: queues.get(keys.queue) ?? 0,
      sharedQueue: queues.get(keys.sharedQueue) ?? 0,
    }
  }
  const contend = ({ contenders: key }: TakeKeys, tenant: string, until: number) => {
    const waiting = contenders.get(key) ?? new Map<string, number>()
    waiting.set(tenant, until)
    contenders.set(key, waiting)
  }
  return {
    take: async (take) => {
      const nowMs = clock().getTime()
      const change = decide(take, viewOf(take, nowMs), nowMs)
      for (const [index, { key }] of take.gates.entries()) {
        const state = change.states?.[index]
        if (state) gates.set(key, state)
      }
      const { share, queue, sharedQueue, contendsUntil } = change
      if (take.tenant !== '' && share) shares.set(take.keys.share, share)
      if (queue !== undefined) queues.set(take.keys.queue, queue)
      if (sharedQueue !== undefined) queues.set(take.keys.sharedQueue, sharedQueue)
      if (take.tenant !== '' && contendsUntil !== undefined) {
        contend(take.keys, take.tenant, contendsUntil)
      }
      return change.verdict
    },
    learn: async ({ learnedKey, budget, lesson }) => {
      const nowMs = clock().getTime()
      learned.set(learnedKey, learn(learned.get(learnedKey) ?? nothingLearned, lesson, nowMs))
      if (!budget || !lesson.day) return
      const start = Math.floor(nowMs / budget.periodMs) * budget.periodMs
      const [period, used] = gates.get(budget.key) ?? freshGate
      gates.set(budget.key, [start, Math.max(period === start ? used : 0, lesson.day.used)])
    },
  }
}

/** Those who have lost interest no longer count. */
function forget(waiting: Map<string, number> | undefined, nowMs: number) {
  for (const [tenant, until] of waiting ?? []) if (until < nowMs) waiting?.delete(tenant)
  return waiting
}
