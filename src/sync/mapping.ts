import { z } from 'zod'
import type { Json, JsonObject } from '../core/canonical-json.ts'
import { AppError } from '../core/errors.ts'

/** How one field of a record is written on the other side. */
const fieldShape = z.object({
  /** The name in our records. */
  local: z.string().min(1),
  /** The path in the vendor's row; dots lead into objects. */
  external: z.string().min(1),
  type: z.enum(['text', 'integer', 'number', 'boolean', 'instant']),
  required: z.boolean().optional(),
})
export type FieldMapping = z.infer<typeof fieldShape>

/** A conversion schema: which fields of a vendor's row make which record. Data, so that it can be stored and changed. */
export const mappingShape = z.object({
  entityType: z.string().min(1),
  fields: z.array(fieldShape).min(1),
})
export type Mapping = z.infer<typeof mappingShape>

export type Decoded =
  | { readonly ok: true; readonly fields: JsonObject }
  | { readonly ok: false; readonly error: AppError }

/**
 * A vendor's row as the fields of our record. Empty and missing values are null. A value that does not fit its type makes
 * the row fail, with the name of the field and not its value.
 */
export function decode(mapping: Mapping, row: JsonObject): Decoded {
  const fields: Record<string, Json> = {}
  for (const field of mapping.fields) {
    const raw = valueAt(row, field.external)
    const value =
      raw === undefined || raw === null || raw === '' ? null : converters[field.type](raw)
    if (value === undefined) return failed(`${field.external} is not ${articles[field.type]}`)
    if (value === null && field.required) return failed(`${field.external} is empty but required`)
    fields[field.local] = value
  }
  return { ok: true, fields }
}

function failed(message: string): Decoded {
  return { ok: false, error: new AppError('mapping_failed', message) }
}

const articles = {
  text: 'a text',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  instant: 'a date and time',
} as const

/** Undefined when the value does not fit. */
const converters: Readonly<Record<FieldMapping['type'], (raw: Json) => Json | undefined>> = {
  text: (raw) => (typeof raw === 'object' ? undefined : String(raw)),
  integer: (raw) => numberOf(raw, Number.isSafeInteger),
  number: (raw) => numberOf(raw, Number.isFinite),
  boolean: (raw) => booleans.get(raw),
  instant: (raw) => (typeof raw === 'string' ? instantOf(raw) : undefined),
}

function numberOf(raw: Json, fits: (value: number) => boolean): number | undefined {
  if (typeof raw !== 'number' && typeof raw !== 'string') return undefined
  const value = Number(raw)
  return fits(value) ? value : undefined
}

const booleans = new Map<Json, boolean>([
  [true, true],
  [false, false],
  ['true', true],
  ['false', false],
])

/** ISO 8601; a stamp without a zone is UTC (V8 would read it as local time), with a blank or a T in the middle. */
function instantOf(raw: string): string | undefined {
  const bare = /^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?$/.test(raw)
  const ms = Date.parse(bare ? `${raw.replace(' ', 'T')}Z` : raw)
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString()
}

/** Dots lead into objects; a name that itself holds dots wins (ServiceNow's dot-walked fields arrive so). */
function valueAt(row: JsonObject, path: string): Json | undefined {
  if (Object.hasOwn(row, path)) return row[path]
  let at: Json | undefined = row
  for (const key of path.split('.')) {
    if (typeof at !== 'object' || at === null || Array.isArray(at)) return undefined
    at = Object.hasOwn(at, key) ? (at as JsonObject)[key] : undefined // an object that is no array
  }
  return at
}
