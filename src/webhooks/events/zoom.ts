import { at, eventOf, operationOf, textAt, unknownEvent, type Reader } from './meaning.ts'

/** `meeting.started` with the object of the event; `event_ts` counts milliseconds. */
export const zoom: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const type = textAt(body, 'event')
    const object = at(body, 'payload', 'object')
    const externalId = textAt(object, 'uuid') ?? textAt(object, 'id')
    if (type === undefined || externalId === undefined) return [unknownEvent(type)]
    return [
      eventOf({
        eventType: type,
        entityType: type.split('.')[0],
        externalId,
        operation: operationOf(type),
        sourceVersion: textAt(body, 'event_ts'),
        content: object,
      }),
    ]
  },
}
