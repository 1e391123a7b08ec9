import { randomBytes } from 'node:crypto'
import { TableStore } from './table-store.ts'
import { TABLES, type TableShape } from './schema.ts'
import { defaultsOf } from './state-rules.ts'
import { sysIdOf, toStamp, type Changes, type Row } from './values.ts'

export type Operation = 'insert' | 'update' | 'delete'

/** A committed change, as a business rule sees it. */
export interface RecordChange {
  readonly table: string
  readonly operation: Operation
  readonly row: Row
  /** `user_name` of the writer. */
  readonly by: string
}

export type ChangeListener = (change: RecordChange) => void

/** The database of the instance: rows, stamps, version numbers, deletions, journals. No HTTP and no access rules. */
export class Instance {
  readonly tables = new Map<string, TableShape>(Object.entries(TABLES))
  readonly #stores = new Map<string, TableStore>()
  readonly #users = new Map<string, string>()
  readonly #counters = new Map<string, number>()
  readonly #listeners: ChangeListener[] = []
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  onChange(listener: ChangeListener): void {
    this.#listeners.push(listener)
  }

  nowMs(): number {
    return this.#now()
  }

  store(table: string): TableStore {
    const store = this.#stores.get(table) ?? new TableStore()
    this.#stores.set(table, store)
    return store
  }

  /** The stores whose rows are rows of this table: its own and those of the tables that extend it. */
  stores(table: string): TableStore[] {
    const children = this.tables.get(table)?.children ?? []
    return [table, ...children].map((name) => this.store(name))
  }

  find(table: string, sysId: string): Row | undefined {
    for (const store of this.stores(table)) {
      const row = store.get(sysId)
      if (row) return row
    }
    return undefined
  }

  /** The table that really holds the record: `incident` for one that was found through `task`. */
  classOf(table: string, sysId: string): string {
    const children = this.tables.get(table)?.children ?? []
    return children.find((name) => this.store(name).get(sysId)) ?? table
  }

  /** Reads a field; `caller_id.email` walks the reference. */
  read(table: string, row: Row, path: string): string {
    const dot = path.indexOf('.')
    if (dot < 0) return row[path] ?? ''
    const reference = this.tables.get(table)?.columns[path.slice(0, dot)]?.reference
    const target = reference && this.find(reference, row[path.slice(0, dot)] ?? '')
    return reference && target ? this.read(reference, target, path.slice(dot + 1)) : ''
  }

  /** The record of a user by `user_name`. */
  userNamed(userName: string): Row | undefined {
    const row = this.store('sys_user').get(this.#users.get(userName) ?? '')
    return row?.['user_name'] === userName ? row : undefined
  }

  insert(table: string, fields: Changes, by: string): Row {
    const shape = this.tables.get(table)
    const stamp = toStamp(this.#now())
    const sysId = fields['sys_id'] ?? randomBytes(16).toString('hex')
    const numbered = shape?.numberPrefix ? { number: this.#nextNumber(table, shape) } : {}
    const classed = shape?.columns['sys_class_name'] ? { sys_class_name: table } : {}
    const opener = shape?.columns['opened_by'] ? this.userNamed(by)?.['sys_id'] : undefined
    const row = this.#withoutJournals(table, sysId, {
      ...defaultsOf(table, stamp),
      ...(opener === undefined ? {} : { opened_by: opener }),
      ...numbered,
      ...classed,
      sys_created_on: stamp,
      sys_created_by: by,
      sys_updated_on: stamp,
      sys_updated_by: by,
      sys_mod_count: '0',
      ...fields,
      sys_id: sysId,
    })
    this.commit({ table, operation: 'insert', row, by })
    return row
  }

  /** Merges. A change that changes nothing moves neither the stamp nor `sys_mod_count` (facts A5). */
  update(
    table: string,
    sysId: string,
    changes: Changes & { readonly by: string },
  ): Row | undefined {
    const { by, ...fields } = changes
    const owner = this.classOf(table, sysId)
    const former = this.store(owner).get(sysId)
    if (!former) return undefined
    const changed = Object.entries(fields).filter(([name, value]) => (former[name] ?? '') !== value)
    if (changed.length === 0) return former
    const row = this.#withoutJournals(owner, sysId, {
      ...former,
      sys_updated_on: toStamp(this.#now()),
      sys_updated_by: by,
      sys_mod_count: String(Number(former['sys_mod_count'] ?? 0) + 1),
      ...Object.fromEntries(changed),
    })
    this.commit({ table: owner, operation: 'update', row, by })
    return row
  }

  /** Whether there was such a record. Its deletion can be seen in `sys_audit_delete` only. */
  remove(table: string, sysId: string, by: string): boolean {
    const owner = this.classOf(table, sysId)
    const row = this.store(owner).get(sysId)
    if (!row) return false
    this.commit({ table: owner, operation: 'delete', row, by })
    const shape = this.tables.get(owner)
    if (shape?.auditsDeletes)
      this.insert(
        'sys_audit_delete',
        {
          tablename: owner,
          documentkey: sysId,
          display_value: row[shape.display] ?? '',
          payload: auditPayload(owner, row),
        },
        by,
      )
    return true
  }

  /** Writes without stamps or business rules, as an import or a script with `setWorkflow(false)` may (facts A5). */
  writeSilently(table: string, row: Row): void {
    this.store(table).put(row)
    if (table === 'sys_user') this.#users.set(row['user_name'] ?? '', row['sys_id'] ?? '')
  }

  commit(change: RecordChange): void {
    if (change.operation === 'delete') this.store(change.table).delete(change.row['sys_id'] ?? '')
    else this.writeSilently(change.table, change.row)
    for (const listener of this.#listeners) listener(change)
  }

  /** The record that a label stands for, made when it is new. For loading data. */
  referTo(table: string, label: string, fields: Changes): string {
    const sysId = fields['sys_id'] ?? sysIdOf(table, label)
    if (!this.store(table).get(sysId))
      this.writeSilently(table, {
        sys_id: sysId,
        sys_created_on: REFERENCES_SINCE,
        sys_created_by: 'admin',
        sys_updated_on: REFERENCES_SINCE,
        sys_updated_by: 'admin',
        sys_mod_count: '0',
        ...fields,
      })
    return sysId
  }

  #nextNumber(table: string, { numberPrefix = '' }: TableShape): string {
    const next = (this.#counters.get(table) ?? FIRST_NUMBER) + 1
    this.#counters.set(table, next)
    return `${numberPrefix}${String(next).padStart(7, '0')}`
  }

  /** Journal fields read back empty; what was written is in `sys_journal_field` (facts A5). */
  #withoutJournals(table: string, sysId: string, row: Row): Row {
    const columns = this.tables.get(table)?.columns ?? {}
    const entries = Object.entries(row)
    const journals = entries.filter(([name, text]) => columns[name]?.kind === 'journal' && text)
    if (journals.length === 0) return row
    for (const [element, value] of journals) {
      const entry = { name: table, element_id: sysId, element, value }
      this.insert('sys_journal_field', entry, row['sys_updated_by'] ?? '')
    }
    return Object.fromEntries(entries.filter((entry) => !journals.includes(entry)))
  }
}

/** Records made by hand get numbers that no loaded record has. */
const FIRST_NUMBER = 9_000_000
const REFERENCES_SINCE = '2016-01-01 00:00:00'

function auditPayload(table: string, row: Row): string {
  const escape = (text: string) =>
    text.replace(/[&<>]/g, (char) => ({ '&': '&amp;', '<': '&lt;' })[char] ?? '&gt;')
  const fields = Object.entries(row).map(([name, value]) => `<${name}>${escape(value)}</${name}>`)
  return `<?xml version="1.0" encoding="UTF-8"?><${table}>${fields.join('')}</${table}>`
}
