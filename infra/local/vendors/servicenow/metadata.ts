import type { Instance } from './instance.ts'
import type { Column } from './schema.ts'
import { sysIdOf } from './values.ts'

const INTERNAL_TYPES: Readonly<Record<Column['kind'], string>> = {
  text: 'string',
  integer: 'integer',
  boolean: 'boolean',
  instant: 'glide_date_time',
  journal: 'journal_input',
}

/** The tables about tables: `sys_db_object`, `sys_dictionary` (as remembered) and `sys_choice` (facts A7). */
export function describeTables(instance: Instance): void {
  for (const name of instance.tables.keys()) describeTable(instance, name)
}

/** A column that a table has from its parent is described there, and only there. */
export function describeTable(instance: Instance, name: string): void {
  const parent = parentOf(instance, name)
  const parentColumns = instance.tables.get(parent ?? '')?.columns ?? {}
  instance.referTo('sys_db_object', name, {
    name,
    label: name.replaceAll('_', ' '),
    super_class: parent === undefined ? '' : sysIdOf('sys_db_object', parent),
  })
  for (const [element, column] of Object.entries(instance.tables.get(name)?.columns ?? {})) {
    if (parentColumns[element] === column) continue
    describeColumn(instance, { table: name, element, column })
    describeChoices(instance, { table: name, element, column })
  }
}

function parentOf(instance: Instance, table: string): string | undefined {
  return [...instance.tables].find(([, { children }]) => children.includes(table))?.[0]
}

interface Described {
  readonly table: string
  readonly element: string
  readonly column: Column
}

export function describeColumn(instance: Instance, { table, element, column }: Described): void {
  instance.referTo('sys_dictionary', `${table}.${element}`, {
    name: table,
    element,
    column_label: element.replaceAll('_', ' '),
    internal_type: column.reference ? 'reference' : INTERNAL_TYPES[column.kind],
    reference: column.reference ?? '',
    active: 'true',
    mandatory: 'false',
    read_only: 'false',
    max_length: column.kind === 'text' && !column.reference ? '255' : '40',
  })
}

export function forgetColumn(instance: Instance, table: string, element: string): void {
  const parent = parentOf(instance, table)
  for (const owner of parent === undefined ? [table] : [table, parent]) {
    instance.store('sys_dictionary').delete(sysIdOf('sys_dictionary', `${owner}.${element}`))
  }
}

function describeChoices(instance: Instance, { table, element, column }: Described): void {
  for (const [value, label] of Object.entries(column.choices ?? {}))
    instance.referTo('sys_choice', `${table}.${element}.${value}`, {
      name: table,
      element,
      value,
      label,
      inactive: 'false',
      language: 'en',
    })
}
