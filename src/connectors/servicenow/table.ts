import type { Json, JsonObject } from '../../core/canonical-json.ts'
import type { VendorClient } from '../client.ts'
import type {
  FieldRule,
  Stream,
  VendorPage,
  VendorPageRequest,
  VendorRow,
  VendorRowOutcome,
} from '../connector.ts'
import { problemOf, type OutcomeRule } from '../outcome.ts'
import { isoOf, stampOf } from './stamp.ts'

/** ServiceNow queues the calls of one session and answers 202 to those that it drops: not a success. */
const rules: readonly OutcomeRule[] = [
  { from: 202, outcome: 'retry', reason: 'it dropped the call' },
]

/** A transaction on an instance may run for minutes; a row of it appears with the stamp of its beginning. */
const OVERLAP_MS = 5 * 60_000

const ORDER = 'ORDERBYsys_updated_on^ORDERBYsys_id'
const CURSOR_FIELDS = ['sys_id', 'sys_updated_on', 'sys_mod_count']

/** A table of the Table API as a stream ordered by (sys_updated_on, sys_id). */
export function tableStream(table: string, fields: FieldRule[]): Stream {
  const wanted = [...new Set([...CURSOR_FIELDS, ...fields.map(({ external }) => external)])].join(
    ',',
  )
  return {
    entityType: table,
    mapping: { entityType: table, fields },
    overlapMs: OVERLAP_MS,
    fetchPage: async (client, request, signal) => {
      const query = {
        sysparm_query: queryFor(request.after),
        sysparm_fields: wanted,
        sysparm_limit: String(request.limit),
        sysparm_offset: String(request.skip),
        sysparm_display_value: 'false',
        sysparm_exclude_reference_link: 'true',
      }
      const path = `/api/now/table/${encodeURIComponent(table)}`
      const answer = await client.call({ method: 'GET', path, query }, signal)
      return pageOf(answer, request, client.now())
    },
    fetchOne: async (client, externalId, signal) => {
      const query = {
        sysparm_fields: wanted,
        sysparm_display_value: 'false',
        sysparm_exclude_reference_link: 'true',
      }
      const path = `/api/now/table/${encodeURIComponent(table)}/${encodeURIComponent(externalId)}`
      return rowOf(await client.call({ method: 'GET', path, query }, signal), client.now())
    },
  }
}

/**
 * Rows behind a place. Stamps are whole seconds, so many rows share one: the id decides among them (keyset paging; a bare
 * `>` would lose rows, offsets would skip some while rows move).
 */
export function queryFor(after: VendorPageRequest['after']): string {
  if (after === null) return ORDER
  const stamp = stampOf(after.time)
  if (after.id === '') return `sys_updated_on>=${stamp}^${ORDER}`
  return `sys_updated_on>${stamp}^NQsys_updated_on=${stamp}^sys_id>${after.id}^${ORDER}`
}

/** ServiceNow answers 404 with this error for a record that is gone or hidden, and another for a table that is none. */
function rowOf(answer: Awaited<ReturnType<VendorClient['call']>>, now: Date): VendorRowOutcome {
  if (answer.kind === 'answer' && answer.status === 404 && isObject(answer.body)) {
    const { error } = answer.body
    if (isObject(error) && error['message'] === 'No Record found') return { kind: 'gone' }
  }
  const problem = problemOf(answer, rules, now)
  if (problem) return problem
  const { body } = answer as Extract<typeof answer, { kind: 'answer' }> // all else is a problem
  const row = toRow((isObject(body) ? body['result'] : undefined) ?? null)
  if (row) return { kind: 'row', row }
  const reason = 'the record has no usable sys_id and sys_updated_on'
  return { kind: 'refused', code: 'vendor_unexpected_answer', reason }
}

function pageOf(
  answer: Awaited<ReturnType<VendorClient['call']>>,
  request: VendorPageRequest,
  now: Date,
): VendorPage {
  const problem = problemOf(answer, rules, now)
  if (problem) return problem
  // problemOf has a problem for everything else than an answer.
  const { headers, body } = answer as Extract<typeof answer, { kind: 'answer' }>
  const result = isObject(body) ? body['result'] : undefined
  if (!Array.isArray(result)) return { kind: 'retry', reason: 'it answered without a result list' }
  const rows = result.map(toRow)
  const unreadable = rows.findIndex((row) => row === undefined)
  if (unreadable !== -1) {
    const reason = `row ${unreadable} of the page has no usable sys_id and sys_updated_on`
    return { kind: 'refused', code: 'vendor_unexpected_answer', reason }
  }
  const read = rows.filter((row) => row !== undefined)
  // An instance ignores a query term that it does not understand, and then returns the whole table.
  if (read.some((row) => !isBehind(row, request.after))) {
    return {
      kind: 'refused',
      code: 'vendor_ignored_filter',
      reason: 'it ignored the query and sent other rows',
    }
  }
  return { kind: 'page', rows: read, more: hasMore(headers, request) }
}

/**
 * Whether rows follow. The limit is applied before access rules hide rows, so a short or empty page is not the end: only
 * a missing `next` link, or an offset behind the total, is.
 */
function hasMore(headers: Headers, { skip, limit }: VendorPageRequest): boolean {
  const total = Number(headers.get('x-total-count') ?? Number.NaN)
  return /\brel="next"/.test(headers.get('link') ?? '') || total > skip + limit
}

function toRow(value: Json): VendorRow | undefined {
  if (!isObject(value)) return undefined
  const { sys_id: id, sys_updated_on: stamp, sys_mod_count: count } = value
  const time = isoOf(stamp)
  if (typeof id !== 'string' || id === '' || time === undefined) return undefined
  return {
    externalId: id,
    cursor: { time, id },
    version: { time, count: Number(count ?? 0) || 0 },
    values: value,
  }
}

function isBehind({ cursor }: VendorRow, after: VendorPageRequest['after']): boolean {
  if (after === null) return true
  return cursor.time === after.time ? cursor.id > after.id : cursor.time > after.time
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
