import { entryOf, at, eventOf, notice, textAt, unknownEvent, type Reader } from './meaning.ts'

/** Webhooks v3: one event with the resource that it is about. */
export const pagerduty: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const event = at(body, 'event')
    const type = textAt(event, 'event_type')
    if (type === undefined) return [unknownEvent(undefined)]
    if (type === 'pagey.ping') return [notice(type)]
    return [
      eventOf({
        eventType: type,
        entityType: textAt(event, 'resource_type') ?? type.split('.')[0],
        // Notes and status updates are about the incident inside them.
        externalId: textAt(event, 'data', 'incident', 'id') ?? textAt(event, 'data', 'id'),
        operation: entryOf(operations, type) ?? 'update',
        sourceVersion: textAt(event, 'occurred_at'),
        content: [type, at(event, 'data')],
      }),
    ]
  },
}

const operations: Readonly<Record<string, 'create' | 'delete'>> = {
  'incident.triggered': 'create',
  'service.created': 'create',
  'service.deleted': 'delete',
}
