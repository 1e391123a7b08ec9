import { at, eventOf, notice, operationOf, textAt, unknownEvent, type Reader } from './meaning.ts'

/** An event's object as it was then (Stripe, Event object); the version of an object is not told. */
export const stripe: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const type = textAt(body, 'type')
    if (type === undefined) return [unknownEvent(undefined)]
    const object = at(body, 'data', 'object')
    // The balance is one and has no id.
    if (textAt(object, 'object') === 'balance') return [notice(type)]
    return [
      eventOf({
        eventType: type,
        entityType: textAt(object, 'object') ?? textAt(body, 'related_object', 'type'),
        externalId: textAt(object, 'id') ?? textAt(body, 'related_object', 'id'),
        operation: operationOf(type),
        content: [type, object],
      }),
    ]
  },
}
