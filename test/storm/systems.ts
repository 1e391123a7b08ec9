import type { Json } from '../../src/core/canonical-json.ts'
import type { FieldMapping } from '../../src/sync/mapping.ts'
import type { Stack } from '../../infra/local/stack.ts'

/** One of the systems, as the storm sees it: rows that people change, faults on demand, and every value it ever had. */
export interface System {
  readonly name: string
  readonly connectionId: string
  readonly fields: readonly FieldMapping[]
  rows(): ReadonlyMap<string, Readonly<Record<string, Json>>>
  create(values: Readonly<Record<string, string>>): string
  edit(id: string, values: Readonly<Record<string, string>>): void
  remove(id: string): void
  /** Things that go wrong with the next call, each in its own way. */
  readonly faults: readonly (() => void)[]
  clearFaults(): void
  /** Values of text fields that any row ever had. */
  readonly history: Set<string>
  /** How many rows were written by us. */
  readonly ourWrites: () => number
}

export const entityType = 'incident'

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

export function serviceNowSystem({ serviceNow }: Stack): System {
  const { control } = serviceNow
  const history = new Set<string>()
  let ours = 0
  control.parts.instance.onChange(({ table, row, by }) => {
    if (table !== 'incident') return
    keep(history, serviceNowFields, row)
    if (by === control.parts.credentials.userName) ours += 1
  })
  const api = '/api/now'
  return {
    name: 'ServiceNow',
    connectionId: 'conn-servicenow',
    fields: serviceNowFields,
    rows: () => new Map(control.rows('incident').map((row) => [row['sys_id'] ?? '', row])),
    create: (values) => control.create('incident', values)['sys_id'] ?? '',
    edit: (id, values) => void control.update('incident', id, values),
    remove: (id) => control.remove('incident', id),
    faults: [
      () => control.throttle('rule'),
      () => control.throttle('semaphore'),
      () => control.fail({ operation: api, status: 502 }),
      () => control.fail({ operation: api, connection: 'drop' }),
      () => control.fail({ operation: api, connection: 'lose-answer' }),
      () => control.fail({ operation: `batch POST ${api}/table/incident`, status: 500 }),
      () => control.hibernate(1, api),
      () => control.expireAccessTokens(),
    ],
    clearFaults: () => control.clearFaults(),
    history,
    ourWrites: () => ours,
  }
}

export function salesforceSystem({ salesforce }: Stack): System {
  if (!salesforce) throw new Error('the stack has no Salesforce organisation')
  const { control } = salesforce
  const history = new Set<string>()
  let ours = 0
  control.parts.org.onChange(({ object, row, by }) => {
    if (object !== 'Case') return
    keep(history, salesforceFields, row)
    if (by === control.parts.user) ours += 1
  })
  const api = '/services/data'
  return {
    name: 'Salesforce',
    connectionId: 'conn-salesforce',
    fields: salesforceFields,
    rows: () => new Map(control.rows('Case').map((row) => [String(row['Id']), row])),
    create: (values) => String(control.create('Case', values)['Id']),
    edit: (id, values) => void control.update('Case', id, values),
    remove: (id) => control.remove('Case', id),
    faults: [
      () => control.throttle('edge'),
      () => control.fail({ operation: api, status: 503 }),
      () => control.fail({ operation: api, connection: 'drop' }),
      () => control.fail({ operation: api, connection: 'lose-answer' }),
      () => control.maintain(1, 503),
      () => control.expireSessions(),
    ],
    clearFaults: () => control.clearFaults(),
    history,
    ourWrites: () => ours,
  }
}

function keep(
  history: Set<string>,
  fields: readonly FieldMapping[],
  row: Readonly<Record<string, Json | undefined>>,
): void {
  for (const { external, type } of fields) {
    const value = row[external]
    if (type === 'text' && typeof value === 'string') history.add(value.trim())
  }
}
