import { OBJECTS, type Field, type ObjectShape } from './schema.ts'
import { fromStamp, makeId, toFullId, toStamp, type Changes, type Row } from './values.ts'

export interface RecordChange {
  readonly object: string
  readonly operation: 'create' | 'update' | 'delete' | 'undelete'
  readonly row: Row
  readonly by: string
  /** `client=` of Sforce-Call-Options. */
  readonly origin?: string
}

export interface Writer {
  readonly by: string
  readonly origin?: string
}

/** Why a record was not written, in the API's words. */
export interface WriteError {
  readonly code: string
  readonly message: string
  readonly fields?: readonly string[]
}
export type Written = { readonly row: Row } | { readonly error: WriteError }

/** How long a deleted record can be seen by `queryAll` (facts B2). */
const BIN_MS = 15 * 24 * 3_600_000

/** The database of an organisation: records, stamps, the recycle bin. No HTTP. */
export class Org {
  readonly objects = new Map<string, ObjectShape>(Object.entries(OBJECTS))
  readonly #rows = new Map<string, Map<string, Row>>()
  readonly #counters = new Map<string, number>()
  readonly #listeners: ((change: RecordChange) => void)[] = []
  readonly #now: () => number
  #held: RecordChange[] | undefined

  constructor(now: () => number) {
    this.#now = now
  }

  nowMs(): number {
    return this.#now()
  }

  onChange(listener: (change: RecordChange) => void): void {
    this.#listeners.push(listener)
  }

  /** In the order of their creation, those in the bin included, those that were purged not. */
  rows(object: string): Row[] {
    const purgedBefore = this.#now() - BIN_MS
    return [...this.#of(object).values()].filter(
      (row) => row['IsDeleted'] !== true || fromStamp(row['SystemModstamp']) > purgedBefore,
    )
  }

  find(object: string, id: string): Row | undefined {
    return this.#of(object).get(toFullId(id) ?? '')
  }

  /** Living records with that value. */
  matching(object: string, field: string, value: string): Row[] {
    return this.rows(object).filter(
      (row) => row['IsDeleted'] !== true && String(row[field] ?? '') === value,
    )
  }

  create(object: string, given: Changes, writer: Writer): Written {
    const error = this.#check(object, given, undefined)
    if (error) return { error }
    const id = this.#nextId(object)
    const stamp = toStamp(this.#now())
    const fields = Object.keys(this.objects.get(object)?.fields ?? {})
    const row: Row = {
      ...Object.fromEntries(fields.map((name) => [name, null])),
      OwnerId: writer.by,
      CreatedDate: stamp,
      CreatedById: writer.by,
      ...system(stamp, writer),
      ...normalised(given),
      Id: id,
      IsDeleted: false,
    }
    return this.#commit({ object, operation: 'create', row: completed(object, row), ...writer })
  }

  /** Moves the stamps even when no value changes, as a DML update does. */
  update(
    { object, id }: { readonly object: string; readonly id: string },
    given: Changes,
    writer: Writer,
  ): Written {
    const former = this.find(object, id)
    if (!former) return { error: NOT_FOUND }
    if (former['IsDeleted'] === true) return { error: DELETED }
    const error = this.#check(object, given, former)
    if (error) return { error }
    const row = { ...former, ...normalised(given), ...system(toStamp(this.#now()), writer) }
    return this.#commit({ object, operation: 'update', row: completed(object, row), ...writer })
  }

  remove(object: string, id: string, writer: Writer): Written {
    const former = this.find(object, id)
    if (!former) return { error: NOT_FOUND }
    if (former['IsDeleted'] === true) return { error: DELETED }
    const row = { ...former, IsDeleted: true, ...system(toStamp(this.#now()), writer) }
    return this.#commit({ object, operation: 'delete', row, ...writer })
  }

  restore(object: string, id: string, writer: Writer): Written {
    const former = this.find(object, id)
    if (!former) return { error: NOT_FOUND }
    const row = { ...former, IsDeleted: false, ...system(toStamp(this.#now()), writer) }
    return this.#commit({ object, operation: 'undelete', row, ...writer })
  }

  /** Undoes everything that the work wrote when its result is not kept; nobody hears of it before. */
  attempt<T>(work: () => T, keeps: (result: T) => boolean): T {
    const before = new Map([...this.#rows].map(([object, rows]) => [object, new Map(rows)]))
    const held: RecordChange[] = []
    this.#held = held
    const result = work()
    this.#held = undefined
    if (keeps(result)) for (const change of held) this.#tell(change)
    else
      for (const object of this.#rows.keys())
        this.#rows.set(object, before.get(object) ?? new Map())
    return result
  }

  /** Writes as it is, without stamps or triggers. */
  writeSilently(object: string, row: Row): void {
    this.#of(object).set(String(row['Id']), row)
  }

  /** Takes a record out of the bin for good. */
  purge(object: string, id: string): void {
    this.#of(object).delete(toFullId(id) ?? '')
  }

  #of(object: string): Map<string, Row> {
    const rows = this.#rows.get(object) ?? new Map<string, Row>()
    this.#rows.set(object, rows)
    return rows
  }

  #nextId(object: string): string {
    const nth = (this.#counters.get(object) ?? 0) + 1
    this.#counters.set(object, nth)
    return makeId(this.objects.get(object)?.prefix ?? 'a00', nth)
  }

  #commit(change: RecordChange): Written {
    this.writeSilently(change.object, change.row)
    if (this.#held) this.#held.push(change)
    else this.#tell(change)
    return { row: change.row }
  }

  #tell(change: RecordChange): void {
    for (const listener of this.#listeners) listener(change)
  }

  #check(object: string, given: Changes, former: Row | undefined): WriteError | undefined {
    const fields = this.objects.get(object)?.fields ?? {}
    const missing = Object.entries(fields).flatMap(([name, { required }]) => {
      const value = name in given ? given[name] : former?.[name]
      return required === true && (value ?? '') === '' ? [name] : []
    })
    for (const [name, value] of Object.entries(given)) {
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined
      const error = field ? problemOf(name, field, value) : unknownField(object, name)
      if (error) return error
      const repeats =
        field?.unique === true && value !== null && this.matching(object, name, String(value))
      const other = repeats ? repeats.find((row) => row['Id'] !== former?.['Id']) : undefined
      if (other) return duplicate(name, String(other['Id']))
    }
    if (missing.length === 0) return undefined
    const message = `Required fields are missing: [${missing.join(', ')}]`
    return { code: 'REQUIRED_FIELD_MISSING', message, fields: missing }
  }
}

export const PERSON: Writer = { by: makeId('005', 1) }
const NOT_FOUND = { code: 'NOT_FOUND', message: 'The requested resource does not exist' }
const DELETED = { code: 'ENTITY_IS_DELETED', message: 'entity is deleted' }

function duplicate(field: string, id: string): WriteError {
  const message = `duplicate value found: ${field} duplicates value on record with id: ${id}`
  return { code: 'DUPLICATE_VALUE', message, fields: [field] }
}

function unknownField(object: string, name: string): WriteError {
  return { code: 'INVALID_FIELD', message: `No such column '${name}' on sobject of type ${object}` }
}

function problemOf(
  name: string,
  field: Field,
  value: Row[string] | undefined,
): WriteError | undefined {
  if (field.readOnly === true) {
    const message = `Unable to create/update fields: ${name}`
    return { code: 'INVALID_FIELD_FOR_INSERT_UPDATE', message, fields: [name] }
  }
  if (typeof value === 'string' && value.length > (field.length ?? Number.POSITIVE_INFINITY)) {
    const message = `${name}: data value too large (max length=${field.length})`
    return { code: 'STRING_TOO_LONG', message, fields: [name] }
  }
  const isWrong =
    (field.kind === 'number' && value !== null && typeof value !== 'number') ||
    (field.kind === 'boolean' && typeof value !== 'boolean')
  return isWrong
    ? { code: 'JSON_PARSER_ERROR', message: `${name} has a value of a wrong type` }
    : undefined
}

/** Texts are trimmed, and an empty one is none. */
function normalised(given: Changes): Changes {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.trim() || null : value,
    ]),
  )
}

function system(stamp: string, { by }: Writer): Changes {
  return { LastModifiedDate: stamp, LastModifiedById: by, SystemModstamp: stamp }
}

/** What the platform sets on a case by itself. */
function completed(object: string, row: Row): Row {
  if (object !== 'Case') return row
  const isClosed = row['Status'] === 'Closed'
  const closedAt = isClosed ? (row['ClosedDate'] ?? row['SystemModstamp'] ?? null) : null
  const number = row['CaseNumber'] ?? String(row['Id']).slice(-8, -3).padStart(8, '0')
  return {
    ...row,
    Status: row['Status'] ?? 'New',
    IsClosed: isClosed,
    ClosedDate: closedAt,
    CaseNumber: number,
  }
}
