import { compactLog, isCurrent, type Container, type Item, type Partition } from './container.ts'
import { badRequest } from './errors.ts'

export interface FeedRequest {
  readonly container: Container
  readonly covers: (partition: Partition) => boolean
  /** Everything after this log sequence number. */
  readonly afterLsn: number
  /** Nothing that was last written before (milliseconds since the epoch). */
  readonly sinceMs: number
  readonly maxItems: number
}

export interface FeedPage {
  readonly items: readonly Item[]
  /** Where the next page goes on. */
  readonly lsn: number
}

/**
 * The next changes in the order in which they were written, in the mode LatestVersion: one entry for each item, its
 * present state; deletions do not show.
 */
export function readChanges(request: FeedRequest): FeedPage {
  const { container, covers, sinceMs, maxItems } = request
  compactLog(container)
  const items: Item[] = []
  for (let index = firstAfter(container.log, request.afterLsn); ; index += 1) {
    const item = container.log[index]
    if (!item) return { items, lsn: Math.max(container.lastLsn, request.afterLsn) }
    if (!isCurrent(container, item) || item.modifiedMs < sinceMs || !covers(item.partition))
      continue
    if (items.length === maxItems) return { items, lsn: items.at(-1)?.lsn ?? request.afterLsn }
    items.push(item)
  }
}

/** Reads `if-none-match`: absent is the beginning, `*` is now, otherwise the etag of the page before. */
export function feedPosition(condition: string | undefined, container: Container): number {
  if (condition === undefined) return 0
  if (condition === '*') return container.lastLsn
  const match = /^"?(\d+)"?$/.exec(condition)
  if (!match) throw badRequest(`The change feed continuation ${condition} is invalid.`)
  return Number(match[1])
}

export function feedEtag(lsn: number): string {
  return `"${lsn}"`
}

function firstAfter(log: readonly Item[], lsn: number): number {
  let [low, high] = [0, log.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((log[middle]?.lsn ?? Number.POSITIVE_INFINITY) > lsn) high = middle
    else low = middle + 1
  }
  return low
}
