import {
  at,
  eventOf,
  operationOf,
  textAt,
  unknownEvent,
  type Meaning,
  type Reader,
} from './meaning.ts'

const TYPE_FIELDS = ['type', 'event', 'eventType', 'event_type', 'topic', 'name', 'webhookEvent']
const ID_PATHS: readonly (readonly string[])[] = [
  ['data', 'object', 'id'],
  ['data', 'id'],
  ['data', 'item', 'id'],
  ['payload', 'object', 'id'],
  ['payload', 'id'],
  ['object', 'id'],
  ['resource', 'id'],
  ['entityId'],
  ['entity_id'],
  ['recordId'],
  ['record_id'],
]
const VERSION_PATHS: readonly (readonly string[])[] = [
  ['data', 'object', 'updated_at'],
  ['data', 'updated_at'],
  ['data', 'updatedAt'],
  ['payload', 'updated_at'],
]

/**
 * Bodies with a type such as `contact.created` (the form that Standard Webhooks §"Payload structure" recommends) and the
 * record's id at one of the usual places.
 */
export function readDotted(body: unknown): Meaning {
  const type = TYPE_FIELDS.map((field) => textAt(body, field)).find((found) => found !== undefined)
  if (type === undefined) return unknownEvent(undefined)
  const externalId = firstText(body, ID_PATHS)
  if (externalId === undefined) return unknownEvent(type)
  return eventOf({
    eventType: type,
    entityType: textAt(body, 'entityType') ?? entityOf(type),
    externalId,
    operation: operationOf(type),
    sourceVersion: firstText(body, VERSION_PATHS),
    content: at(body, 'data') ?? at(body, 'payload'),
  })
}

/** What stands before the verb: `contact` of `contact.created`, `invoice_item` of `invoice_item:deleted`. */
export function entityOf(type: string): string {
  const parts = type.split(/[.:/]/)
  return parts.length > 1 ? parts.slice(0, -1).join('.') : type
}

function firstText(body: unknown, paths: readonly (readonly string[])[]): string | undefined {
  return paths.map((path) => textAt(body, ...path)).find((found) => found !== undefined)
}

/** Whoever sends one event a delivery with a dotted type: most vendors with no file of their own. */
export const dotted: Reader = {
  headers: [],
  toEvents: (_headers, body) => [readDotted(body)],
}
