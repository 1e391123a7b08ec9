import type { VendorClient } from '../client.ts'
import type { VendorProblem } from '../connector.ts'
import { describe } from './describe.ts'
import type { SObject } from './query.ts'

/** What was found out for a client, for as long as there is one. */
const known = new WeakMap<VendorClient, Map<string, SObject>>()

export function visibleSoFar(client: VendorClient, object: SObject): SObject {
  return known.get(client)?.get(object.name) ?? object
}

/**
 * The object without the fields that are not there or not for us: one of them in a query, and the whole of it is refused.
 * What is left out is missing in the rows, which the engine tells, and is changed by nobody.
 */
export async function visiblePart(
  client: VendorClient,
  object: SObject,
  signal: AbortSignal,
): Promise<SObject | VendorProblem> {
  const found = await describe(client, object.name, signal)
  if (found.kind !== 'fields') return found
  const names = new Set(found.fields.map(({ name }) => name.toLowerCase()))
  const isThere = (path: string) => {
    const [first = '', ...rest] = path.toLowerCase().split('.')
    // A path begins with the relationship, whose field has `Id` or `__c` at its end.
    return rest.length === 0 ? names.has(first) : hasRelationship(names, first)
  }
  const { markerField } = object
  const visible: SObject = {
    name: object.name,
    fields: object.fields.filter(({ external }) => isThere(external)),
    markerField: markerField !== undefined && isThere(markerField) ? markerField : undefined,
  }
  const ofClient = known.get(client) ?? new Map<string, SObject>()
  known.set(client, ofClient.set(object.name, visible))
  return visible
}

function hasRelationship(names: ReadonlySet<string>, relationship: string): boolean {
  return names.has(`${relationship}id`) || names.has(relationship.replace(/__r$/, '__c'))
}
