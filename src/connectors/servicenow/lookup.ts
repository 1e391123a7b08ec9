import type { VendorClient } from '../client.ts'
import type { Found, FoundByMarker, VendorProblem, VendorRow } from '../connector.ts'
import { isObject, textAt } from '../json.ts'
import { interpret, problemOf } from '../outcome.ts'
import { outcomes } from './outcomes.ts'
import { askTable, ignoredFilter, parametersFor, pathOf, rowOf, type Table } from './row.ts'

/** Values of one query: with more of them it would not fit into a URL of 2,048 characters. */
const VALUES_PER_QUERY = 25
const ROWS_PER_QUERY = 200

/** Nothing in it may end a term of an encoded query. */
const PLAIN = /^[\w.:-]{1,100}$/

/** One record. A 404 is not proof of its deletion: `sys_audit_delete` is, where it may be read. */
export async function fetchOne(
  client: VendorClient,
  { table, externalId }: { readonly table: Table; readonly externalId: string },
  signal: AbortSignal,
): Promise<Found> {
  if (!PLAIN.test(externalId)) return { kind: 'hidden' }
  const path = pathOf(table.name, externalId)
  const answer = await client.call({ method: 'GET', path, query: parametersFor(table) }, signal)
  if (answer.kind === 'answer' && interpret(answer, outcomes, client.now()).meaning === 'hidden') {
    const log = await deletedAmong(client, { table: table.name, ids: [externalId] }, signal)
    if (log.kind === 'retry') return log
    return { kind: log.ids.has(externalId) ? 'gone' : 'hidden' }
  }
  const problem = problemOf(answer, outcomes, client.now())
  if (problem) return problem
  const body = answer.kind === 'answer' ? answer.body : undefined
  const row = rowOf(isObject(body) ? body['result'] : undefined, table.markerField)
  return row ? { kind: 'row', row } : { kind: 'retry', reason: 'it answered without the record' }
}

export type DeletionLog =
  | { readonly kind: 'read'; readonly ids: ReadonlySet<string> }
  /** It could not be asked just now: what is missing may be gone or hidden. */
  | Extract<VendorProblem, { kind: 'retry' }>

/** Those of the ids that the log of deletions names; none when it may not be read. */
export async function deletedAmong(
  client: VendorClient,
  { table, ids }: { readonly table: string; readonly ids: readonly string[] },
  signal: AbortSignal,
): Promise<DeletionLog> {
  const found = new Set<string>()
  for (const some of chunks(ids.filter((id) => PLAIN.test(id)))) {
    const query = {
      sysparm_query: `tablename=${table}^documentkeyIN${some.join(',')}`,
      sysparm_fields: 'tablename,documentkey',
      sysparm_limit: String(ROWS_PER_QUERY),
    }
    const list = await askTable(client, { table: 'sys_audit_delete', query }, signal)
    if (list.kind === 'retry') return list
    for (const item of list.kind === 'list' ? list.items : []) {
      const key = textAt(item, 'documentkey')
      if (textAt(item, 'tablename') === table && key !== undefined) found.add(key)
    }
  }
  return { kind: 'read', ids: new Set(ids.filter((id) => found.has(id))) }
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
  for (const some of chunks(values)) {
    const query = {
      ...parametersFor(table),
      sysparm_query: `${column}IN${some.join(',')}^ORDERBYsys_created_on^ORDERBYsys_id`,
      sysparm_limit: String(ROWS_PER_QUERY),
    }
    const list = await askTable(client, { table: table.name, query }, signal)
    if (list.kind !== 'list') return list
    for (const item of list.items) {
      const [value, row] = [textAt(item, column) ?? '', rowOf(item, table.markerField)]
      if (!row || !some.includes(value)) return ignoredFilter
      if (!rows.has(value)) rows.set(value, row)
    }
  }
  return { kind: 'found', rows }
}

function chunks(values: readonly string[]): string[][] {
  const count = Math.ceil(values.length / VALUES_PER_QUERY)
  return Array.from({ length: count }, (_, at) =>
    values.slice(at * VALUES_PER_QUERY, (at + 1) * VALUES_PER_QUERY),
  )
}
