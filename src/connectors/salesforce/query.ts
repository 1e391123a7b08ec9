import type { Json, JsonObject } from '../../core/canonical-json.ts'
import type { VendorAnswer, VendorClient } from '../client.ts'
import type { Cursor, FieldRule, VendorProblem, VendorRow } from '../connector.ts'
import { isObject, listOf } from '../json.ts'
import { interpret, problemOf } from '../outcome.ts'
import { fullId } from './id.ts'
import { outcomes } from './outcomes.ts'
import { ROOT } from './root.ts'
import { visiblePart, visibleSoFar } from './visible.ts'

/** One kind of object as a connection wants it. */
export interface SObject {
  readonly name: string
  readonly fields: readonly FieldRule[]
  /** The external id field that takes the marker of a create. */
  readonly markerField: string | undefined
}

/** Names of objects and fields go into queries as they are; a dot leads to a parent's field. */
export const NAME = /^[A-Za-z]\w{0,79}(?:\.[A-Za-z]\w{0,79}){0,4}$/

/** `extra`: fields besides those of the mapping. */
function selectFrom(object: SObject, rest: string, extra: readonly string[]): string {
  const columns = object.fields.map(({ external }) => external)
  const wanted = new Set(['Id', 'SystemModstamp', 'IsDeleted', ...columns, ...extra])
  return `SELECT ${[...wanted].join(', ')} FROM ${object.name} ${rest.trim()}`
}

/** Rows behind a place: stamps have whole seconds, so the id decides among those of one second. */
export function behind(after: Cursor | null): string {
  if (after === null) return ''
  const time = new Date(after.time).toISOString()
  if (after.id === '') return `WHERE SystemModstamp >= ${time}`
  return `WHERE SystemModstamp > ${time} OR (SystemModstamp = ${time} AND Id > ${quoted(after.id)})`
}

export function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}

export type Rows =
  | {
      readonly kind: 'rows'
      readonly rows: readonly VendorRow[]
      readonly isLast: boolean
      /** Path of the rows that follow, for two days. */
      readonly next?: string
    }
  | VendorProblem

interface Asked {
  readonly object: SObject
  /** `queryAll` also finds what is in the recycle bin. */
  readonly verb: 'query' | 'queryAll'
  /** What follows the name of the object. */
  readonly rest: string
}

/**
 * One page of the rows of an object. Where a field of the mapping is not there, or hidden from us, the rest is read
 * without it; a field that `rest` names has to be there.
 */
export async function ask(client: VendorClient, asked: Asked, signal: AbortSignal): Promise<Rows> {
  const object = visibleSoFar(client, asked.object)
  const answer = await send(client, { ...asked, object }, signal)
  const isTold = answer.kind === 'answer' && answer.status >= 400
  const { code } = isTold ? interpret(answer, outcomes, client.now()) : {}
  if (code !== 'INVALID_FIELD') return rowsOf(answer, object, client.now())
  const visible = await visiblePart(client, asked.object, signal)
  if ('kind' in visible) return visible
  return rowsOf(await send(client, { ...asked, object: visible }, signal), visible, client.now())
}

/** All rows of a query that finds few: a page may hold fewer than were asked for. */
export async function askAll(
  client: VendorClient,
  asked: Asked,
  signal: AbortSignal,
): Promise<Rows> {
  const first = await ask(client, asked, signal)
  if (first.kind !== 'rows') return first
  const rows = [...first.rows]
  for (let page: Extract<Rows, { kind: 'rows' }> = first; !page.isLast;) {
    if (page.next === undefined) {
      return { kind: 'retry', reason: 'it says that more rows follow, and not where' }
    }
    const answer = await client.call({ method: 'GET', path: page.next }, signal)
    const read = rowsOf(answer, asked.object, client.now())
    if (read.kind !== 'rows') return read
    rows.push(...read.rows)
    page = read
  }
  return { kind: 'rows', rows, isLast: true }
}

function send(client: VendorClient, { object, verb, rest }: Asked, signal: AbortSignal) {
  const { markerField } = object
  const soql = selectFrom(object, rest, markerField === undefined ? [] : [markerField])
  return client.call({ method: 'GET', path: `${ROOT}/${verb}`, query: { q: soql } }, signal)
}

function rowsOf(answer: VendorAnswer, { markerField }: SObject, now: Date): Rows {
  const problem = problemOf(answer, outcomes, now)
  if (problem) return problem
  const body = answer.kind === 'answer' && isObject(answer.body) ? answer.body : {}
  const records = listOf(body['records'])
  if (!records) return { kind: 'retry', reason: 'it answered without records' }
  const rows = records.map((record) => rowOf(record, markerField))
  if (rows.includes(undefined)) {
    const reason = 'a row of the page has no usable Id and SystemModstamp'
    return { kind: 'refused', code: 'vendor_unexpected_answer', reason }
  }
  const next = body['nextRecordsUrl']
  return {
    kind: 'rows',
    rows: rows.filter((row) => row !== undefined),
    isLast: body['done'] !== false,
    ...(typeof next === 'string' && next.startsWith('/') ? { next } : {}),
  }
}

/** Undefined for what lacks an id or a stamp. */
export function rowOf(value: Json | undefined, markerField?: string): VendorRow | undefined {
  if (!isObject(value)) return undefined
  const id = fullId(value['Id'])
  const time = isoOf(value['SystemModstamp'])
  if (id === undefined || time === undefined) return undefined
  const marker = markerField === undefined ? undefined : value[markerField]
  const row = {
    externalId: id,
    cursor: { time, id },
    version: { time, count: 0 },
    values: withoutAttributes(value),
    ...(typeof marker === 'string' && marker !== '' ? { marker } : {}),
  }
  return value['IsDeleted'] === true ? { ...row, deleted: true } : row
}

/** `2026-11-20T12:00:00.000+0000`, whose zone lacks the colon of ISO 8601. */
function isoOf(stamp: Json | undefined): string | undefined {
  if (typeof stamp !== 'string') return undefined
  const ms = Date.parse(stamp.replace(/([+-]\d{2})(\d{2})$/, '$1:$2'))
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString()
}

/** Type and address of each object are no values of it. */
function withoutAttributes(value: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== 'attributes')
      .map(([name, field]) => [name, isObject(field) ? withoutAttributes(field) : field]),
  )
}
