import type { IdPage, Stream, VendorPage, VendorPageRequest } from '../connector.ts'
import type { VendorClient } from '../client.ts'
import { ask, behind, quoted, type SObject } from './query.ts'
import { objectPush } from './push.ts'

/** A transaction may run for ten minutes; its rows appear with stamps from within it. */
const OVERLAP_MS = 10 * 60_000
const MOST_ROWS = 2_000

/** The rows of an object in the order of (SystemModstamp, Id), with those that were deleted. */
export function objectStream(entityType: string, object: SObject): Stream {
  return {
    entityType,
    mapping: { entityType, fields: [...object.fields] },
    overlapMs: OVERLAP_MS,
    fetchPage: (client, request, signal) => fetchPage(client, { object, request }, signal),
    fetchIds: (client, request, signal) => fetchIds(client, { object, ...request }, signal),
    push: objectPush(object),
  }
}

/**
 * Each page is a query of its own behind the last row: the locator of a long query would end after two days, and with
 * it the run.
 */
async function fetchPage(
  client: VendorClient,
  { object, request }: { readonly object: SObject; readonly request: VendorPageRequest },
  signal: AbortSignal,
): Promise<VendorPage> {
  const { after, skip, limit } = request
  const size = Math.min(limit, MOST_ROWS)
  const offset = skip > 0 ? ` OFFSET ${skip}` : ''
  const order = `ORDER BY SystemModstamp, Id LIMIT ${size}${offset}`
  const rest = `${behind(after)} ${order}`
  const found = await ask(client, { object, verb: 'queryAll', rest }, signal)
  if (found.kind !== 'rows') return found
  const isBehind = found.rows.every(
    ({ cursor }) =>
      after === null ||
      (cursor.time === after.time ? cursor.id > after.id : cursor.time > after.time),
  )
  if (!isBehind) {
    const reason = 'it ignored the query and sent other rows'
    return { kind: 'refused', code: 'vendor_ignored_filter', reason }
  }
  if (found.rows.length === 0 && !found.isLast) {
    return { kind: 'retry', reason: 'it sent an empty page and says that more follow' }
  }
  // The size of a page is advice to it: less than asked for is the end only where it says so.
  return { kind: 'page', rows: found.rows, more: !found.isLast || found.rows.length >= size }
}

async function fetchIds(
  client: VendorClient,
  { object, after, limit }: { object: SObject; after: string | null; limit: number },
  signal: AbortSignal,
): Promise<IdPage> {
  const size = Math.min(limit, MOST_ROWS)
  const where = after === null ? '' : `WHERE Id > ${quoted(after)} `
  const bare = { name: object.name, fields: [], markerField: undefined }
  const rest = `${where}ORDER BY Id LIMIT ${size}`
  const found = await ask(client, { object: bare, verb: 'query', rest }, signal)
  if (found.kind !== 'rows') return found
  const ids = found.rows.map(({ externalId }) => externalId)
  return { kind: 'page', ids, more: ids.length > 0 && (!found.isLast || ids.length >= size) }
}
