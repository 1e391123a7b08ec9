import { AppError } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import type { WebhookPorts } from './ports.ts'

/** A status on a ladder: one that comes late never takes back what a higher one said. */
export interface Rung {
  readonly entityType: string
  readonly externalId: string
  readonly status: string
  readonly rank: number
}

/** The highest status that was told of a thing. */
export interface Standing {
  readonly id: string
  readonly registrationId: string
  readonly entityType: string
  readonly externalId: string
  readonly standing: string
  readonly rank: number
  readonly reachedAt: string
}

/** Of several rungs of one thing the highest. */
export function highest(rungs: readonly Rung[]): ReadonlyMap<string, Rung> {
  const tops = new Map<string, Rung>()
  for (const rung of rungs) {
    const key = thingOf(rung)
    if (rung.rank > (tops.get(key)?.rank ?? -1)) tops.set(key, rung)
  }
  return tops
}

const TRIES = 8

/**
 * Stores how high the things of a delivery have got, and says which of its rungs are behind that. A rung that is told
 * again is not behind: its first delivery may have died after this. Throws `store_unavailable`.
 */
export async function climb(
  ports: Pick<WebhookPorts, 'standings' | 'clock'>,
  registrationId: string,
  rungs: readonly Rung[],
): Promise<ReadonlySet<Rung>> {
  const ranks = new Map<string, number>()
  for (const [key, top] of highest(rungs)) {
    ranks.set(key, await reach(ports, registrationId, top))
  }
  return new Set(rungs.filter((rung) => rung.rank < (ranks.get(thingOf(rung)) ?? 0)))
}

/** The rank that the thing now has. */
async function reach(
  { standings, clock }: Pick<WebhookPorts, 'standings' | 'clock'>,
  registrationId: string,
  { entityType, externalId, status, rank }: Rung,
): Promise<number> {
  const id = idOf('standing', registrationId, entityType, externalId)
  for (let tries = 0; tries < TRIES; tries += 1) {
    const known = await standings.get([registrationId], id)
    if (known && known.document.rank >= rank) return known.document.rank
    const reachedAt = clock().toISOString()
    const thing = { id, registrationId, entityType, externalId }
    const document: Standing = { ...thing, standing: status, rank, reachedAt }
    const written = await standings.write(
      [registrationId],
      [known ? { kind: 'replace', document, etag: known.etag } : { kind: 'create', document }],
    )
    if (written.committed) return rank
  }
  throw new AppError('store_unavailable', 'the standing of a thing changes too often')
}

function thingOf({ entityType, externalId }: Rung): string {
  return JSON.stringify([entityType, externalId])
}
