import type { Org } from './org.ts'
import type { Field, ObjectShape } from './schema.ts'
import { SoqlError, type Condition, type Literal, type Query } from './soql.ts'
import { fromStamp, toFullId, type Row, type Value } from './values.ts'

const MOST_OFFSET = 2_000

/** The rows of a query in their order, after LIMIT and OFFSET. Throws SoqlError for names that do not exist. */
export function select(org: Org, query: Query, includesDeleted: boolean): Row[] {
  const shape = shapeOf(org, query)
  if (query.offset > MOST_OFFSET)
    throw new SoqlError(
      `Maximum SOQL offset allowed is ${MOST_OFFSET}`,
      'NUMBER_OUTSIDE_VALID_RANGE',
    )
  const matches = compile(query.where, shape)
  const rows = org
    .rows(query.object)
    .filter((row) => (includesDeleted || row['IsDeleted'] !== true) && matches(row))
  for (const { field, descending } of query.orders.toReversed()) {
    const sign = descending ? -1 : 1
    rows.sort((a, b) => sign * compare(a[field] ?? null, b[field] ?? null))
  }
  return rows.slice(query.offset, query.offset + (query.limit ?? rows.length))
}

function shapeOf(org: Org, { object, fields, orders }: Query): ObjectShape {
  const shape = org.objects.get(object)
  if (!shape) throw new SoqlError(`sObject type '${object}' is not supported.`, 'INVALID_TYPE')
  for (const name of [...fields, ...orders.map(({ field }) => field)]) fieldOf(shape, name)
  return shape
}

function fieldOf(shape: ObjectShape, name: string): Field {
  const field = Object.hasOwn(shape.fields, name) ? shape.fields[name] : undefined
  if (!field) throw new SoqlError(`No such column '${name}' on entity`, 'INVALID_FIELD')
  return field
}

function compile(condition: Condition | undefined, shape: ObjectShape): (row: Row) => boolean {
  switch (condition?.kind) {
    case undefined:
      return () => true
    case 'and':
    case 'or': {
      const parts = condition.parts.map((part) => compile(part, shape))
      return condition.kind === 'and'
        ? (row) => parts.every((part) => part(row))
        : (row) => parts.some((part) => part(row))
    }
    case 'not': {
      const part = compile(condition.part, shape)
      return (row) => !part(row)
    }
    case 'compare':
      return compileComparison(condition, fieldOf(shape, condition.field))
  }
}

function compileComparison(
  { field: name, operator, values }: Extract<Condition, { kind: 'compare' }>,
  field: Field,
): (row: Row) => boolean {
  const wanted = values.map((value) => comparable(value, field))
  const [first = null] = wanted
  const test = (read: (value: Value) => boolean) => (row: Row) => {
    const value = row[name] ?? null
    return read(field.kind === 'instant' && value !== null ? fromStamp(value) : value)
  }
  switch (operator) {
    case '=':
      return test((value) => isSame(value, first, field))
    case '!=':
      return test((value) => !isSame(value, first, field))
    case 'IN':
      return test((value) => wanted.some((one) => isSame(value, one, field)))
    case 'NOT IN':
      return test((value) => !wanted.some((one) => isSame(value, one, field)))
    case 'LIKE': {
      const source = String(first)
        .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
        .replaceAll('%', '.*')
        .replaceAll('_', '.')
      const pattern = new RegExp(`^${source}$`, 'is')
      return test((value) => typeof value === 'string' && pattern.test(value))
    }
    case '<':
      return test((value) => value !== null && compare(value, first) < 0)
    case '<=':
      return test((value) => value !== null && compare(value, first) <= 0)
    case '>':
      return test((value) => value !== null && compare(value, first) > 0)
    case '>=':
      return test((value) => value !== null && compare(value, first) >= 0)
  }
}

function comparable(literal: Literal, { kind }: Field): Value {
  switch (literal.kind) {
    case 'null':
      return null
    case 'instant':
      if (kind !== 'instant')
        throw new SoqlError('a date and time is compared with something else', 'INVALID_FIELD')
      return literal.ms
    case 'text':
      if (kind === 'instant')
        throw new SoqlError('a date and time is written without quotes', 'INVALID_FIELD')
      return kind === 'reference' ? (toFullId(literal.value) ?? literal.value) : literal.value
    case 'number':
    case 'boolean':
      return literal.value
  }
}

/** Texts are compared without regard to case; ids are not. */
function isSame(value: Value, wanted: Value, { kind }: Field): boolean {
  const isText = kind === 'text' && typeof value === 'string' && typeof wanted === 'string'
  return isText ? value.toLowerCase() === wanted.toLowerCase() : value === wanted
}

function compare(a: Value, b: Value): number {
  if (a === b) return 0
  if (a === null || b === null) return a === null ? -1 : 1
  return a < b ? -1 : 1
}
