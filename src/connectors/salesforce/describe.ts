import type { Json } from '../../core/canonical-json.ts'
import type { VendorClient } from '../client.ts'
import type { Discovered, ExternalField } from '../connector.ts'
import { isObject, listOf, textAt } from '../json.ts'
import { problemOf } from '../outcome.ts'
import { outcomes } from './outcomes.ts'
import { ROOT } from './root.ts'

/** The fields of an object that are ours to see: `sobjects/{T}/describe`. */
export async function describe(
  client: VendorClient,
  object: string,
  signal: AbortSignal,
): Promise<Discovered> {
  const path = `${ROOT}/sobjects/${encodeURIComponent(object)}/describe`
  const answer = await client.call({ method: 'GET', path }, signal)
  const problem = problemOf(answer, outcomes, client.now())
  if (problem) return problem
  const body = answer.kind === 'answer' && isObject(answer.body) ? answer.body : {}
  const fields = listOf(body['fields'])
  if (!fields) return { kind: 'retry', reason: 'it answered without a description' }
  return { kind: 'fields', object, from: 'description', fields: fields.flatMap(fieldOf) }
}

/** The vendor's types that are no texts for us. */
const types: Readonly<Record<string, ExternalField['type']>> = {
  boolean: 'boolean',
  int: 'integer',
  long: 'integer',
  double: 'number',
  currency: 'number',
  percent: 'number',
  datetime: 'instant',
}

function fieldOf(field: Json): ExternalField[] {
  const name = textAt(field, 'name')
  if (name === undefined || !isObject(field)) return []
  const vendorType = textAt(field, 'type') ?? 'string'
  const isWritten = field['updateable'] === true || field['createable'] === true
  const needed = field['nillable'] === false && field['defaultedOnCreate'] !== true
  const references = (listOf(field['referenceTo']) ?? []).filter((one) => typeof one === 'string')
  const choices = (listOf(field['picklistValues']) ?? []).flatMap(choiceOf)
  const length = field['length']
  return [
    {
      name,
      label: textAt(field, 'label') ?? name,
      type: types[vendorType] ?? 'text',
      vendorType,
      readOnly: !isWritten,
      required: needed && field['createable'] === true && vendorType !== 'boolean',
      ...(typeof length === 'number' && length > 0 ? { length } : {}),
      ...(references.length > 0 ? { references } : {}),
      ...(choices.length > 0 ? { choices } : {}),
      ...(field['externalId'] === true ? { isExternalId: true } : {}),
    },
  ]
}

function choiceOf(choice: Json) {
  const value = textAt(choice, 'value')
  const isActive = !isObject(choice) || choice['active'] !== false
  return value === undefined || !isActive
    ? []
    : [{ value, label: textAt(choice, 'label') ?? value }]
}
