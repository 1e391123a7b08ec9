import type { VendorClient } from '../client.ts'
import type { Found, FoundByMarker, VendorRow } from '../connector.ts'
import { problemOf, interpret } from '../outcome.ts'
import { fullId } from './id.ts'
import { outcomes } from './outcomes.ts'
import { ask, askAll, quoted, rowOf, type SObject } from './query.ts'
import { ROOT } from './root.ts'
import { visibleSoFar } from './visible.ts'

/** Values of one query: a URL may be some 16,000 characters long. */
const VALUES_PER_QUERY = 100

/** One record. A 404 is believed unless the recycle bin's query still finds the record alive. */
export async function fetchOne(
  client: VendorClient,
  { object, externalId }: { readonly object: SObject; readonly externalId: string },
  signal: AbortSignal,
): Promise<Found> {
  const id = fullId(externalId)
  if (id === undefined) return { kind: 'gone' }
  const path = `${ROOT}/sobjects/${object.name}/${id}`
  const answer = await client.call({ method: 'GET', path }, signal)
  const meaning =
    answer.kind === 'answer' ? interpret(answer, outcomes, client.now()).meaning : undefined
  if (meaning === 'gone') return confirm(client, { object, id }, signal)
  if (meaning === 'hidden') return { kind: 'hidden' }
  const problem = problemOf(answer, outcomes, client.now())
  if (problem) return problem
  const row = rowOf(answer.kind === 'answer' ? answer.body : undefined, object.markerField)
  if (!row) return { kind: 'retry', reason: 'it answered without the record' }
  return row.deleted ? { kind: 'gone' } : { kind: 'row', row }
}

async function confirm(
  client: VendorClient,
  { object, id }: { readonly object: SObject; readonly id: string },
  signal: AbortSignal,
): Promise<Found> {
  const rest = `WHERE Id = ${quoted(id)}`
  const found = await ask(client, { object, verb: 'queryAll', rest }, signal)
  if (found.kind !== 'rows') return found
  const isAlive = found.rows.some(({ deleted }) => deleted !== true)
  return { kind: isAlive ? 'hidden' : 'gone' }
}

/** Records by the external id field that holds our marker. */
export async function findByMarker(
  client: VendorClient,
  { object, markers }: { readonly object: SObject; readonly markers: readonly string[] },
  signal: AbortSignal,
): Promise<FoundByMarker> {
  const { markerField } = object
  if (markerField === undefined) return { kind: 'found', rows: new Map() }
  const found = await findBy(client, { object, column: markerField, values: markers }, signal)
  const isMissing = visibleSoFar(client, object).markerField === undefined
  return found.kind === 'refused' && isMissing ? noMarkerField(object) : found
}

/** Without it a create whose answer is lost would be made twice. */
export function noMarkerField({ name, markerField }: SObject) {
  const reason = `${name} has no field ${markerField} for the ids of new records that we may see: add it as an external id, or name another one in the streams of the connection`
  return { kind: 'refused', code: 'vendor_failed', reason } as const
}

export function findByIds(
  client: VendorClient,
  { object, ids }: { readonly object: SObject; readonly ids: readonly string[] },
  signal: AbortSignal,
): Promise<FoundByMarker> {
  const values = ids.flatMap((id) => fullId(id) ?? [])
  return findBy(client, { object, column: 'Id', values }, signal)
}

interface Wanted {
  readonly object: SObject
  readonly column: string
  readonly values: readonly string[]
}

async function findBy(
  client: VendorClient,
  { object, column, values }: Wanted,
  signal: AbortSignal,
): Promise<FoundByMarker> {
  const rows = new Map<string, VendorRow>()
  for (let start = 0; start < values.length; start += VALUES_PER_QUERY) {
    const some = values.slice(start, start + VALUES_PER_QUERY).map(quoted)
    const rest = `WHERE ${column} IN (${some.join(',')}) ORDER BY CreatedDate, Id`
    const found = await askAll(client, { object, verb: 'query', rest }, signal)
    if (found.kind !== 'rows') return found
    for (const row of found.rows) {
      const value = column === 'Id' ? row.externalId : row.values[column]
      if (typeof value === 'string' && !rows.has(value)) rows.set(value, row)
    }
  }
  return { kind: 'found', rows }
}
