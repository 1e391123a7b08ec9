import { MINUTE_MS } from '../core/time.ts'
import type { WebhookPorts } from './ports.ts'
import { usageId, type SecretUsage } from './registration.ts'

interface Count {
  readonly registrationId: string
  readonly secretId: string
  count: number
  lastUsed: Date
  storedAt: number
}

export interface UsageCounter {
  /** Counts a match. The first one and then one a minute stores what was counted; that never fails. */
  count(registrationId: string, secretId: string): Promise<void>
  /** Stores everything that was counted. */
  flush(): Promise<void>
}

/** A write per request would cost more than the request: counts are kept here and added to the stored ones. */
export function openUsageCounter(
  ports: Pick<WebhookPorts, 'usage' | 'clock' | 'log'>,
): UsageCounter {
  const counts = new Map<string, Count>()
  const store = async (count: Count): Promise<void> => {
    const taken = count.count
    if (taken === 0) return
    count.count = 0
    try {
      if (!(await add(ports, count, taken))) count.count += taken
    } catch {
      count.count += taken
      ports.log.warn('the use of a webhook secret could not be counted yet', {
        registrationId: count.registrationId,
      })
    }
  }
  return {
    count: async (registrationId, secretId) => {
      const now = ports.clock()
      const key = `${registrationId}/${secretId}`
      const known = counts.get(key)
      const count = known ?? { registrationId, secretId, count: 0, lastUsed: now, storedAt: 0 }
      counts.set(key, count)
      count.count += 1
      count.lastUsed = now
      if (now.getTime() - count.storedAt < MINUTE_MS) return
      count.storedAt = now.getTime()
      await store(count)
    },
    flush: async () => {
      await Promise.all([...counts.values()].map(store))
    },
  }
}

/** False when another instance stored in the same moment: next time. */
async function add(
  { usage }: Pick<WebhookPorts, 'usage'>,
  { registrationId, secretId, lastUsed }: Count,
  more: number,
): Promise<boolean> {
  const id = usageId(secretId)
  const stored = await usage.get([registrationId], id)
  const count = (stored?.document.count ?? 0) + more
  const lastUsedAt = lastUsed.toISOString()
  const document: SecretUsage = { id, registrationId, secretId, count, lastUsedAt }
  const written = await usage.write(
    [registrationId],
    [stored ? { kind: 'replace', document, etag: stored.etag } : { kind: 'create', document }],
  )
  return written.committed
}
