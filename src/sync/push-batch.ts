import type { Stored } from '../core/collection.ts'
import { partitionOf } from './lease.ts'
import type { Pushing } from './outbound.ts'
import type { RecordDocument } from './record.ts'

/** Records that are pushed together. */
export interface Batch {
  readonly records: readonly Stored<RecordDocument>[]
  /** When the next one of those that wait may be tried again. */
  readonly waitUntil: Date | undefined
}

/** The message's own record first: somebody has just changed it, and may be waiting. */
export async function firstBatch(pushing: Pushing, size: number): Promise<Batch> {
  const { ports, key, message } = pushing
  const [own, waiting] = await Promise.all([
    ports.shards.get(partitionOf(key), message.entityId),
    waitingIn(pushing, { size, except: new Set() }),
  ])
  const before = own?.document.kind === 'record' ? [{ document: own.document, etag: own.etag }] : []
  return sorted(pushing, { found: [...before, ...waiting], size })
}

/** Records with this connection in their outbox, without those that are under way. */
export async function nextBatch(
  pushing: Pushing,
  size: number,
  underWay: readonly Stored<RecordDocument>[] = [],
): Promise<Batch> {
  const except = new Set(underWay.map(({ document }) => document.id))
  return sorted(pushing, { found: await waitingIn(pushing, { size, except }), size })
}

interface Wanted {
  readonly size: number
  readonly except: ReadonlySet<string>
}

/** As many as may be tried now, and those that have to wait as far as they were met. */
async function waitingIn(
  { ports, key }: Pushing,
  { size, except }: Wanted,
): Promise<readonly Stored<RecordDocument>[]> {
  const found: Stored<RecordDocument>[] = []
  const now = ports.clock()
  const waiting = { field: 'pending', is: 'contains', value: key.connectionId } as const
  const query = { anyOf: [[waiting]], pageSize: size + except.size }
  let ready = 0
  for await (const { document, etag } of ports.shards.query(query, partitionOf(key))) {
    if (document.kind !== 'record' || except.has(document.id)) continue
    found.push({ document, etag })
    if (retryAtOf(document, key.connectionId, now) <= now) ready += 1
    if (ready >= size) break
  }
  return found
}

function retryAtOf({ links }: RecordDocument, connectionId: string, now: Date): Date {
  const retryAt = links[connectionId]?.retryAt
  return retryAt === undefined ? now : new Date(retryAt)
}

function sorted(
  { ports, key }: Pushing,
  { found, size }: { readonly found: readonly Stored<RecordDocument>[]; readonly size: number },
): Batch {
  const now = ports.clock()
  const ready = new Map<string, Stored<RecordDocument>>()
  let waitUntil: Date | undefined
  for (const stored of found) {
    const { document } = stored
    if (!document.pending.includes(key.connectionId)) continue
    const at = retryAtOf(document, key.connectionId, now)
    if (at <= now) ready.set(document.id, stored)
    else if (!waitUntil || at < waitUntil) waitUntil = at
  }
  return { records: [...ready.values()].slice(0, size), waitUntil }
}
