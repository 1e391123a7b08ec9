import type { VendorClient } from '../client.ts'
import type { Found, FoundByMarker, VendorRow } from '../connector.ts'
import { isObject } from '../json.ts'
import { interpret, problemOf } from '../outcome.ts'
import { chunks, goneAmong, PLAIN } from './gone.ts'
import { outcomes } from './outcomes.ts'
import { askTable, ignoredFilter, parametersFor, pathOf, rowOf, type Table } from './row.ts'

const ROWS_PER_QUERY = 200
/** What a batch needs: calls without a common session run beside each other. */
const QUERIES_AT_A_TIME = 2

/** One record. A 404 is not proof of its deletion. */
export async function fetchOne(
  client: VendorClient,
  { table, externalId }: { readonly table: Table; readonly externalId: string },
  signal: AbortSignal,
): Promise<Found> {
  if (!PLAIN.test(externalId)) return { kind: 'hidden' }
  const path = pathOf(table.name, externalId)
  const answer = await client.call({ method: 'GET', path, query: parametersFor(table) }, signal)
  if (answer.kind === 'answer' && interpret(answer, outcomes, client.now()).meaning === 'hidden') {
    const gone = await goneAmong(client, { table, ids: [externalId] }, signal)
    if (gone.kind !== 'gone') return gone
    return { kind: gone.ids.has(externalId) ? 'gone' : 'hidden' }
  }
  const problem = problemOf(answer, outcomes, client.now())
  if (problem) return problem
  const body = answer.kind === 'answer' ? answer.body : undefined
  const row = rowOf(isObject(body) ? body['result'] : undefined, table.markerField)
  return row ? { kind: 'row', row } : { kind: 'retry', reason: 'it answered without the record' }
}

/** Records by the column that holds our marker; the oldest where two carry the same. */
export async function findByMarker(
  client: VendorClient,
  { table, markers }: { readonly table: Table; readonly markers: readonly string[] },
  signal: AbortSignal,
): Promise<FoundByMarker> {
  const { markerField } = table
  if (markerField === undefined) return { kind: 'found', rows: new Map() }
  return findBy(client, { table, column: markerField, values: markers }, signal)
}

export function findByIds(
  client: VendorClient,
  { table, ids }: { readonly table: Table; readonly ids: readonly string[] },
  signal: AbortSignal,
): Promise<FoundByMarker> {
  return findBy(client, { table, column: 'sys_id', values: ids }, signal)
}

interface Wanted {
  readonly table: Table
  readonly column: string
  readonly values: readonly string[]
}

async function findBy(
  client: VendorClient,
  { table, column, values }: Wanted,
  signal: AbortSignal,
): Promise<FoundByMarker> {
  const bad = values.find((value) => !PLAIN.test(value))
  if (bad !== undefined) {
    return { kind: 'refused', code: 'bad_request', reason: `${column} cannot hold such a value` }
  }
  const rows = new Map<string, VendorRow>()
  const parts = chunks(values)
  for (let start = 0; start < parts.length; start += QUERIES_AT_A_TIME) {
    const some = parts.slice(start, start + QUERIES_AT_A_TIME)
    const found = await Promise.all(
      some.map((part) => findPart(client, { table, column, values: part }, signal)),
    )
    for (const one of found) {
      if (one.kind !== 'found') return one
      for (const [value, row] of one.rows) rows.set(value, row)
    }
  }
  return { kind: 'found', rows }
}

async function findPart(
  client: VendorClient,
  { table, column, values }: Wanted,
  signal: AbortSignal,
): Promise<FoundByMarker> {
  const query = {
    ...parametersFor(table),
    sysparm_query: `${column}IN${values.join(',')}^ORDERBYsys_created_on^ORDERBYsys_id`,
    sysparm_limit: String(ROWS_PER_QUERY),
  }
  const list = await askTable(client, { table: table.name, query }, signal)
  if (list.kind !== 'list') return list
  const rows = new Map<string, VendorRow>()
  for (const item of list.items) {
    const row = rowOf(item, table.markerField)
    const value = row?.values[column]
    if (!row || typeof value !== 'string' || !values.includes(value)) return ignoredFilter
    if (!rows.has(value)) rows.set(value, row)
  }
  return { kind: 'found', rows }
}
