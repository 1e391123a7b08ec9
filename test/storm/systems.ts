import type { Json, JsonObject } from '../../src/core/canonical-json.ts'
import { decode, encode, type FieldMapping } from '../../src/sync/mapping.ts'
import type { Stack } from '../../infra/local/stack.ts'
import type { Chance } from '../simulation/random.ts'
import { pool } from './pool.ts'

export const entityType = 'incident'

/** One of the sides, as the people who work there see it. Values go by our names. */
export interface System {
  readonly name: string
  /** Any row that is there. */
  readonly pick: (chance: Chance) => Promise<string | undefined>
  /** Undefined, as `false` below, when nobody knows whether it was done. */
  readonly create: (fields: JsonObject) => Promise<string | undefined>
  readonly edit: (id: string, fields: JsonObject) => Promise<boolean>
  readonly remove: (id: string) => Promise<boolean>
  /** A row that somebody deleted is wanted back: out of the bin, or written once more. */
  readonly recreate: (id: string, fields: JsonObject) => Promise<string | undefined>
  readonly rows: () => Promise<ReadonlyMap<string, JsonObject>>
  /** Values of text fields that somebody could see there. */
  readonly history: Set<string>
}

/** A vendor, with what only its administrators see. */
export interface Vendor extends System {
  readonly connectionId: string
  readonly fields: readonly FieldMapping[]
  /** Things that go wrong with the next call, each in its own way. */
  readonly faults: readonly (() => void)[]
  onCall(listener: () => void): void
  readonly clearFaults: () => void
  /** How many rows were written by us. */
  readonly ourWrites: () => number
  /** Ids of the rows that we created. */
  readonly ours: ReadonlySet<string>
  /** The markers of the rows that are there. */
  readonly markers: () => readonly string[]
  /** How many rows there are. */
  readonly size: () => number
  /** Time goes by there. */
  readonly advance: (ms: number) => void
}

const title = { local: 'title', type: 'text', equality: { trim: true } } as const
const text = { local: 'description', type: 'text', equality: { trim: true } } as const

export const serviceNowFields: readonly FieldMapping[] = [
  { ...title, external: 'short_description' },
  { ...text, external: 'description' },
  { local: 'urgency', external: 'urgency', type: 'integer' },
]

export const salesforceFields: readonly FieldMapping[] = [
  { ...title, external: 'Subject' },
  { ...text, external: 'Description' },
  {
    local: 'urgency',
    external: 'Priority',
    type: 'integer',
    values: [
      ['High', 1],
      ['Medium', 2],
      ['Low', 3],
    ],
  },
]

type Row = Readonly<Record<string, Json | undefined>>

interface Change {
  readonly row: Row
  readonly operation: string
  readonly by: string
}

interface VendorParts {
  readonly name: string
  readonly connectionId: string
  readonly fields: readonly FieldMapping[]
  readonly us: string
  readonly idField: string
  readonly markerField: string
  readonly onChange: (listener: (change: Change) => void) => void
  readonly all: () => readonly Row[]
  readonly find: (id: string) => Row | undefined
  readonly create: (values: Readonly<Record<string, string>>) => Row
  readonly edit: (id: string, values: Readonly<Record<string, string>>) => void
  readonly remove: (id: string) => void
  readonly restore?: (id: string) => void
  readonly control: {
    onCall(listener: () => void): void
    clearFaults(): void
    readonly clock: { advance(ms: number): void }
  }
  readonly faults: readonly (() => void)[]
}

export function serviceNowSystem({ serviceNow: { control } }: Stack): Vendor {
  const api = '/api/now'
  const { instance, credentials } = control.parts
  return vendor({
    name: 'ServiceNow',
    connectionId: 'conn-servicenow',
    fields: serviceNowFields,
    us: credentials.userName,
    idField: 'sys_id',
    markerField: 'correlation_id',
    onChange: (listener) =>
      instance.onChange((change) => {
        if (change.table === 'incident') listener(change)
      }),
    all: () => control.rows('incident'),
    find: (id) => control.row('incident', id),
    create: (values) => control.create('incident', values),
    edit: (id, values) => void control.update('incident', id, values),
    remove: (id) => control.remove('incident', id),
    control,
    faults: [
      () => control.throttle('semaphore'),
      () => control.throttle('quota'),
      () => control.fail({ operation: api, status: 429, headers: { 'retry-after': '1' } }),
      () => control.fail({ operation: api, status: 502 }),
      () => control.fail({ operation: api, status: 503 }),
      () => control.fail({ operation: api, connection: 'drop' }),
      () => control.fail({ operation: api, connection: 'lose-answer' }),
      () => control.fail({ operation: `batch POST ${api}/table/incident`, status: 500 }),
      () => control.limitBatch(3),
      () => control.hibernate(1, api),
      () => control.expireAccessTokens(),
    ],
  })
}

export function salesforceSystem({ salesforce }: Stack): Vendor {
  if (!salesforce) throw new Error('the stack has no Salesforce organisation')
  const { control } = salesforce
  const api = '/services/data'
  return vendor({
    name: 'Salesforce',
    connectionId: 'conn-salesforce',
    fields: salesforceFields,
    us: control.parts.user,
    idField: 'Id',
    markerField: 'Syncline_Id__c',
    onChange: (listener) =>
      control.parts.org.onChange((change) => {
        if (change.object === 'Case') listener(change)
      }),
    all: () => control.rows('Case'),
    find: (id) => {
      const row = control.row('Case', id)
      return row?.['IsDeleted'] === true ? undefined : row
    },
    create: (values) => control.create('Case', values),
    edit: (id, values) => void control.update('Case', id, values),
    remove: (id) => control.remove('Case', id),
    restore: (id) => void control.restore('Case', id),
    control,
    faults: [
      () => control.throttle('edge'),
      () => control.throttle('concurrency'),
      () => control.fail({ operation: api, status: 503 }),
      () => control.fail({ operation: api, connection: 'drop' }),
      () => control.fail({ operation: api, connection: 'lose-answer' }),
      () => control.rejectWrites('UNABLE_TO_LOCK_ROW'),
      () => control.maintain(1, 503),
      () => control.maintain(1, 200),
      () => control.expireSessions(),
    ],
  })
}

function vendor(parts: VendorParts): Vendor {
  const { name, connectionId, fields, idField, control } = parts
  const history = new Set<string>()
  const ours = new Set<string>()
  const mapping = { entityType, fields: [...fields] }
  const idOf = (row: Row) => {
    const id = row[idField]
    return typeof id === 'string' ? id : ''
  }
  const ids = pool((id) => parts.find(id) !== undefined)
  for (const row of parts.all()) ids.add(idOf(row))
  let writes = 0
  parts.onChange(({ row, operation, by }) => {
    for (const { external, type } of fields) {
      const value = row[external]
      if (type === 'text' && typeof value === 'string') history.add(value.trim())
    }
    if (operation === 'create' || operation === 'insert' || operation === 'undelete') {
      ids.add(idOf(row))
      if (by === parts.us) ours.add(idOf(row))
    }
    if (by === parts.us) writes += 1
  })
  const encoded = (values: JsonObject) => {
    const result = encode(mapping, values)
    if (!result.ok) throw result.error
    return Object.fromEntries(
      Object.entries(result.values).map(([key, value]) => [
        key,
        typeof value === 'string' ? value : JSON.stringify(value),
      ]),
    )
  }
  const create = async (values: JsonObject) => idOf(parts.create(encoded(values)))
  return {
    name,
    connectionId,
    fields,
    history,
    ours,
    faults: parts.faults,
    onCall: (listener) => control.onCall(listener),
    clearFaults: () => control.clearFaults(),
    ourWrites: () => writes,
    size: () => parts.all().length,
    advance: (ms) => control.clock.advance(ms),
    markers: () =>
      parts.all().flatMap((row) => {
        const marker = row[parts.markerField]
        return typeof marker === 'string' && marker !== '' ? [marker] : []
      }),
    pick: async (chance) => ids.pick(chance),
    create,
    edit: async (id, values) => {
      if (!parts.find(id)) return false
      parts.edit(id, encoded(values))
      return true
    },
    remove: async (id) => {
      if (!parts.find(id)) return false
      parts.remove(id)
      return true
    },
    recreate: async (id, values) => {
      if (!parts.restore) return create(values)
      if (parts.find(id)) return undefined
      parts.restore(id)
      return id
    },
    rows: async () =>
      new Map(
        parts.all().map((row) => {
          const decoded = decode(mapping, row as JsonObject) // a twin's row is JSON
          return [idOf(row), decoded.ok ? decoded.fields : {}]
        }),
      ),
  }
}
