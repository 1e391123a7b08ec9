import type { VendorClient } from '../client.ts'
import type { VendorProblem } from '../connector.ts'
import { textAt } from '../json.ts'
import { asStored, askTable, type List, type Table } from './row.ts'

/** Values of one query: with more of them it would not fit into a URL of 2,048 characters. */
const VALUES_PER_QUERY = 25
const ROWS_PER_QUERY = 200

/** Nothing in it may end a term of an encoded query. */
export const PLAIN = /^[\w.:-]{1,100}$/

export type Gone = { readonly kind: 'gone'; readonly ids: ReadonlySet<string> } | VendorProblem

/**
 * Those of the ids that are sure to be deleted. A 404 proves nothing, it may be an access rule: the log of deletions does.
 * Who may not read the log asks for the number of records with that id, which the instance counts before its rules.
 */
export async function goneAmong(
  client: VendorClient,
  { table, ids }: { readonly table: Table; readonly ids: readonly string[] },
  signal: AbortSignal,
): Promise<Gone> {
  const known = ids.filter((id) => PLAIN.test(id))
  const logged = table.hasDeleteLog
    ? await loggedAmong(client, { table: table.name, ids: known }, signal)
    : undefined
  return logged ?? uncountedAmong(client, { table: table.name, ids: known }, signal)
}

interface Asked {
  readonly table: string
  readonly ids: readonly string[]
}

/** Undefined when the log is not ours to read. */
async function loggedAmong(
  client: VendorClient,
  { table, ids }: Asked,
  signal: AbortSignal,
): Promise<Gone | undefined> {
  const found = new Set<string>()
  for (const some of chunks(ids)) {
    const query = {
      ...asStored,
      sysparm_query: `tablename=${table}^documentkeyIN${some.join(',')}`,
      sysparm_fields: 'tablename,documentkey',
      sysparm_limit: String(ROWS_PER_QUERY),
    }
    const list = await askTable(client, { table: 'sys_audit_delete', query }, signal)
    if (list.kind === 'retry') return list
    if (list.kind !== 'list' || isHidden(list)) return undefined
    for (const item of list.items) {
      const key = textAt(item, 'documentkey')
      // An instance that ignores a term sends the whole log.
      if (textAt(item, 'tablename') === table && key !== undefined) found.add(key)
    }
  }
  return { kind: 'gone', ids: new Set(ids.filter((id) => found.has(id))) }
}

async function uncountedAmong(
  client: VendorClient,
  { table, ids }: Asked,
  signal: AbortSignal,
): Promise<Gone> {
  const found = new Set<string>()
  for (const id of ids) {
    const query = {
      ...asStored,
      sysparm_query: `sys_id=${id}`,
      sysparm_fields: 'sys_id',
      sysparm_limit: '1',
    }
    const list = await askTable(client, { table, query }, signal)
    if (list.kind === 'retry') return list
    if (list.kind === 'list' && list.items.length === 0 && totalOf(list) === 0) found.add(id)
  }
  return { kind: 'gone', ids: found }
}

type Listed = Extract<List, { kind: 'list' }>

/** Rows there are, and none of them is ours to see. */
export function isHidden(list: Listed): boolean {
  return list.items.length === 0 && (totalOf(list) ?? 0) > 0
}

/** `X-Total-Count`; undefined where the instance does not count. */
export function totalOf({ headers }: Pick<Listed, 'headers'>): number | undefined {
  const total = Number(headers.get('x-total-count') ?? Number.NaN)
  return Number.isNaN(total) ? undefined : total
}

export function chunks(values: readonly string[]): string[][] {
  const count = Math.ceil(values.length / VALUES_PER_QUERY)
  return Array.from({ length: count }, (_, at) =>
    values.slice(at * VALUES_PER_QUERY, (at + 1) * VALUES_PER_QUERY),
  )
}
