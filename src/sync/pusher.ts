import type { Stored, Write } from '../core/collection.ts'
import { addMs } from '../core/time.ts'
import { partitionOf } from './lease.ts'
import type { SyncPorts } from './ports.ts'
import { pusherId, type PusherDocument, type ShardDocument, type StreamKey } from './record.ts'

type StorePorts = Pick<SyncPorts, 'shards' | 'clock'>

/** The right to write to a connection. The tag changes with every commit: it is the fence. */
export interface HeldPusher {
  readonly key: StreamKey
  readonly stored: Stored<PusherDocument>
}

export type PusherLease =
  | { readonly kind: 'held'; readonly held: HeldPusher }
  /** Somebody else writes, or the vendor asked to wait. */
  | { readonly kind: 'busy'; readonly until: Date }

/**
 * Takes the right to write. It is never taken from somebody whose lease has not run out, not even for the same message: a
 * create that is still under way would be sent a second time.
 */
export async function takePusher(
  ports: StorePorts,
  key: StreamKey,
  { owner, leaseMs }: { readonly owner: string; readonly leaseMs: number },
): Promise<PusherLease> {
  const now = ports.clock()
  const found = await ports.shards.get(partitionOf(key), pusherId(key))
  const before = found?.document.kind === 'pusher' ? found.document : undefined
  const until = [before?.leaseUntil, before?.notBefore].flatMap((at) => at ?? [])
  const latest = until.map((at) => new Date(at)).sort((a, b) => b.getTime() - a.getTime())[0]
  if (latest && latest > now) return { kind: 'busy', until: latest }
  const document: PusherDocument = {
    id: pusherId(key),
    kind: 'pusher',
    ...key,
    epoch: (before?.epoch ?? 0) + 1,
    owner,
    leaseUntil: addMs(now, leaseMs).toISOString(),
    notBefore: null,
    failures: before?.failures ?? 0,
  }
  const outcome = await ports.shards.write(partitionOf(key), [
    found ? { kind: 'replace', document, etag: found.etag } : { kind: 'create', document },
  ])
  if (!outcome.committed) return { kind: 'busy', until: addMs(now, leaseMs) }
  return { kind: 'held', held: { key, stored: { document, etag: outcome.etags[0] ?? '' } } }
}

/** Lets the next worker begin at once; nothing stands in the way of the vendor. */
export function freePusher(now: Date): Partial<PusherDocument> {
  return { leaseUntil: now.toISOString(), failures: 0, waitsFor: null }
}

export type PusherCommit =
  | { readonly kind: 'saved'; readonly held: HeldPusher }
  | { readonly kind: 'lost' }
  /** The index of the document that had changed, among the writes. */
  | { readonly kind: 'conflict'; readonly index: number }

/** Prolongs the lease, together with some documents: all or nothing, and nothing when the lease is somebody else's. */
export async function commitAsPusher(
  ports: StorePorts,
  { key, stored }: HeldPusher,
  change: {
    readonly pusher: Partial<PusherDocument>
    readonly writes?: readonly Write<ShardDocument>[]
  },
): Promise<PusherCommit> {
  const document = { ...stored.document, ...change.pusher }
  const outcome = await ports.shards.write(partitionOf(key), [
    { kind: 'replace', document, etag: stored.etag },
    ...(change.writes ?? []),
  ])
  if (outcome.committed) {
    return { kind: 'saved', held: { key, stored: { document, etag: outcome.etags[0] ?? '' } } }
  }
  return outcome.conflict === 0
    ? { kind: 'lost' }
    : { kind: 'conflict', index: outcome.conflict - 1 }
}
