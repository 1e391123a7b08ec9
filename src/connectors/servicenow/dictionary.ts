import type { Json } from '../../core/canonical-json.ts'
import type { VendorClient } from '../client.ts'
import type { Discovered, ExternalField, VendorProblem } from '../connector.ts'
import { isObject, textAt } from '../json.ts'
import { asStored, askTable, type List } from './row.ts'

/** `incident` extends `task`, and few tables stand deeper than this. */
const MOST_PARENTS = 6
const PAGE = 500
const MOST_ROWS = 5_000

/** The vendor's types that are no texts for us. */
const types: Readonly<Record<string, ExternalField['type']>> = {
  boolean: 'boolean',
  integer: 'integer',
  longint: 'integer',
  float: 'number',
  decimal: 'number',
  glide_date_time: 'instant',
  due_date: 'instant',
}
/** Set by the instance alone. */
const OWN = /^sys_(?:id|created_|updated_|mod_count|class_name|tags|domain)/

/**
 * The columns of a table with those it has from its parents: `sys_dictionary`, with the choices of `sys_choice`. Who may
 * not read the dictionary gets the names that a record has.
 */
export async function discover(
  client: VendorClient,
  table: string,
  signal: AbortSignal,
): Promise<Discovered> {
  const tables = await withParents(client, table, signal)
  if (!Array.isArray(tables)) return tables
  const described = await readAll(client, dictionaryOf(tables), signal)
  if (described.kind === 'retry') return described
  const rows = described.kind === 'rows' ? described.rows : []
  const columns = rows.filter((row) => tables.includes(textAt(row, 'name') ?? ''))
  if (columns.length === 0) return sample(client, table, signal)
  const chosen = await readAll(client, choicesOf(tables), signal)
  if (chosen.kind === 'retry') return chosen
  const choices = choicesByColumn(chosen.kind === 'rows' ? chosen.rows : [], tables)
  // What a table says of a column stands above what its parents say.
  const nearest = columns.toSorted((a, b) => depth(tables, b) - depth(tables, a))
  const byName = new Map(
    nearest.flatMap((row) => fieldOf(row, choices).map((field) => [field.name, field])),
  )
  const fields = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  return { kind: 'fields', object: table, from: 'description', fields }
}

function depth(tables: readonly string[], row: Json): number {
  return tables.indexOf(textAt(row, 'name') ?? '')
}

/** The table and what it extends, the nearest first; the table alone where that may not be read. */
async function withParents(
  client: VendorClient,
  table: string,
  signal: AbortSignal,
): Promise<string[] | Exclude<VendorProblem, { kind: 'refused' }>> {
  const tables = [table]
  while (tables.length < MOST_PARENTS) {
    const query = {
      ...asStored,
      sysparm_query: `name=${tables.at(-1)}`,
      sysparm_fields: 'name,super_class.name',
      sysparm_limit: '1',
    }
    const list = await askTable(client, { table: 'sys_db_object', query }, signal)
    if (list.kind === 'retry') return list
    const row = list.kind === 'list' ? list.items[0] : undefined
    const parent = textAt(row, 'super_class.name')
    // A query that was ignored brings some other table.
    if (!parent || tables.includes(parent) || textAt(row, 'name') !== tables.at(-1)) break
    tables.push(parent)
  }
  return tables
}

function dictionaryOf(tables: readonly string[]) {
  return {
    table: 'sys_dictionary',
    filter: `nameIN${tables.join(',')}^active=true`,
    fields:
      'sys_id,name,element,column_label,internal_type,reference,mandatory,read_only,max_length',
  }
}

function choicesOf(tables: readonly string[]) {
  return {
    table: 'sys_choice',
    filter: `nameIN${tables.join(',')}^inactive=false`,
    fields: 'sys_id,name,element,value,label,language,inactive',
  }
}

type Rows = { readonly kind: 'rows'; readonly rows: readonly Json[] } | VendorProblem

async function readAll(
  client: VendorClient,
  { table, filter, fields }: ReturnType<typeof dictionaryOf>,
  signal: AbortSignal,
): Promise<Rows> {
  const rows: Json[] = []
  for (let after = ''; rows.length < MOST_ROWS;) {
    const query = {
      ...asStored,
      sysparm_query: `${filter}${after === '' ? '' : `^sys_id>${after}`}^ORDERBYsys_id`,
      sysparm_fields: fields,
      sysparm_limit: String(PAGE),
    }
    const list: List = await askTable(client, { table, query }, signal)
    if (list.kind !== 'list') return list
    rows.push(...list.items)
    const last = textAt(list.items.at(-1), 'sys_id') ?? ''
    if (list.items.length < PAGE || last <= after) break
    after = last
  }
  return { kind: 'rows', rows }
}

type Choices = ReadonlyMap<string, NonNullable<ExternalField['choices']>>

function choicesByColumn(rows: readonly Json[], tables: readonly string[]): Choices {
  const found = new Map<string, { depth: number; value: string; label: string }[]>()
  for (const row of rows) {
    const [element, value] = [textAt(row, 'element') ?? '', textAt(row, 'value') ?? '']
    const isOurs = ['', 'en'].includes(textAt(row, 'language') ?? '') && depth(tables, row) >= 0
    if (!isOurs || element === '' || value === '') continue
    const choice = { depth: depth(tables, row), value, label: textAt(row, 'label') ?? value }
    found.set(element, [...(found.get(element) ?? []), choice])
  }
  return new Map([...found].map(([element, choices]) => [element, nearestOf(choices)]))
}

/** A table's own choices replace those of its parents. */
function nearestOf(choices: readonly { depth: number; value: string; label: string }[]) {
  const nearest = Math.min(...choices.map(({ depth: at }) => at))
  return choices
    .filter(({ depth: at }) => at === nearest)
    .map(({ value, label }) => ({ value, label }))
}

function fieldOf(row: Json, choices: Choices): ExternalField[] {
  const name = textAt(row, 'element') ?? ''
  // The row without an element is about the table itself.
  if (name === '') return []
  const vendorType = textAt(row, 'internal_type') ?? 'string'
  const length = Number(textAt(row, 'max_length') ?? '')
  const reference = textAt(row, 'reference')
  const known = choices.get(name)
  return [
    {
      name,
      label: textAt(row, 'column_label') || name,
      type: types[vendorType] ?? 'text',
      vendorType,
      readOnly: OWN.test(name) || textAt(row, 'read_only') === 'true',
      required: textAt(row, 'mandatory') === 'true',
      ...(length > 0 ? { length } : {}),
      ...(reference ? { references: [reference] } : {}),
      ...(known ? { choices: known } : {}),
      ...(name === 'correlation_id' ? { isExternalId: true } : {}),
    },
  ]
}

async function sample(
  client: VendorClient,
  table: string,
  signal: AbortSignal,
): Promise<Discovered> {
  const query = { ...asStored, sysparm_limit: '1' }
  const list = await askTable(client, { table, query }, signal)
  if (list.kind !== 'list') return list
  const row = list.items[0]
  const names = isObject(row) ? Object.keys(row).sort() : []
  const fields = names.map((name) => ({
    name,
    label: name,
    type: 'text' as const,
    vendorType: 'unknown',
    readOnly: OWN.test(name),
    required: false,
  }))
  return { kind: 'fields', object: table, from: 'sample', fields }
}
