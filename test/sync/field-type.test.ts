import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { connectors } from '../../src/connectors/index.ts'
import type { Json } from '../../src/core/canonical-json.ts'
import { fieldTypes, instantForms, transformNames } from '../../src/sync/field-type.ts'
import {
  decode,
  encode,
  mappingShape,
  type FieldMapping,
  type Mapping,
} from '../../src/sync/mapping.ts'

const raws: Readonly<Record<FieldMapping['type'], fc.Arbitrary<Json>>> = {
  text: fc.string({ unit: 'grapheme' }),
  integer: fc.oneof(fc.integer(), fc.integer().map(String)),
  number: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer().map(String)),
  boolean: fc.constantFrom<Json>(true, false, 'true', 'false'),
  instant: fc
    .date({ min: new Date('1000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  date: fc
    .date({ min: new Date('1000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10)),
  list: fc.array(
    fc.string({ minLength: 1 }).filter((text) => !text.includes(';') && text.trim() === text),
  ),
}

const fieldArbitrary: fc.Arbitrary<{ field: FieldMapping; raw: Json }> = fc
  .record({
    type: fc.constantFrom(...fieldTypes),
    form: fc.constantFrom(...instantForms),
    transforms: fc.uniqueArray(fc.constantFrom(...transformNames), { maxLength: 3 }),
    separated: fc.boolean(),
    named: fc.boolean(),
    empty: fc.integer({ min: 0, max: 9 }),
  })
  .chain(({ type, form, transforms, separated, named, empty }) => {
    const isText = type === 'text'
    const field: FieldMapping = {
      local: 'ours',
      external: 'their.path',
      type,
      ...(type === 'instant' ? { form } : {}),
      ...(isText ? { transforms } : {}),
      ...(type === 'list' && separated ? { separator: ';' } : {}),
      ...(isText && named
        ? {
            values: [
              ['1', 'one'],
              ['2', 'two'],
              ['3', 'one'],
            ] satisfies FieldMapping['values'],
          }
        : {}),
    }
    const value = named && isText ? fc.constantFrom<Json>('1', '2', '3', ' 1', 'other') : raws[type]
    return value.map((raw) => ({ field, raw: empty === 0 ? null : raw }))
  })

test('what is written is read back the same, whatever the mapping', () => {
  fc.assert(
    fc.property(fieldArbitrary, ({ field, raw }) => {
      const mapping: Mapping = { entityType: 'thing', fields: [field] }
      const read = decode(mapping, { 'their.path': wireForm(field, raw) })
      if (!read.ok) throw read.error
      const written = encode(mapping, read.fields)
      if (!written.ok) throw written.error
      expect(decode(mapping, written.values)).toMatchObject({ ok: true, fields: read.fields })
    }),
    { numRuns: 2_000, examples: [[{ field: shouting, raw: '"' }]] },
  )
})

const shouting: FieldMapping = {
  local: 'ours',
  external: 'their.path',
  type: 'text',
  transforms: ['upper', 'html'],
}

/** How a vendor writes the value that an arbitrary made. */
function wireForm({ form, separator }: FieldMapping, raw: Json): Json {
  if (form === 'seconds') return typeof raw === 'string' ? Math.floor(Date.parse(raw) / 1_000) : raw
  if (form === 'milliseconds') return typeof raw === 'string' ? Date.parse(raw) : raw
  return Array.isArray(raw) && separator !== undefined ? raw.join(separator) : raw
}

const presets = Object.values(connectors).flatMap(({ integrationId, streams }) =>
  Object.entries(streams).map(
    ([name, { mapping }]) => [`${integrationId} ${name}`, mapping] as const,
  ),
)

test.for(presets)('%s: what is written is read back the same', ([, mapping]) => {
  expect(mappingShape.safeParse(mapping).success).toBe(true)
  const row = fc.record(
    Object.fromEntries(mapping.fields.map(({ external, type }) => [external, raws[type]])),
  )
  fc.assert(
    fc.property(row, (values) => {
      const read = decode(mapping, values)
      if (!read.ok) return
      const written = encode(mapping, read.fields)
      if (!written.ok) throw written.error
      const again = decode(
        { ...mapping, fields: mapping.fields.filter(({ readOnly }) => !readOnly) },
        written.values,
      )
      const own = new Set(
        mapping.fields.flatMap(({ local, readOnly }) => (readOnly ? [local] : [])),
      )
      const expected = Object.entries(read.fields).filter(([name]) => !own.has(name))
      expect(again).toMatchObject({ ok: true, fields: Object.fromEntries(expected) })
    }),
    { numRuns: 50 },
  )
})

test.for<[Partial<FieldMapping>, Json, string]>([
  [{ type: 'text', required: true }, null, 'ours is empty but theirs is required'],
  [{ type: 'integer' }, 'many', 'ours is not an integer'],
  [{ type: 'text', values: [['1', 'one']], unknownValue: 'fail' }, 'two', 'ours is not a text'],
  [{ type: 'list', separator: ',' }, ['a,b'], 'ours is not a list'],
])('%j does not write %j, and the reason does not show it', ([field, value, message]) => {
  const mapping = {
    entityType: 't',
    fields: [{ local: 'ours', external: 'theirs', type: 'text', ...field } as const],
  }
  expect(encode(mapping, { ours: value })).toMatchObject({ ok: false, error: { message } })
})

test('S34: a value that the mapping does not name is kept, cleared or fails the row, as the mapping says', () => {
  const read = (unknownValue?: FieldMapping['unknownValue']) =>
    decode(
      {
        entityType: 't',
        fields: [{ local: 'x', external: 'x', type: 'text', values: [['1', 'one']], unknownValue }],
      },
      { x: '9' },
    )
  expect(read()).toMatchObject({ fields: { x: '9' } })
  expect(read('clear')).toMatchObject({ fields: { x: null } })
  expect(read('fail')).toMatchObject({ ok: false })
})

test('what the vendor keeps to itself is never written', () => {
  const fields = [{ local: 'x', external: 'x', type: 'text', readOnly: true } as const]
  expect(encode({ entityType: 't', fields }, { x: 'a' })).toEqual({ ok: true, values: {} })
})

test('a mapping that names a field or a value twice is refused', () => {
  const field = { local: 'x', external: 'y', type: 'text' }
  expect(mappingShape.safeParse({ entityType: 't', fields: [field, field] }).success).toBe(false)
  const values = [
    ['1', 'a'],
    ['1', 'b'],
  ]
  expect(mappingShape.safeParse({ entityType: 't', fields: [{ ...field, values }] }).success).toBe(
    false,
  )
})
