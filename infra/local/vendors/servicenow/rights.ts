import { z } from 'zod'
import type { RowTest } from './query-match.ts'
import type { Row } from './values.ts'

/** What the users of the API may do with one table. People on the instance are not bound by it. */
export const rightsShape = z.strictObject({
  read: z.boolean().optional(),
  create: z.boolean().optional(),
  write: z.boolean().optional(),
  delete: z.boolean().optional(),
  /** Columns that are left out of every answer and of every write. */
  hiddenFields: z.array(z.string()).optional(),
})
export type TableRights = z.infer<typeof rightsShape>
export type Action = 'read' | 'create' | 'write' | 'delete'

/** The access control lists of the instance. */
export class Rights {
  readonly #tables = new Map<string, TableRights>()
  readonly #hidden = new Map<string, RowTest[]>()

  change(table: string, rights: TableRights): void {
    this.#tables.set(table, { ...this.#tables.get(table), ...rights })
  }

  /** From now on these rows are left out of pages, after the page was cut (facts A2, sysparm_limit). */
  hide(table: string, rows: RowTest): void {
    this.#hidden.set(table, [...(this.#hidden.get(table) ?? []), rows])
  }

  showAll(table: string): void {
    this.#hidden.delete(table)
  }

  may(action: Action, table: string): boolean {
    return this.#tables.get(table)?.[action] ?? true
  }

  sees(table: string, row: Row): boolean {
    return !(this.#hidden.get(table) ?? []).some((hides) => hides(row))
  }

  seesField(table: string, field: string): boolean {
    return !(this.#tables.get(table)?.hiddenFields ?? []).includes(field)
  }
}
