import { describe, expect, test } from 'vitest'
import type { Json } from '../../src/core/canonical-json.ts'
import { decode, type FieldMapping } from '../../src/sync/mapping.ts'

function decoded(
  type: FieldMapping['type'],
  value: Json | undefined,
  more: Partial<FieldMapping> = {},
) {
  const row = value === undefined ? {} : { x: value }
  return decode(
    { entityType: 'thing', fields: [{ local: 'y', external: 'x', type, ...more }] },
    row,
  )
}

describe('a value', () => {
  test.for<[FieldMapping['type'], Json | undefined, Json]>([
    ['text', 'a', 'a'],
    ['text', 7, '7'],
    ['text', '', null],
    ['text', null, null],
    ['text', undefined, null],
    ['integer', '7', 7],
    ['integer', '-100', -100],
    ['integer', 0, 0],
    ['number', '1.5', 1.5],
    ['boolean', 'true', true],
    ['boolean', 'false', false],
    ['boolean', true, true],
    ['instant', '2026-11-20 12:00:00', '2026-11-20T12:00:00.000Z'],
    ['instant', '2026-11-20T12:00:00+02:00', '2026-11-20T10:00:00.000Z'],
    ['instant', '2026-11-20T12:00:00.000+0000', '2026-11-20T12:00:00.000Z'],
    ['instant', '', null],
  ])('%s %j is %j', ([type, value, expected]) => {
    expect(decoded(type, value)).toEqual({ ok: true, fields: { y: expected } })
  })

  test.for<[FieldMapping['type'], Json, string]>([
    ['text', { a: 1 }, 'x is not a text'],
    ['integer', '1.5', 'x is not an integer'],
    ['integer', 'many', 'x is not an integer'],
    ['integer', '9007199254740993', 'x is not an integer'],
    ['number', 'Infinity', 'x is not a number'],
    ['boolean', 'yes', 'x is not true or false'],
    ['instant', 'yesterday', 'x is not a date and time'],
    ['instant', 5, 'x is not a date and time'],
  ])('%s %j does not fit, and the reason does not show it', ([type, value, message]) => {
    expect(decoded(type, value)).toMatchObject({
      ok: false,
      error: { code: 'mapping_failed', message },
    })
  })
})

test('a required field that is empty fails the row', () => {
  expect(decoded('text', '', { required: true })).toMatchObject({
    ok: false,
    error: { message: 'x is empty but required' },
  })
})

test('a path leads into objects, never into what an object inherits; a name with dots wins', () => {
  const fields = [{ local: 'y', external: 'a.b', type: 'text' as const }]
  const read = (row: Record<string, Json>) => decode({ entityType: 't', fields }, row)
  expect(read({ a: { b: 'in' } })).toMatchObject({ fields: { y: 'in' } })
  expect(read({ 'a.b': 'dotted', a: { b: 'in' } })).toMatchObject({ fields: { y: 'dotted' } })
  expect(read({ a: ['b'] })).toMatchObject({ fields: { y: null } })
  const inherited = [{ local: 'y', external: 'constructor.name', type: 'text' as const }]
  expect(decode({ entityType: 't', fields: inherited }, {})).toMatchObject({ fields: { y: null } })
})
