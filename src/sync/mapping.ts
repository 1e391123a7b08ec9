import { z } from 'zod'
import type { Json, JsonObject } from '../core/canonical-json.ts'
import { AppError } from '../core/errors.ts'
import { decodeValue, encodeValue, fieldTypes, instantForms, transformNames } from './field-type.ts'

const scalar = z.union([z.string(), z.number(), z.boolean()])

/** How one field of a record is written on the other side. */
const fieldShape = z.object({
  /** The name in our records. */
  local: z.string().min(1),
  /** The path in the vendor's row; dots lead into objects. */
  external: z.string().min(1),
  type: z.enum(fieldTypes),
  required: z.boolean().optional(),
  /** The vendor's own: read, never written. */
  readOnly: z.boolean().optional(),
  /** Stands for an empty value of the vendor. */
  default: scalar.optional(),
  /** Pairs of the vendor's value and ours. */
  values: z
    .array(z.tuple([scalar, scalar]))
    .refine(isUnambiguous, 'names a value twice')
    .optional(),
  /** What becomes of a value that `values` does not name. */
  unknownValue: z.enum(['keep', 'clear', 'fail']).optional(),
  /** Applied from left to right when reading, undone from right to left when writing. */
  transforms: z.array(z.enum(transformNames)).optional(),
  /** How the vendor writes an instant. */
  form: z.enum(instantForms).optional(),
  /** Between the items of a list that the vendor writes as one text. */
  separator: z.string().min(1).optional(),
  /** What the vendor does not keep of a value. */
  equality: z
    .object({
      trim: z.boolean().optional(),
      ignoreCase: z.boolean().optional(),
      decimals: z.int().min(0).max(15).optional(),
      set: z.boolean().optional(),
      length: z.int().positive().optional(),
      precisionMs: z.int().positive().optional(),
    })
    .optional(),
  /** How two changes of this field are put together by the strategy `merge`. */
  merge: z.enum(['set', 'append']).optional(),
  /** The named decision for the strategy `custom`. */
  custom: z.string().optional(),
  /** The entity type whose record this field names: our id here, the vendor's there. */
  reference: z.string().min(1).optional(),
})
export type FieldMapping = z.infer<typeof fieldShape>

function isUnambiguous(pairs: readonly (readonly [Json, Json])[]): boolean {
  return new Set(pairs.map(([external]) => JSON.stringify(external))).size === pairs.length
}

/** Another record that a row tells of: an incident knows its caller. */
const derivedShape = z.object({
  entityType: z.string().min(1),
  /** The path of its id there; a row in which it is empty tells of none. */
  externalId: z.string().min(1),
  fields: z.array(fieldShape).min(1),
})

/** A conversion schema: which fields of a vendor's row make which record. Data, so that it can be stored and changed. */
export const mappingShape = z.object({
  entityType: z.string().min(1),
  fields: z
    .array(fieldShape)
    .min(1)
    .refine(
      (fields) => new Set(fields.map(({ local }) => local)).size === fields.length,
      'two fields have the same local name',
    ),
  /** They are read with the row, unless the connection has a task of its own for them. */
  derived: z.array(derivedShape).optional(),
})
export type Mapping = z.infer<typeof mappingShape>

export type Decoded =
  | {
      readonly ok: true
      readonly fields: JsonObject
      /** Fields of the mapping that the row does not have: renamed, removed or hidden from us. They are left as they are. */
      readonly missing: readonly string[]
    }
  | { readonly ok: false; readonly error: AppError }

/**
 * A vendor's row as the fields of our record. Empty values are null; a field that the row does not have is left out. A value
 * that does not fit its type makes the row fail, with the name of the field and not its value.
 */
export function decode(mapping: Mapping, row: JsonObject): Decoded {
  const fields: Record<string, Json> = {}
  const missing: string[] = []
  for (const field of mapping.fields) {
    const raw = valueAt(row, field.external)
    if (raw === undefined && !field.required) {
      missing.push(field.external)
      continue
    }
    const value = decodeField(field, raw ?? null)
    if (value === undefined) return failed(`${field.external} is not ${articles[field.type]}`)
    if (value === null && field.required) return failed(`${field.external} is empty but required`)
    fields[field.local] = value
  }
  return { ok: true, fields, missing }
}

function decodeField(field: FieldMapping, raw: Json): Json | undefined {
  if (raw === null || raw === '') return field.default ?? null
  const known = named(field, raw)
  if (known !== undefined) return known
  if (field.values && field.unknownValue === 'clear') return null
  if (field.values && field.unknownValue === 'fail') return undefined
  const value = decodeValue(field, raw)
  return value === undefined || value === null ? value : (named(field, value) ?? value)
}

/** Our name of a vendor's value. Choices come as texts from one API and as numbers from the next. */
function named({ values }: FieldMapping, raw: Json): Json | undefined {
  if (typeof raw === 'object') return undefined
  return values?.find(([external]) => String(external) === String(raw))?.[1]
}

export type Encoded =
  | { readonly ok: true; readonly values: JsonObject }
  | { readonly ok: false; readonly error: AppError }

/**
 * Some fields of a record in the vendor's names and forms. Null becomes an empty value. What the vendor requires and what is
 * its own are looked after: `required` fields may not be empty, `readOnly` ones are left out.
 */
export function encode(mapping: Mapping, fields: JsonObject): Encoded {
  const values: Record<string, Json> = {}
  for (const field of mapping.fields) {
    if (field.readOnly || !Object.hasOwn(fields, field.local)) continue
    const value = fields[field.local] ?? null
    if (value === null && field.required) {
      return unencodable(`${field.local} is empty but ${field.external} is required`)
    }
    const encoded = encodeField(field, value)
    if (encoded === undefined) return unencodable(`${field.local} is not ${articles[field.type]}`)
    place(values, field.external, encoded)
  }
  return { ok: true, values }
}

function encodeField(field: FieldMapping, value: Json): Json | undefined {
  if (value === null) return null
  const pair = field.values?.find(([, local]) => local === value)
  if (pair) return pair[0]
  const closed = field.values !== undefined && (field.unknownValue ?? 'keep') !== 'keep'
  return closed ? undefined : encodeValue(field, value)
}

function failed(message: string): Decoded {
  return { ok: false, error: new AppError('mapping_failed', message) }
}

function unencodable(message: string): Encoded {
  return { ok: false, error: new AppError('mapping_failed', message) }
}

const articles: Readonly<Record<FieldMapping['type'], string>> = {
  text: 'a text',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  instant: 'a date and time',
  date: 'a date',
  list: 'a list',
}

/** The fields that may be written to the vendor, by their local names. */
export function writableFields({ fields }: Mapping): readonly string[] {
  return fields.filter(({ readOnly }) => !readOnly).map(({ local }) => local)
}

/** Dots lead into objects; a name that itself holds dots wins (ServiceNow's dot-walked fields arrive so). */
export function valueAt(row: JsonObject, path: string): Json | undefined {
  if (Object.hasOwn(row, path)) return row[path]
  let at: Json | undefined = row
  for (const key of path.split('.')) {
    // A reference that is empty has no fields of its own.
    if (at === null || at === '') return null
    if (typeof at !== 'object' || Array.isArray(at)) return undefined
    at = Object.hasOwn(at, key) ? (at as JsonObject)[key] : undefined // an object that is no array
  }
  return at
}

/** Writes at a path, making the objects on the way. */
function place(values: Record<string, Json>, path: string, value: Json): void {
  const [key = path, ...rest] = path.split('.')
  const inner: Record<string, Json> = { ...objectAt(values, key) }
  if (rest.length > 0) place(inner, rest.join('.'), value)
  // Also for names like `__proto__`, which an assignment would not store.
  Object.defineProperty(values, key, {
    value: rest.length > 0 ? inner : value,
    enumerable: true,
    writable: true,
    configurable: true,
  })
}

function objectAt(values: JsonObject, key: string): JsonObject {
  const found = Object.hasOwn(values, key) ? values[key] : undefined
  const nested = typeof found === 'object' && found !== null && !Array.isArray(found)
  return nested ? (found as JsonObject) : {} // an object that is no array
}
