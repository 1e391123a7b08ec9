import type { Json } from '../core/canonical-json.ts'

export const fieldTypes = [
  'text',
  'integer',
  'number',
  'boolean',
  'instant',
  'date',
  'list',
] as const
export type FieldType = (typeof fieldTypes)[number]

export const transformNames = ['trim', 'lower', 'upper', 'collapse', 'as_text', 'html'] as const
export type TransformName = (typeof transformNames)[number]

export const instantForms = ['iso', 'blank', 'seconds', 'milliseconds'] as const
export type InstantForm = (typeof instantForms)[number]

export interface FieldForm {
  readonly type: FieldType
  readonly transforms?: readonly TransformName[] | undefined
  readonly form?: InstantForm | undefined
  readonly separator?: string | undefined
}

/** A vendor's value as ours; undefined when it does not fit the type. */
export function decodeValue(field: FieldForm, raw: Json): Json | undefined {
  let value: Json | undefined = raw
  for (const name of field.transforms ?? []) value = value && transforms[name].decode(value)
  if (value === undefined) return undefined
  if (value === null || value === '') return null
  return converters[field.type].decode(value, field)
}

/** Our value as the vendor writes it; undefined when it does not fit the type. */
export function encodeValue(field: FieldForm, value: Json): Json | undefined {
  let encoded = converters[field.type].encode(value, field)
  for (const name of (field.transforms ?? []).toReversed()) {
    encoded = encoded === undefined ? undefined : transforms[name].encode(encoded)
  }
  return encoded
}

interface Conversion<Context> {
  readonly decode: (raw: Json, context: Context) => Json | undefined
  readonly encode: (value: Json, context: Context) => Json | undefined
}

const same = (value: Json) => value
const onText = (change: (text: string) => string) => (value: Json) =>
  typeof value === 'string' ? change(value) : value

/** Reading loses what the vendor's form holds beside the value; writing what was read gives it back unchanged. */
const transforms: Readonly<Record<TransformName, Conversion<void>>> = {
  trim: { decode: onText((text) => text.trim()), encode: same },
  lower: { decode: onText((text) => text.toLowerCase()), encode: same },
  upper: { decode: onText((text) => text.toUpperCase()), encode: same },
  collapse: { decode: onText((text) => text.replace(/\s+/g, ' ').trim()), encode: same },
  as_text: { decode: same, encode: (value) => (typeof value === 'object' ? value : String(value)) },
  html: { decode: onText(textOfHtml), encode: onText(htmlOfText) },
}

const converters: Readonly<Record<FieldType, Conversion<FieldForm>>> = {
  text: {
    decode: (raw) => (typeof raw === 'object' ? undefined : String(raw)),
    encode: (value) => (typeof value === 'object' ? undefined : String(value)),
  },
  integer: numeric(Number.isSafeInteger),
  number: numeric(Number.isFinite),
  boolean: { decode: (raw) => booleans.get(raw), encode: (value) => booleans.get(value) },
  instant: {
    decode: (raw, { form }) => wholeSeconds(instantOf(raw, form ?? 'iso'), form),
    encode: (value, { form }) => formOf(value, form ?? 'iso'),
  },
  date: { decode: dateOf, encode: dateOf },
  list: {
    decode: (raw, { separator }) => itemsOf(raw, separator),
    encode: (value, { separator }) => listOf(value, separator),
  },
}

function numeric(fits: (value: number) => boolean): Conversion<FieldForm> {
  return { decode: (raw) => numberOf(raw, fits), encode: (value) => numberOf(value, fits) }
}

function numberOf(raw: Json, fits: (value: number) => boolean): number | undefined {
  if (typeof raw !== 'number' && typeof raw !== 'string') return undefined
  if (typeof raw === 'string' && raw.trim() === '') return undefined
  const value = Number(raw)
  if (!fits(value)) return undefined
  return value === 0 ? 0 : value
}

const booleans = new Map<Json, boolean>([
  [true, true],
  [false, false],
  ['true', true],
  ['false', false],
])

/** Forms without milliseconds have none to read either. */
function wholeSeconds(iso: string | undefined, form: InstantForm | undefined): string | undefined {
  return form === 'blank' || form === 'seconds' ? iso?.replace(/\.\d+Z$/, '.000Z') : iso
}

/** ISO 8601 with milliseconds, UTC; a stamp without a zone is UTC (V8 would read it as local time). */
function instantOf(raw: Json, form: InstantForm): string | undefined {
  if (form === 'seconds' || form === 'milliseconds') {
    const value = numberOf(raw, Number.isFinite)
    return value === undefined ? undefined : isoOf(value * (form === 'seconds' ? 1_000 : 1))
  }
  if (typeof raw !== 'string') return undefined
  const bare = /^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?$/.test(raw)
  // Salesforce writes the zone without a colon, which ISO 8601's extended form does not allow.
  return isoOf(
    Date.parse(bare ? `${raw.replace(' ', 'T')}Z` : raw.replace(/([+-]\d{2})(\d{2})$/, '$1:$2')),
  )
}

/** The years 0000 to 9999: what four digits hold. */
const FIRST_MS = Date.parse('0000-01-01T00:00:00.000Z')
const LAST_MS = Date.UTC(9_999, 11, 31, 23, 59, 59, 999)

function isoOf(ms: number): string | undefined {
  return ms >= FIRST_MS && ms <= LAST_MS ? new Date(ms).toISOString() : undefined
}

function formOf(value: Json, form: InstantForm): Json | undefined {
  const iso = typeof value === 'string' ? instantOf(value, 'iso') : undefined
  if (iso === undefined) return undefined
  if (form === 'blank') return iso.slice(0, -5).replace('T', ' ')
  if (form === 'seconds') return Math.floor(Date.parse(iso) / 1_000)
  return form === 'milliseconds' ? Date.parse(iso) : iso
}

function dateOf(raw: Json): string | undefined {
  const found = typeof raw === 'string' ? /^\d{4}-\d{2}-\d{2}/.exec(raw)?.[0] : undefined
  return found === undefined || Number.isNaN(Date.parse(found)) ? undefined : found
}

function itemsOf(raw: Json, separator: string | undefined): Json | undefined {
  if (Array.isArray(raw)) return raw.length === 0 ? null : (raw as readonly Json[]) // an array of JSON
  if (typeof raw !== 'string' || separator === undefined) return undefined
  const items = raw
    .split(separator)
    .map((item) => item.trim())
    .filter((item) => item !== '')
  return items.length === 0 ? null : items
}

function listOf(value: Json, separator: string | undefined): Json | undefined {
  if (!Array.isArray(value)) return undefined
  if (separator === undefined) return value as readonly Json[] // an array of JSON
  const items = (value as readonly Json[]).map(String) // an array of JSON
  return items.some((item) => item.includes(separator)) ? undefined : items.join(separator)
}

const entities: readonly (readonly [string, string])[] = [
  ['&lt;', '<'],
  ['&gt;', '>'],
  ['&quot;', '"'],
  ['&#39;', "'"],
  ['&nbsp;', ' '],
  ['&amp;', '&'],
]

function textOfHtml(html: string): string {
  const lines = html.replace(/<br\s*\/?>|<\/p>\s*(?=<p)/gi, '\n').replace(/<[^>]*>/g, '')
  // In any case: the text may have been put in upper case before.
  return entities
    .reduce((text, [entity, sign]) => text.replaceAll(new RegExp(entity, 'gi'), sign), lines)
    .trim()
}

function htmlOfText(text: string): string {
  const escaped = text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
  return escaped.replaceAll('\n', '<br>')
}
