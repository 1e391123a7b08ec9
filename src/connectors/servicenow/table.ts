import type {
  DeletedPage,
  IdPage,
  Stream,
  VendorPage,
  VendorPageRequest,
  VendorRow,
} from '../connector.ts'
import type { VendorClient } from '../client.ts'
import { textAt } from '../json.ts'
import { tablePush } from './push.ts'
import { isHidden, totalOf } from './gone.ts'
import {
  asStored,
  askTable,
  ignoredFilter,
  parametersFor,
  rowOf,
  type List,
  type Table,
} from './row.ts'
import { isoOf, stampOf } from './stamp.ts'

/** A transaction on an instance may run for minutes; a row of it appears with the stamp of its beginning. */
const OVERLAP_MS = 5 * 60_000

/** What an instance gives at a time at most (`glide.processor.json.row_limit`). */
const MOST_ROWS = 10_000

/**
 * Rows that access rules hide are counted but not given. Those behind a place are looked at again from it, not passed over
 * by an offset: one that somebody edits meanwhile moves to the end, and what lay behind it would come to lie before the
 * offset.
 */
export function windowOf({ skip, limit }: Pick<VendorPageRequest, 'skip' | 'limit'>): Window {
  const most = Math.min(skip + limit, MOST_ROWS)
  return { skip: skip + limit - most, limit: most }
}

type Window = Pick<VendorPageRequest, 'skip' | 'limit'>

/** A table of the Table API as a stream ordered by (sys_updated_on, sys_id). */
export function tableStream(entityType: string, table: Table): Stream {
  return {
    entityType,
    mapping: { entityType, fields: [...table.fields] },
    overlapMs: OVERLAP_MS,
    fetchPage: async (client, { after, ...place }, signal) => {
      const window = windowOf(place)
      const query = {
        ...parametersFor(table),
        sysparm_query: queryFor({ stamp: 'sys_updated_on', id: 'sys_id' }, after),
        sysparm_limit: String(window.limit),
        sysparm_offset: String(window.skip),
      }
      const list = await askTable(client, { table: table.name, query }, signal)
      return list.kind === 'list' ? pageOf(list, { after, ...window }, table.markerField) : list
    },
    ...(table.hasDeleteLog
      ? {
          fetchDeleted: (client, request, signal) =>
            fetchDeleted(client, { ...request, table: table.name }, signal),
        }
      : {}),
    fetchIds: (client, request, signal) =>
      fetchIds(client, { ...request, table: table.name }, signal),
    push: tablePush(table),
  }
}

/**
 * Rows behind a place, in order. Stamps are whole seconds, so many rows share one: the id decides among them (keyset
 * paging; a bare `>` would lose rows, offsets would skip some while rows move). `within` holds for every row.
 */
export function queryFor(
  {
    stamp,
    id,
    within = '',
  }: { readonly stamp: string; readonly id: string; readonly within?: string },
  after: VendorPageRequest['after'],
): string {
  const order = `ORDERBY${stamp}^ORDERBY${id}`
  if (after === null) return `${within}${order}`
  const time = stampOf(after.time)
  if (after.id === '') return `${within}${stamp}>=${time}^${order}`
  return `${within}${stamp}>${time}^NQ${within}${stamp}=${time}^${id}>${after.id}^${order}`
}

type Listed = Extract<List, { kind: 'list' }>

function pageOf(
  list: Listed,
  request: VendorPageRequest,
  markerField: string | undefined,
): VendorPage {
  const rows = list.items.map((item) => rowOf(item, markerField))
  const unreadable = rows.findIndex((row) => row === undefined)
  if (unreadable !== -1) {
    const reason = `row ${unreadable} of the page has no usable sys_id and sys_updated_on`
    return { kind: 'refused', code: 'vendor_unexpected_answer', reason }
  }
  const read = rows.filter((row) => row !== undefined)
  if (read.some((row) => !isBehind(row.cursor, request.after))) return ignoredFilter
  return { kind: 'page', rows: read, more: hasMore(list.headers, request, read.length) }
}

/**
 * Whether rows follow. The limit is applied before access rules hide rows, so a short or empty page is not the end. Where
 * the instance links its pages a missing `next` is; where it does not, an offset behind the total. A full page never is:
 * totals may lie.
 */
function hasMore(
  headers: Headers,
  { skip, limit }: Pick<VendorPageRequest, 'skip' | 'limit'>,
  rows: number,
): boolean {
  if (rows >= limit) return true
  const link = headers.get('link')
  if (link !== null) return /\brel="?next"?/.test(link)
  return (totalOf({ headers }) ?? 0) > skip + limit
}

function isBehind(cursor: VendorRow['cursor'], after: VendorPageRequest['after']): boolean {
  if (after === null) return true
  return cursor.time === after.time ? cursor.id > after.id : cursor.time > after.time
}

interface Deletions {
  readonly table: string
  readonly since: VendorPageRequest['after']
  readonly limit: number
}

/** `sys_audit_delete` holds a row for each deleted record of an audited table; reading it needs rights that few have. */
async function fetchDeleted(
  client: VendorClient,
  { table, since, limit }: Deletions,
  signal: AbortSignal,
): Promise<DeletedPage> {
  const within = `tablename=${table}^`
  const query = {
    ...asStored,
    sysparm_query: queryFor({ stamp: 'sys_created_on', id: 'documentkey', within }, since),
    sysparm_fields: 'sys_created_on,tablename,documentkey',
    sysparm_limit: String(limit),
  }
  const list = await askTable(client, { table: 'sys_audit_delete', query }, signal)
  if (list.kind === 'refused' && list.code === 'vendor_failed') return { kind: 'unavailable' }
  if (list.kind !== 'list') return list
  if (isHidden(list)) return { kind: 'unavailable' }
  const rows = list.items.flatMap((item) => {
    const externalId = textAt(item, 'documentkey')
    const time = isoOf(textAt(item, 'sys_created_on'))
    if (textAt(item, 'tablename') !== table || !externalId || time === undefined) return []
    return isBehind({ time, id: externalId }, since) ? [{ externalId, time }] : []
  })
  if (rows.length < list.items.length) return ignoredFilter
  return { kind: 'page', rows, more: hasMore(list.headers, { skip: 0, limit }, rows.length) }
}

interface Ids {
  readonly table: string
  readonly after: string | null
  readonly limit: number
}

/** Pages whose rows are all hidden from us are passed over. */
async function fetchIds(
  client: VendorClient,
  { table, after, limit }: Ids,
  signal: AbortSignal,
): Promise<IdPage> {
  for (let skip = 0; ; skip += limit) {
    const query = {
      ...asStored,
      sysparm_query: `${after === null ? '' : `sys_id>${after}^`}ORDERBYsys_id`,
      sysparm_fields: 'sys_id',
      sysparm_limit: String(limit),
      sysparm_offset: String(skip),
    }
    const list = await askTable(client, { table, query }, signal)
    if (list.kind !== 'list') return list
    const ids = list.items.flatMap((item) => textAt(item, 'sys_id') ?? [])
    if (after !== null && ids.some((id) => id <= after)) return ignoredFilter
    const more = hasMore(list.headers, { skip, limit }, ids.length)
    if (ids.length > 0 || !more) return { kind: 'page', ids, more }
  }
}
