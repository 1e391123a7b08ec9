import { at, eventOf, operationOf, textAt, unknownEvent, type Reader } from './meaning.ts'

const KNOWN = /^(?:page|database|data_source|comment|view|file_upload)\./

/** Signals without content (Notion, webhooks): the entity is read again. `attempt_number` differs between tries. */
export const notion: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const type = textAt(body, 'type')
    if (type === undefined || !KNOWN.test(type)) return [unknownEvent(type)]
    return [
      eventOf({
        eventType: type,
        entityType: textAt(body, 'entity', 'type'),
        externalId: textAt(body, 'entity', 'id'),
        operation: type.endsWith('.undeleted') ? 'update' : operationOf(type),
        sourceVersion: textAt(body, 'timestamp'),
        content: [type, at(body, 'entity'), at(body, 'data')],
      }),
    ]
  },
}
