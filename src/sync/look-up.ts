import type { Stored } from '../core/collection.ts'
import { partitionOf } from './lease.ts'
import type { SyncPorts } from './ports.ts'
import type { LinkDocument, RecordDocument, StreamKey } from './record.ts'
import { idsFor, type DecodedRow, type Shelf } from './shelf.ts'

/** One round trip for rows that are records of their own, a second one for those linked to others. */
export async function lookUp(
  ports: Pick<SyncPorts, 'shards' | 'clock'>,
  key: StreamKey,
  rows: readonly Pick<DecodedRow, 'source'>[],
): Promise<Shelf> {
  const partition = partitionOf(key)
  const links = new Map<string, Stored<LinkDocument>>()
  const records = new Map<string, Stored<RecordDocument>>()
  const read = async (ids: readonly string[]) => {
    for (const { document, etag } of await ports.shards.getMany(partition, ids)) {
      if (document.kind === 'link') links.set(document.externalId, { document, etag })
      if (document.kind === 'record') records.set(document.id, { document, etag })
    }
  }
  await read(rows.flatMap((row) => idsFor(key, row)))
  const elsewhere = [...links.values()].map(({ document }) => document.recordId)
  const missing = elsewhere.filter((recordId) => !records.has(recordId))
  if (missing.length > 0) await read(missing)
  return { links, records, writes: new Map(), matches: new Map(), now: ports.clock() }
}
