import {
  entryOf,
  each,
  eventOf,
  listAt,
  notice,
  textAt,
  unknownEvent,
  type Meaning,
  type Operation,
  type Reader,
} from './meaning.ts'

/** `removed` takes a record out of a parent: the record lives on. */
const operations: Readonly<Record<string, Operation>> = {
  added: 'create',
  changed: 'update',
  removed: 'update',
  undeleted: 'update',
  deleted: 'delete',
}

/** Compact events in a list; an empty list is a heartbeat. */
export const asana: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const events = listAt(body, 'events')
    return events.length === 0 ? [notice('heartbeat')] : each(events, readOne)
  },
}

function readOne(event: unknown): Meaning {
  const action = textAt(event, 'action')
  const operation = entryOf(operations, action)
  if (operation === undefined) return unknownEvent(action)
  const entityType = textAt(event, 'resource', 'resource_type')
  return eventOf({
    eventType: `${entityType ?? 'resource'}.${action}`,
    entityType,
    externalId: textAt(event, 'resource', 'gid'),
    operation,
    sourceVersion: textAt(event, 'created_at'),
    content: event,
  })
}
