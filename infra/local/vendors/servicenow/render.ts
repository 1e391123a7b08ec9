import type { Instance } from './instance.ts'
import type { Column } from './schema.ts'
import { toLocalStamp, type Row } from './values.ts'

export type DisplayValue = 'false' | 'true' | 'all'

/** How one answer shows its records (facts A2, query parameters). */
export interface Rendering {
  readonly instance: Instance
  /** `http://127.0.0.1:<port>`; links to referenced records begin with it. */
  readonly origin: string
  readonly displayValue: DisplayValue
  readonly excludesLinks: boolean
  /** The time zone of the user who asks; display values are in it. */
  readonly timeZone: string
  /** The fields to show, in this order. */
  readonly fields: readonly (readonly [path: string, column: Column])[]
}

interface Field {
  readonly path: string
  readonly column: Column
  readonly value: string
}

/** A record as JSON: every value a text, references as `{link,value}`. */
export function renderRow(table: string, row: Row, rendering: Rendering): Record<string, unknown> {
  const shown: Record<string, unknown> = {}
  for (const [path, column] of rendering.fields) {
    const value = rendering.instance.read(table, row, path)
    shown[path] = renderField({ path, column, value }, rendering)
  }
  return shown
}

function renderField(field: Field, rendering: Rendering): unknown {
  const { column, value } = field
  const { displayValue, excludesLinks, origin } = rendering
  const link =
    column.reference && value !== '' && !excludesLinks
      ? { link: `${origin}/api/now/table/${column.reference}/${value}` }
      : undefined
  if (displayValue === 'false') return link ? { ...link, value } : value
  const display = displayOf(field, rendering)
  if (displayValue === 'all') return { display_value: display, value, ...link }
  return link ? { display_value: display, ...link } : display
}

function displayOf({ column, value }: Field, { instance, timeZone }: Rendering): string {
  if (value === '') return ''
  if (column.kind === 'instant') return toLocalStamp(value, timeZone)
  if (column.choices) return column.choices[value] ?? value
  if (!column.reference) return value
  const target = instance.find(column.reference, value)
  return target?.[instance.tables.get(column.reference)?.display ?? ''] ?? ''
}
