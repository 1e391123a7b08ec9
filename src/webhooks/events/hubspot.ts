import {
  entryOf,
  each,
  eventOf,
  textAt,
  unknownEvent,
  type Meaning,
  type Operation,
  type Reader,
} from './meaning.ts'

const operations: Readonly<Record<string, Operation>> = {
  creation: 'create',
  newMessage: 'create',
  deletion: 'delete',
  privacyDeletion: 'delete',
  merge: 'update',
  restore: 'update',
  propertyChange: 'update',
  associationChange: 'update',
}

/** A list of up to a hundred events; `attemptNumber` and `eventId` are the delivery's, not the change's. */
export const hubspot: Reader = {
  headers: [],
  toEvents: (_headers, body) => each(Array.isArray(body) ? body : [body], readOne),
}

function readOne(element: unknown): Meaning {
  const type = textAt(element, 'subscriptionType') ?? textAt(element, 'eventType')
  const [entity, verb = ''] = type?.split('.') ?? []
  const operation = entryOf(operations, verb)
  if (type === undefined || operation === undefined) return unknownEvent(type)
  const property = textAt(element, 'propertyName')
  const value = textAt(element, 'propertyValue')
  return eventOf({
    eventType: type,
    entityType: entity === 'object' ? textAt(element, 'objectTypeId') : entity,
    externalId: textAt(element, 'objectId') ?? textAt(element, 'fromObjectId'),
    operation,
    changes: property === undefined ? undefined : { [property]: value ?? null },
    sourceVersion: textAt(element, 'occurredAt'),
    content: [type, textAt(element, 'objectId'), property ?? '', value ?? ''],
  })
}
