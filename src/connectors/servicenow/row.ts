import type { Json, JsonObject } from '../../core/canonical-json.ts'
import type { VendorAnswer, VendorCall, VendorClient } from '../client.ts'
import type { FieldRule, VendorProblem, VendorRow } from '../connector.ts'
import { isObject, listOf } from '../json.ts'
import { problemOf } from '../outcome.ts'
import { outcomes } from './outcomes.ts'
import { isoOf, stampOf } from './stamp.ts'

/** One table as a connection wants it. */
export interface Table {
  readonly name: string
  readonly fields: readonly FieldRule[]
  /** The column that takes the marker of a create. */
  readonly markerField: string | undefined
  /** Deletions are read from `sys_audit_delete`. */
  readonly hasDeleteLog: boolean
}

/** A URL of more than 2,048 characters may be refused, and the query has its part of them. */
const LONGEST_FIELDS = 1_000

const CURSOR_FIELDS = ['sys_id', 'sys_updated_on', 'sys_mod_count']

export function parametersFor({ fields, markerField }: Table): Record<string, string> {
  const columns = fields.map(({ external }) => external)
  const wanted = [...CURSOR_FIELDS, ...columns, ...(markerField === undefined ? [] : [markerField])]
  const names = [...new Set(wanted)].join(',')
  // Without the parameter every column comes; but none of a referenced record, which only its name asks for.
  const all = names.length > LONGEST_FIELDS && !names.includes('.')
  return { ...(all ? {} : { sysparm_fields: names }), ...asStored }
}

/** Values as the database holds them: display values are localised texts, reference links are not values. */
export const asStored = {
  sysparm_display_value: 'false',
  sysparm_exclude_reference_link: 'true',
} as const

export function pathOf(table: string, sysId?: string): string {
  const record = sysId === undefined ? '' : `/${encodeURIComponent(sysId)}`
  return `/api/now/table/${encodeURIComponent(table)}${record}`
}

/** Undefined for a row that lacks what every row of a table has. */
export function rowOf(given: Json | undefined, markerField?: string): VendorRow | undefined {
  if (!isObject(given)) return undefined
  const value = plain(given)
  const { sys_id: id, sys_updated_on: stamp, sys_mod_count: count } = value
  const time = isoOf(stamp)
  if (typeof id !== 'string' || id === '' || time === undefined) return undefined
  const marker = markerField === undefined ? undefined : value[markerField]
  return {
    externalId: id,
    cursor: { time, id },
    version: { time, count: Number(count ?? 0) || 0 },
    values: value,
    ...(typeof marker === 'string' && marker !== '' ? { marker } : {}),
  }
}

/** References and display values come as objects around the value, also from instances that were asked not to. */
function plain(row: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(row).map(([name, field]) => [
      name,
      isObject(field) && typeof field['value'] === 'string' ? field['value'] : field,
    ]),
  )
}

export type List =
  | { readonly kind: 'list'; readonly items: readonly Json[]; readonly headers: Headers }
  | VendorProblem

/** `{"result":[…]}` of a query on a table. */
export async function askTable(
  client: VendorClient,
  call: { readonly table: string; readonly query: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<List> {
  const path = pathOf(call.table)
  const answer = await client.call({ method: 'GET', path, query: call.query }, signal)
  return listFrom(answer, client.now())
}

function listFrom(answer: VendorAnswer, now: Date): List {
  const problem = problemOf(answer, outcomes, now)
  if (problem) return problem
  // problemOf has a problem for everything else than an answer.
  const { headers, body } = answer as Extract<VendorAnswer, { kind: 'answer' }>
  const items = listOf(isObject(body) ? body['result'] : undefined)
  return items === undefined
    ? { kind: 'retry', reason: 'it answered without a result list' }
    : { kind: 'list', items, headers }
}

/** An instance ignores a query term that it does not understand, and then returns the whole table. */
export const ignoredFilter: VendorProblem = {
  kind: 'refused',
  code: 'vendor_ignored_filter',
  reason: 'it ignored the query and sent other rows',
}

/** Every value of a table is a text; empty stands for none. */
export function bodyOf(values: JsonObject, fields: readonly FieldRule[]): JsonObject {
  const instants = new Set(
    fields.flatMap(({ external, type }) => (type === 'instant' ? [external] : [])),
  )
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, textOf(value, instants.has(name))]),
  )
}

function textOf(value: Json, isInstant: boolean): string {
  if (value === null) return ''
  if (typeof value === 'string') return isInstant ? (instantOf(value) ?? value) : value
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** ISO 8601 as a stamp of the instance; undefined for what is a stamp already, or no instant. */
function instantOf(value: string): string | undefined {
  if (!/^\d{4}-\d{2}-\d{2}T/.test(value)) return undefined
  const ms = Date.parse(value)
  return Number.isNaN(ms) ? undefined : stampOf(new Date(ms).toISOString())
}

/** For calls inside a batch, which have no query parameters of their own. */
export function urlOf({ path, query = {} }: Pick<VendorCall, 'path' | 'query'>): string {
  const text = new URLSearchParams(query).toString()
  return text === '' ? path : `${path}?${text}`
}
