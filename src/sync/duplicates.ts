import { candidateOf } from './dedupe/match.ts'
import { matchRow } from './dedupe/strategy.ts'
import { isFree } from './draft.ts'
import { partitionOf } from './lease.ts'
import type { SyncPorts } from './ports.ts'
import type { RecordDocument, StreamKey } from './record.ts'
import { recordKeys } from './record-keys.ts'
import { recordFor, type DecodedRow, type Shelf } from './shelf.ts'
import type { Side } from './side.ts'

/** Groups of conditions in one query. */
const KEYS_PER_QUERY = 100

/**
 * For rows never seen: the records that they already are, as the task says. Only records that have no row of this connection
 * yet come into question: two rows of one system are two things.
 */
export async function findDuplicates(
  ports: Pick<SyncPorts, 'shards'>,
  rows: readonly DecodedRow[],
  { shelf, key, side }: { readonly shelf: Shelf; readonly key: StreamKey; readonly side: Side },
): Promise<void> {
  const { duplicates } = side
  if (!duplicates) return
  const unknown = rows.filter(
    (row) =>
      !row.source.deleted && row.source.marker === undefined && !recordFor(shelf, row.externalId),
  )
  const wanted = new Map(unknown.map((row) => [row, recordKeys(row.fields, [side])]))
  const found = await recordsWith(ports, [...new Set([...wanted.values()].flat())], { shelf, key })
  for (const [row, keys] of wanted) {
    const sharing = found.filter(
      (record) =>
        isFree(record, side.connectionId) && record.keys?.some((one) => keys.includes(one)),
    )
    const candidates = sharing.map(({ id, fields }) => candidateOf(id, fields, duplicates.fields))
    const match = matchRow(candidateOf('', row.fields, duplicates.fields), candidates, duplicates)
    if (match.verdict !== 'new' && match.id !== undefined) {
      shelf.matches.set(row.externalId, { recordId: match.id, verdict: match.verdict })
    }
  }
}

async function recordsWith(
  ports: Pick<SyncPorts, 'shards'>,
  keys: readonly string[],
  { shelf, key }: { readonly shelf: Shelf; readonly key: StreamKey },
): Promise<readonly RecordDocument[]> {
  const found = new Map<string, RecordDocument>()
  for (let start = 0; start < keys.length; start += KEYS_PER_QUERY) {
    const anyOf = keys
      .slice(start, start + KEYS_PER_QUERY)
      .map((value) => [{ field: 'keys', is: 'contains', value } as const])
    for await (const { document, etag } of ports.shards.query({ anyOf }, partitionOf(key))) {
      if (document.kind !== 'record') continue
      found.set(document.id, document)
      shelf.records.set(document.id, { document, etag })
    }
  }
  return [...found.values()]
}
