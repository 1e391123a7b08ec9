import {
  entryOf,
  eventOf,
  objectAt,
  textAt,
  unknownEvent,
  type Operation,
  type Reader,
} from './meaning.ts'

const operations: Readonly<Record<string, Operation>> = {
  insert: 'create',
  update: 'update',
  delete: 'delete',
}

/** What the business rule that we ship posts. A version is the stamp (whole seconds) and the count of changes. */
export const servicenow: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const verb = textAt(body, 'operation')
    const operation = entryOf(operations, verb)
    const eventType = textAt(body, 'event_type')
    if (operation === undefined) return [unknownEvent(eventType)]
    const entityType = textAt(body, 'table')
    const stamp = textAt(body, 'record', 'sys_updated_on')
    const count = textAt(body, 'record', 'sys_mod_count')
    return [
      eventOf({
        eventType: eventType ?? `${entityType ?? 'record'}.${verb}`,
        entityType,
        externalId: textAt(body, 'record', 'sys_id') ?? textAt(body, 'sys_id'),
        operation,
        changes: objectAt(body, 'record'),
        sourceVersion: stamp === undefined || count === undefined ? undefined : `${stamp}#${count}`,
        content: objectAt(body, 'record'),
      }),
    ]
  },
}
