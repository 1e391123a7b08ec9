import { quantile } from '../bench/harness.ts'
import type { Kind } from './ledger.ts'

export interface Latencies {
  readonly kind: Kind
  readonly idle: readonly number[]
  readonly loaded: readonly number[]
}

/** Everything that a soak has seen. */
export interface Seen {
  readonly minutes: number
  /** Things a second: what the stack took in bursts, and four fifths of it. */
  readonly capacity: number
  readonly load: number
  /** What it was given on average: the flood yields while other work of the machine lets it take less. */
  readonly given: number
  readonly events: number
  readonly accepted: number
  readonly retried: number
  readonly edits: number
  readonly mishaps: number
  readonly notifications: { readonly accepted: number; readonly heard: number }
  /** Rows whose last value is not on the other side, with what is there instead. */
  readonly lost: readonly string[]
  /** What was parked, and why. */
  readonly parked: readonly string[]
  readonly deadLettered: number
  /** Accepted webhooks of which no delivery is on record, and deliveries that still wait for a queue. */
  readonly unrecorded: number
  readonly undispatched: number
  /** Bytes of the functions' process, from the beginning of the load to its end. */
  readonly memory: readonly number[]
  readonly latencies: readonly Latencies[]
}

export interface Check {
  readonly what: string
  readonly holds: boolean
  readonly seen: string
}

const MB = 1024 * 1024
const P95_FACTOR = 2
/** Two looks of the watcher: what is nearer than this cannot be told apart. */
const RESOLUTION_MS = 200
const MEMORY_FACTOR = 1.15
const MEMORY_SLACK = 24 * MB
/** Parts of the time that are compared; the first one is for warming up. */
const PARTS = 5

/** What must hold. Speed and memory are judged only where a machine's time is meant to be. */
export function checksOf(seen: Seen, { judgesTime }: { readonly judgesTime: boolean }): Check[] {
  return [
    nothing('values lost between the two sides', seen.lost.length, firstOf(seen.lost)),
    nothing('accepted webhooks without a delivery on record', seen.unrecorded),
    nothing('deliveries that wait for a queue', seen.undispatched),
    nothing('parked rows, messages and pushes', seen.parked.length, firstOf(seen.parked)),
    nothing('dead letters', seen.deadLettered),
    nothing(
      'accepted notifications that no phone heard',
      seen.notifications.accepted - seen.notifications.heard,
    ),
    {
      what: 'every webhook was accepted in the end',
      holds: seen.accepted === seen.events && seen.events > 0,
      seen: `${seen.accepted} of ${seen.events}`,
    },
    ...(judgesTime ? [memoryCheck(seen.memory), ...seen.latencies.map(latencyCheck)] : []),
  ]
}

function firstOf(texts: readonly string[]): string {
  return texts.slice(0, 5).join('; ')
}

function nothing(what: string, count: number, details = ''): Check {
  return { what: `no ${what}`, holds: count === 0, seen: `${count}${details && `: ${details}`}` }
}

function memoryCheck(memory: readonly number[]): Check {
  const size = Math.floor(memory.length / PARTS)
  const early = quantile(memory.slice(size, 2 * size), 0.5)
  const late = quantile(memory.slice(-size), 0.5)
  return {
    what: `memory of the functions is flat: late within ${MEMORY_FACTOR} of early`,
    holds: late <= early * MEMORY_FACTOR + MEMORY_SLACK,
    seen: `${(early / MB).toFixed(0)} MB, then ${(late / MB).toFixed(0)} MB`,
  }
}

function latencyCheck({ kind, idle, loaded }: Latencies): Check {
  const [before, beside] = [quantile(idle, 0.95), quantile(loaded, 0.95)]
  return {
    what: `light tenants' p95, ${kind}: loaded within ${P95_FACTOR} of idle`,
    holds:
      beside <= P95_FACTOR * before || (kind !== 'webhook' && beside - before <= RESOLUTION_MS),
    seen: `${before.toFixed(0)} ms of ${idle.length}, then ${beside.toFixed(0)} ms of ${loaded.length}`,
  }
}

/** The summary, as Markdown. */
export function summaryOf(seen: Seen, checks: readonly Check[]): string {
  const { capacity, load, given, minutes, events, edits, retried, mishaps, notifications } = seen
  const failed = checks.filter(({ holds }) => !holds).length
  return [
    `# Soak: ${failed === 0 ? 'everything held' : `${failed} of ${checks.length} checks failed`}`,
    '',
    `${minutes} minutes at up to ${load.toFixed(0)} things a second, ${given.toFixed(0)} on average; the stack took ${capacity.toFixed(0)} in bursts.`,
    `${events} webhooks, ${edits} edits of our own, ${notifications.accepted} notifications, ${mishaps} mishaps at vendors,`,
    `${retried} calls that were made again.`,
    '',
    '| check | seen | holds |',
    '| --- | --- | --- |',
    ...checks.map(
      ({ what, seen: text, holds }) => `| ${what} | ${text} | ${holds ? 'yes' : '**no**'} |`,
    ),
    '',
    '| light tenants | idle p50 / p95 / p99 ms | loaded p50 / p95 / p99 ms |',
    '| --- | --- | --- |',
    ...seen.latencies.map(
      ({ kind, idle, loaded }) => `| ${kind} | ${quantiles(idle)} | ${quantiles(loaded)} |`,
    ),
    '',
  ].join('\n')
}

function quantiles(values: readonly number[]): string {
  return [0.5, 0.95, 0.99].map((share) => quantile(values, share).toFixed(0)).join(' / ')
}
